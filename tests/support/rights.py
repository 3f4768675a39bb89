"""The rights of an ordinary user, for tests that run as root."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

# Root reads what it has no permission for by these two: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (capabilities(7)).
WITHOUT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""Starts a command without them."""
_BITS = 1 << 1 | 1 << 2
_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def ordinary_rights() -> Iterator[None]:
    """Let this thread read in the body only what its user has permission for."""
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, for each half of the capabilities
    assert _libc.capget(header, sets) == 0
    before, sets[0] = sets[0], sets[0] & ~_BITS
    assert _libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert _libc.capset(header, sets) == 0
