"""The errors a user may meet. Each says what failed, with which value, and what to do next."""


class RunnerError(Exception):
    """Any error whose text is meant for the user; shown without a traceback."""


class EventError(RunnerError):
    """A payload that is none of the event forms in `runner.events`."""


class RoutingError(RunnerError):
    """Routes that cannot work: a bad regular expression, a missing config, an unknown location."""


class UnroutableError(RoutingError):
    """No pipeline matches a key. A named skip, not a failure."""


class AmbiguousRouteError(RoutingError):
    """More than one pipeline matches a key."""


class ArchiveError(RunnerError):
    """An archive that is not given to a pipeline: it is broken, unsafe, or over a limit."""


class NothingStoredError(RunnerError):
    """Of nothing that a VAP reads is anything stored in its window. A named skip, not a failure."""


class TemplateError(RunnerError):
    """template.yaml is missing something, or uses what the local stack cannot resolve."""


class SettingsError(RunnerError):
    """A setting from the environment or the command line that cannot be used."""


class LocalOnlyError(SettingsError):
    """An endpoint that is not on this machine: local processes never talk to real AWS."""


class StackError(RunnerError):
    """A part of the local stack did not start or cannot be reached."""


class StoppedError(RunnerError):
    """Somebody asked this process to end while it waited for something."""


class GoneError(RunnerError):
    """A source object that an event told of and that cannot be read any more."""


class ReplacedError(RunnerError):
    """A source object was replaced while a run was at work on it.

    `again` says whether the run has to be repeated: nobody else would do all that is left to do.
    """

    def __init__(self, text: str, *, again: bool) -> None:
        super().__init__(text)
        self.again = again


class PipelineFailedError(RunnerError):
    """A pipeline run failed; raised for events that AWS delivers directly, so that AWS retries them."""


class AwsError(RunnerError):
    """AWS refused what a person asked for."""
