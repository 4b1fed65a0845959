"""Runs the command line: ``python -m stathouse.cli``."""

import sys

from stathouse.cli import main

if __name__ == "__main__":
    sys.exit(main())
