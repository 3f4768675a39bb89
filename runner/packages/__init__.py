"""A project's own packages: requirements.txt, its lock, and the folder into which they are installed."""
