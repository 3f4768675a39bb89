"""The Lambda runtime of the embedded backend: AWS's runtime interface client, which exits with its emulator.

In the image, AWS's bootstrap has this role, and a container stops all of its processes.
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
