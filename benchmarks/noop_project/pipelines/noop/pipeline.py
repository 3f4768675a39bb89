"""The cheapest pipeline there is."""

from typing import Any

from tsdat import IngestPipeline


class NoOp(IngestPipeline):
    """Reads nothing and stores nothing."""

    def run(self, inputs: list[str], **kwargs: Any) -> None:  # type: ignore[override]
        """Do nothing."""
