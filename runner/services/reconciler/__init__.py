"""Classify every object version, and repair what was lost."""
