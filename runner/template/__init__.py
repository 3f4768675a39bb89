"""Reads template.yaml, the single source of truth for names, timeouts and limits."""
