"""The Lambda runtime of the embedded backend: awslambdaric, tied to the life of the emulator that starts it.

In the image AWS's own bootstrap does this; there the container ends what is left over.
"""

from __future__ import annotations

import sys

from runner.stack.child import die_with_parent


def main() -> None:
    """Serve the handler named on the command line."""
    die_with_parent()
    from awslambdaric.__main__ import main as serve

    serve(["awslambdaric", *sys.argv[1:]])


if __name__ == "__main__":
    main()
