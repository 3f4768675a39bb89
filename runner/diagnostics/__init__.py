"""Finds the mistakes of a project's configs before any file comes, each with its file, line and column."""
