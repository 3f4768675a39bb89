"""Makes a pipeline from a sample file: looks at the file, proposes a plan, writes the pipeline's folder."""
