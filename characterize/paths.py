"""Where the files are that come with the package.

In a checkout the catalogue is the directory ``data/`` beside the packages; a wheel carries the
same directory inside ``characterize``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from characterize.errors import BrokenRecordError

_PACKAGE: Final = Path(__file__).resolve().parent


@cache
def data_directory() -> Path:
    """The directory with ``hardware/``, ``published/``, ``reports/`` and ``templates/``.

    Raises:
        BrokenRecordError: the installation lacks it.
    """
    candidates = (_PACKAGE / "data", _PACKAGE.parent / "data")
    for directory in candidates:
        if (directory / "hardware").is_dir():
            return directory
    tried = " nor ".join(str(directory) for directory in candidates)
    msg = f"The installation is incomplete: neither {tried} has a directory 'hardware'."
    raise BrokenRecordError(msg)
