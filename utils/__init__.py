"""Python modules that several of your pipelines share; `from utils.x import y`, here as on AWS."""
