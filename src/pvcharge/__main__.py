"""`python -m pvcharge` is the same as the `pvcharge` command."""

import sys

from pvcharge.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
