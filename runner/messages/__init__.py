"""JSON that crosses a process boundary. Pure."""
