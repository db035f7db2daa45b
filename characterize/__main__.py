"""``python -m characterize`` is the command ``characterize``."""

from __future__ import annotations

import sys

from characterize.cli import main

if __name__ == "__main__":
    sys.exit(main())
