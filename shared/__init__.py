"""Shared by several pipelines: the storage config and the strict retriever."""
