"""`python -m runner`."""

import sys

from runner.services import processes

if sys.argv[1:2] and sys.argv[1] in processes.NAMES:
    processes.main(sys.argv[1:])
elif sys.argv[1:2] == ["page"]:
    from runner.web import server

    server.main(sys.argv[2:])
else:
    from runner.cli.app import main

    main()
