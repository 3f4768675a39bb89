"""Python modules that several pipelines share. `from utils.x import y` works locally and on AWS."""
