"""``python -m app`` is ``fieldwright``."""

import sys

from app.cli import main

if __name__ == "__main__":  # a worker process imports this file too
    sys.exit(main())
