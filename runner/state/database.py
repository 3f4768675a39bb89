"""The SQLite files of the state folder: one for each stage that writes, so that no stage waits for another."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from runner.errors import SettingsError


def database(path: Path, schema: str) -> sqlite3.Connection:
    """Open a file of the state folder, and make in it what its schema asks for and is not there.

    Raises:
        SettingsError: the folder cannot be used, or the file is damaged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Autocommit; one thread at a time uses a connection, but not always the one that made it.
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        # Write-ahead logging lets readers read while the one writer writes, and needs no fsync for each row.
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + schema)
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(f"{path} cannot be used: {error}. Mend that, or choose another folder: --data.") from error
    return connection
