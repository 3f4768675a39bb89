"""The JSON messages between processes. Pure: no I/O."""
