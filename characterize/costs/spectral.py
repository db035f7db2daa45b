"""Fast Fourier transforms."""

from __future__ import annotations

import math

import numpy as np

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, Count, KernelKind


@cost_of("aten._fft_c2c", "aten._fft_r2c", "aten._fft_c2r")
def fourier_transform(work: Work) -> Cost:
    """Fourier transform over some axes: complex, real to complex, complex to real.

    Shapes: input and output ``[*D]``; the last transformed axis of the complex side of a real
        transform has N/2 + 1 entries. N is the product of the transformed axes on the real side
        (on either side of a complex one), B that of the others.

    Formula: vector_flops = B * 5 * N * log2(N), half that for a real transform, rounded to a whole
        number; normalisation, where there is one, is folded into the last pass.

    Source: operation counts of FFTW's benchmark (fftw.org/speed): 5 N log2 N complex, 2.5 N log2 N
        real, which a radix-2 algorithm needs (Cooley and Tukey, Math. Comp. 19, 1965).

    Example:
        >>> from characterize.costs import estimate
        >>> shapes, out = {"self": (8, 16, 16)}, (8, 16, 9)
        >>> cost = estimate("aten._fft_r2c", shapes, out, dim=(1, 2), output_dtype="complex64")
        >>> cost.vector_flops  # 8 * 2.5 * 256 * 8
        40960
    """
    shape = work.output if work.name == "aten._fft_c2r" else work.required("self")
    axes = work.attributes.get("dim", (-1,))
    points = math.prod(shape[axis] for axis in axes)
    halves = 5 if work.name != "aten._fft_c2c" else 10
    total = halves * math.prod(shape) * _log2(points) / 2
    return Cost(kind=KernelKind.FFT, vector_flops=_whole(total))


def _log2(points: Count) -> Count:
    return np.log2(np.maximum(points, 1))


def _whole(count: Count) -> Count:
    rounded = np.rint(count)
    return rounded.astype(np.int64) if isinstance(rounded, np.ndarray) else int(rounded)
