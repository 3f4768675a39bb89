"""Starts and supervises the processes of a stack, with Docker or without."""
