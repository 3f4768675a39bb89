"""The pytest plugin for pipelines: `pytest -p runner.testing`, or `pytest_plugins` in conftest.py."""

from runner.testing.datasets import assert_datasets_match

__all__ = ["assert_datasets_match"]

pytest_plugins = ["runner.testing.plugin"]
