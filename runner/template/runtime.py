"""The function's runtime on AWS, as the Dockerfile's base image has it."""

PYTHON = "python3.13"
