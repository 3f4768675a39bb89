"""Names of files that are still being written, or that only programs read: shell patterns, in any case of letters."""

from __future__ import annotations

_HEX = "[0-9a-f]"
# `NAME.6eF2a8Bc`. Eight digits without a letter are a date, so one of the eight is a letter.
_AWS = tuple(f"*.{_HEX * before}[a-f]{_HEX * (7 - before)}" for before in range(8))

IGNORED_NAMES = (
    ".*",  # rsync, lftp, ProFTPD, Nextcloud, Mutagen, Dropbox, iCloud: .NAME.XXXXXX and the like; Git; macOS
    "*.tmp", "*.temp", "*.part", "*.partial", "*.part.minio",  # many; rclone; minio
    "*.incomplete", "*.unfinished", "*.inprogress", "*.writing", "*.uploading", "*.lock", "*.lck",
    "*.crdownload", "*.download", "*.opdownload", "*.dtapart", "*.aria2", "*.!ut", "*.!qb", "*.!bt", "*.bc!",
    "*.filepart", "*.gstmp", "*._copying_", "*.!sync", "*.rsls", "~syncthing~*", "*.unison",
    *_AWS,
    "*~", "~$*", "#*#", "*.swp", "*.swx", "*.odtmp",  # editors and offices
    "desktop.ini", "thumbs.db", "$recycle.bin",
)  # fmt: skip
