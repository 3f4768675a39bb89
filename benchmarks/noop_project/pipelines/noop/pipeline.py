"""A pipeline that does nothing, to measure the path alone."""

from typing import Any

from tsdat import IngestPipeline


class NoOp(IngestPipeline):
    """Read nothing and store nothing."""

    def run(self, inputs: list[str], **kwargs: Any) -> None:  # type: ignore[override]
        """Do nothing."""
