"""``python -m stathouse``: the same as the command ``stathouse``."""

import sys

from stathouse.cli import main

if __name__ == "__main__":
    sys.exit(main())
