"""The files that `runner init` adds to a project: for deployment, for Docker, and for editors."""
