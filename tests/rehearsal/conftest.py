"""The account in which deployments are rehearsed, and the image that goes there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from account import Account
from account import account as an_account


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account of its own, and what `sam build` made ready to be deployed."""
    with an_account(tmp_path_factory.mktemp("account")) as made:
        made.sam("build")
        yield made
