"""What the host does to send a kernel to a GPU: Python, dispatch, checks, the launch itself.

It works ahead of the device, so it only shows where kernels are short: small batches, small networks.
Under eager execution an operator that does more, or that a module of more code calls, takes longer:

    host    dispatch x sum over launched kernels of calls(kind)

``dispatch`` is the time of a pointwise kernel, 13.7 us in the hosts of our H100 and of the published RTX
4090 (11.9 us): the ratios are fitted on 96 rows of our H100 whose kernels take less than four fifths of
the time, and five EfficientViTs at batch 512 on the RTX 4090 (timm), which then are within 3 %. Timed alone
on our H100, without the modules around them (data/published/h100_launches.csv), a pointwise operator takes
11 us, a cast 13, a softmax 11, a layer norm 18, a convolution 19, a linear layer 22, attention 30, a batch
norm 40. What a compiler generates is sent by one line of a generated program each: all count alike.

Before that program runs, its guards look at every input and parameter, and the device waits: ``ahead`` is
0.143 of the host's time on our H100, in the median of 23 compiled networks (a step with a synchronise
less one in a steady stream, at batches of 32 and more; 0.03 in eager, which checks nothing, not modelled).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from characterize.columns import KINDS, Array, KernelColumns
from characterize.records import KernelKind, Stack

_OTHER: Final = 3.2  # pooling, reductions, copies, gathers: often a few calls around one kernel
_PRODUCTS: Final = (KernelKind.LINEAR, KernelKind.MATMUL)
_ROWS: Final = (KernelKind.LAYER_NORM, KernelKind.GROUP_NORM)
_CONVOLUTIONS: Final = (
    KernelKind.CONVOLUTION,
    KernelKind.POINTWISE_CONVOLUTION,
    KernelKind.GROUPED_CONVOLUTION,
    KernelKind.DEPTHWISE_CONVOLUTION,
    KernelKind.TRANSPOSED_CONVOLUTION,
)
_CALLS: Final = {
    **dict.fromkeys(_CONVOLUTIONS, 2.7),
    **dict.fromkeys(_PRODUCTS, 1.8),
    **dict.fromkeys(_ROWS, 1.4),
    KernelKind.ATTENTION: 4.2,
    KernelKind.BATCH_NORM: 2.6,
    KernelKind.ELEMENTWISE: 1.0,
    KernelKind.CAST: 1.0,
}
_STEP: Final = 2.0  # kernels of a recurrent layer's time step, which cuDNN launches one by one
_LIBRARY: Final = 13.7 / 23.6
"""A launch by a library, in times of one by a compiled program: the program's own machinery is not
around it. Eager's over a compiler's on our H100; on the RTX 4090 it is 11.9 over 17.7."""
_EAGER: Final = np.array([_CALLS.get(kind, _OTHER) for kind in KINDS])


def calls(columns: KernelColumns, stack: Stack) -> Array:
    """Time of the host for each launched kernel, ``[L, N]`` or ``[L, 1]``, in times of a pointwise one.

    >>> float(_EAGER[KINDS.index(KernelKind.CONVOLUTION)])
    2.7
    """
    once = np.ones(len(columns.kind)) if stack is not Stack.EAGER else _EAGER[columns.kind]
    recurrent = columns.is_kind(KernelKind.RECURRENT)
    if not recurrent.any():
        return once[:, None]
    steps = columns.flat(np.where(recurrent, columns.groups, 0.0))
    launch = _LIBRARY if stack is Stack.COMPILED else 1.0
    return np.asarray(np.maximum(once[:, None], _STEP * launch * steps))


def sent(columns: KernelColumns, stack: Stack) -> Array:
    """The same for all kernels of a network together, as often as each occurs: likewise."""
    return np.asarray(columns.repeats * calls(columns, stack))
