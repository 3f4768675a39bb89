"""`python -m runner`."""

import gc
import sys

try:
    gc.disable()  # imports create much and release nothing: 10 ms less
    from runner.cli.app import main

    gc.freeze()
    gc.enable()
    main()
except KeyboardInterrupt:  # during the imports; Typer handles it during a command
    sys.exit(130)
