"""The software stacks, as far as fusion tells them apart."""

from __future__ import annotations

from characterize.errors import unknown
from characterize.fusion.tables import Loop
from characterize.records import Stack

EPILOGUES = {
    Stack.EAGER: frozenset[Loop](),
    Stack.COMPILED: frozenset({Loop.CONVOLUTION, Loop.LINEAR}),
    Stack.ENGINE: frozenset({Loop.CONVOLUTION, Loop.LINEAR, Loop.MATMUL}),
}
"""The library calls that take an elementwise epilogue, by stack."""


def stack_named(name: Stack | str) -> Stack:
    """The stack of that name, or an error that says which there are."""
    try:
        return Stack(name)
    except ValueError:
        error = unknown("stack", str(name), [stack.value for stack in Stack])
    raise error
