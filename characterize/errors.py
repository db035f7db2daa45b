"""What can go wrong, as one tree.

CharacterizeError
├── UnknownNameError   (LookupError)   a model, parameter, device, precision or operator we do not have
├── InvalidValueError  (ValueError)    a value outside its range, or of the wrong type
├── BrokenRecordError  (ValueError)    a data file that breaks its own contract
├── UnsupportedError   (ValueError)    a known thing that cannot be done: a precision a device lacks
├── TraceError         (RuntimeError)  PyTorch could not trace the model
├── MissingExtraError  (ImportError)   an optional library that the request needs is not installed
├── SchedulerError     (RuntimeError)  the cluster that should do the work cannot be reached
└── StoreError         (OSError)       the store cannot be opened, read or written

Every message is one sentence or two that say what was asked, what is near it and what is known.
The command line prints it and exits with code 2; the dashboard shows it with ``st.error``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CharacterizeError(Exception):
    """Root of everything this package raises on purpose."""


class UnknownNameError(CharacterizeError, LookupError):
    """A name that is in none of our catalogues."""


class InvalidValueError(CharacterizeError, ValueError):
    """A value of the wrong type or outside its range."""


class BrokenRecordError(CharacterizeError, ValueError):
    """A data file that breaks its own contract."""


class UnsupportedError(CharacterizeError, ValueError):
    """A known thing that cannot be done with what was asked."""


class TraceError(CharacterizeError, RuntimeError):
    """PyTorch could not trace the model."""


class MissingExtraError(CharacterizeError, ImportError):
    """An optional library is needed and not installed."""


class SchedulerError(CharacterizeError, RuntimeError):
    """The cluster that should do the work cannot be reached, or went away."""


class StoreError(CharacterizeError, OSError):
    """The store cannot be opened, read or written."""


def unknown(what: str, asked: str, known: Iterable[str], *, limit: int = 12) -> UnknownNameError:
    """An error that says what was asked, what is near it and what is known.

    >>> str(unknown("device", "nvidia_t40", ["nvidia_t4", "intel_i7_12700k"]))
    "No device named 'nvidia_t40'. Did you mean 'nvidia_t4'? Known: intel_i7_12700k, nvidia_t4."
    """
    names = sorted(str(name) for name in known)
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    shown = ", ".join(names[:limit])
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return UnknownNameError(f"No {what} named {asked!r}.{hint} Known: {shown}{more}.")
