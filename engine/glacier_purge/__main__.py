"""Let ``python -m glacier_purge`` be the same as the command ``glacier-purge``."""

import sys

from glacier_purge.cli import main

if __name__ == "__main__":
    sys.exit(main())
