"""NetCDF for the screen. `process` is what the page uses; all else runs in a child process, so the page stays small."""
