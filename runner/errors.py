"""Errors for the user. Each says what failed, with which value, and what to do next."""


class RunnerError(Exception):
    """Base of all errors whose text is meant for the user; printed without a traceback."""


class EventError(RunnerError):
    """A payload in none of the event formats that `runner.messages.s3_events` knows."""


class RoutingError(RunnerError):
    """Invalid routes: a bad regular expression, a missing config, an unknown location."""


class UnroutableError(RoutingError):
    """No pipeline matches a key. The run is skipped; it does not fail."""


class AmbiguousRouteError(RoutingError):
    """More than one pipeline matches a key."""


class ArchiveError(RunnerError):
    """An archive that no pipeline may read: it is broken, unsafe, or over a limit."""


class NothingStoredError(RunnerError):
    """No input of a VAP is stored in its window. The run is skipped; it does not fail."""


class PipelineExitError(RunnerError):
    """A pipeline called sys.exit or raised KeyboardInterrupt."""


class TemplateError(RunnerError):
    """template.yaml lacks something, or uses something that the local stack cannot resolve."""


class SettingsError(RunnerError):
    """An invalid setting, from the environment or the command line."""


class PackagesError(RunnerError):
    """The packages in a project's requirements.txt cannot be resolved or installed."""


class LocalOnlyError(SettingsError):
    """An endpoint on another machine: local processes never contact AWS."""


class StackError(RunnerError):
    """A part of the local stack did not start or cannot be reached."""


class StoppedError(RunnerError):
    """A signal asked this process to stop while it was waiting."""


class GoneError(RunnerError):
    """A source object that an event names but that can no longer be read."""


class CompanionMissingError(RunnerError):
    """A file that belongs to a source object is not in the bucket yet."""


class ReplacedError(RunnerError):
    """A source object was replaced during a run.

    `again` is True if the run has to be repeated because no other event covers the rest of its work.
    """

    def __init__(self, text: str, *, again: bool) -> None:
        super().__init__(text)
        self.again = again


class PipelineFailedError(RunnerError):
    """A pipeline run failed. Raised for events that AWS delivers directly, so that AWS retries them."""


class AwsError(RunnerError):
    """AWS refused a request."""


class ScaffoldError(RunnerError):
    """A pipeline cannot be made from a sample file."""
