"""Entry point of the packaged program."""

import multiprocessing
import sys

if __name__ == "__main__":
    # A frozen program starts its worker processes by running itself again.
    multiprocessing.freeze_support()
    from app.cli import main

    sys.exit(main())
