"""Convolutions and matrix products of a GPU: waves of the best tiles, and what is off the fast path.

The equation stands at the head of `gpu`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns
from characterize.hardware import gpu_recurrent
from characterize.records import KernelKind

if TYPE_CHECKING:
    from characterize.hardware.gpu_kernels import Device

TILES: Final = ((256, 128), (128, 128), (128, 64), (64, 64), (128, 32), (64, 32))

Waves = dict[Hashable, Array]
"""Clocks of the best tiles by the products' sizes: the same in every precision."""

_K = KernelKind
_SLICES: Final = 3.0  # kernels more a group: its channels, its weights, its result
_SLICED_ALONE: Final = 4.0  # groups at most that are cut out one by one; more are padded together
_HALF_BYTES: Final = 2.0  # of an element of fp16 and bf16
_PATCH: Final = 8.0  # the least stride of a patch embedding

Efficiencies = Mapping[str, float]
Mask = NDArray[np.bool_]


def product_s(columns: KernelColumns, device: Device, known: Efficiencies, waves: Waves) -> Array:
    """Seconds of convolutions and matrix products: the best tile's waves."""
    whole, steps = columns, gpu_recurrent.stepping(columns, known)
    if steps:
        columns = gpu_recurrent.one_step(columns)
    m, k = columns.m, columns.k
    sizes = (
        array for each in (m, columns.n, columns.groups) for array in (each.shape, each.tobytes())
    )
    # on vector units loads and starts take as long as on matrix units, and the product longer: where
    # that was measured
    vector = device.pace < 1.0 and known["vector_product"] < 1.0
    pace = device.pace if vector else 1.0
    loads = known["tile"] * pace
    key = (device.multiprocessors, loads, *sizes)
    best = waves.get(key)
    if best is None:
        best = waves[key] = _best_clocks(columns, device.multiprocessors, loads)
    depth = 8.0 * np.ceil(k / 8.0) + known["prologue"] * pace
    share = _vector_share(columns, known) if vector else _share(columns, known)
    rate = device.matrix_flops_per_s * known["clock"] * share
    flops = best * (depth * causal(columns))
    if not (m > 0).all():
        flops = np.where(m > 0, flops, 2.0 * columns.worked_macs)
    seconds = np.asarray(flops * (_penalty(columns, device, known) / rate))
    if steps:
        seconds = gpu_recurrent.all_steps_s(whole, seconds, rate)
    if device.bf16 and known["stem_element"]:
        stem_s = np.maximum(seconds, _stem_s(columns, device, known))
        seconds = np.where(_stems(columns), stem_s, seconds)
    return seconds


def _stem_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of a convolution of an image on vector units (see `gpu_bf16`)."""
    rate = device.clocks_per_s * known["clock"]
    products = 2.0 * columns.macs / device.vector_flops_per_s
    return np.asarray(columns.output_elements * known["stem_element"] / rate + products)


def _stems(columns: KernelColumns) -> Mask:
    """First convolutions that halve an image, or so; patches have other kernels."""
    return few_channels(columns) & (columns.stride > 1) & (columns.stride < _PATCH)


def _best_clocks(columns: KernelColumns, units: float, start: float) -> Array:
    m, n, groups = columns.m, columns.n, columns.groups

    def clocks_of(rows: int, width: int) -> Array:
        area = rows * width
        loads = 1.0 + start * ((rows + width) / area)
        waves = _waves(np.ceil(m / rows) * (np.ceil(n / width) * groups / units))
        return np.multiply(waves, units * 2.0 * area * loads, out=waves)

    return reduce(np.minimum, (clocks_of(*tile) for tile in TILES))


def _waves(tiles: Array) -> Array:
    """Waves of tiles a multiprocessor: whole ones below 4, half of one more above."""
    many = tiles >= 4.0
    waves = np.ceil(tiles)
    return np.add(tiles, 0.5, out=waves, where=many)


def causal(columns: KernelColumns) -> Array:
    """The share of a product's blocks that a causal mask leaves."""
    if columns.worked_macs is columns.macs:  # no masks anywhere
        return np.ones((1, 1))
    share = columns.worked_macs / np.maximum(columns.macs, 1.0)
    return np.where(columns.macs > 0, share, 1.0)


def _share(columns: KernelColumns, known: Efficiencies) -> Array:
    """The share of the peak that each product's kind reaches."""
    by_kind = {
        _K.POINTWISE_CONVOLUTION: "pointwise",
        _K.GROUPED_CONVOLUTION: "grouped",
        _K.LINEAR: "linear",
        _K.RECURRENT: "recurrent" if "recurrent" in known else "linear",
        _K.MATMUL: "matmul",
    }
    share: Array = np.full((1, 1), known["convolution"])
    for kind, name in by_kind.items():
        mask = columns.is_kind(kind)
        if mask.any():
            share = np.where(mask, known[name], share)
    few = few_channels(columns)
    patch = few & (columns.stride >= _PATCH)
    return np.where(patch, known["patch"], np.where(few, known["stem"], share))


def _vector_share(columns: KernelColumns, known: Efficiencies) -> Array:
    """The share of the vector units' peak, in formats that matrix units do not have.

    At most that of matrix units, so that no device is slower for a higher peak.
    """
    product = columns.is_kind(_K.LINEAR, _K.MATMUL, _K.RECURRENT)
    grouped = np.where(columns.is_kind(_K.GROUPED_CONVOLUTION), known["grouped"], 1.0)
    own = np.where(product, known["vector_product"], known["vector_convolution"] * grouped)
    return np.minimum(own, _share(columns, known))


def _unaligned(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Factors on products with a weight whose rows do not begin at multiples of 16 bytes.

    Libraries load them in smaller pieces, of 4 bytes where sizes are even (``align2`` in a kernel's name). Of
    fp16 and bf16 products on our H100 (data/published/h100_operators.csv); tf32's take as long, twice as long
    as they should anyway. Vector units do not care.
    """
    if device.pace < 1.0:
        return np.ones((1, 1))
    whole = 16.0 / device.element_bytes
    linear = columns.is_kind(_K.LINEAR)
    odd = linear & _odd(columns)
    even = linear & ((columns.n % whole != 0) | (columns.k % whole != 0))
    factor = np.where(odd, known["odd_linear"], np.where(even, known["even_linear"], 1.0))
    return np.maximum(1.0, factor * (_HALF_BYTES / device.element_bytes))


def sliced(columns: KernelColumns, device: Device, known: Efficiencies) -> Mask:
    """Grouped convolutions that cuDNN has no NHWC kernel for: widths that are no power of two.

    It cuts out the channels of each group, or pads them, and joins what it gets (`nhwcSliceCKernel`,
    `tensorTransformGeneric`); in fp32 it copies into NCHW instead.
    """
    if not known["sliced"] or device.pace < 1.0:
        return np.zeros((1, 1), dtype=np.bool_)
    grouped = columns.is_kind(_K.GROUPED_CONVOLUTION) & (columns.kernel_area > 1)
    return grouped & ~_power_of_two(columns.width)


def slices_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of cutting and joining: clocks of what is read and written, gaps between kernels.

    2.0 clocks of a multiprocessor an element, of eight operators on our H100 with groups of 112 channels
    (7 to 56 pixels, batches 8 and 128; data/published/h100_operators.csv): 0.7 to 1.0 of their time, 0.16 to
    0.26 without.
    """
    found = sliced(columns, device, known)
    if not found.any():
        return np.zeros((1, 1))
    elements = columns.input_elements + columns.output_elements
    kernels = _SLICES * np.minimum(columns.groups, _SLICED_ALONE)
    rate = device.clocks_per_s * known["clock"]
    return np.where(found, elements * known["sliced"] / rate + kernels * known["launch"], 0.0)


def few_channels(columns: KernelColumns) -> Mask:
    """Dense convolutions of an image: libraries have kernels of their own for so few channels."""
    dense = columns.is_kind(_K.CONVOLUTION)
    return dense & (columns.width <= 4)


def _power_of_two(width: Array) -> Mask:
    return np.asarray(np.log2(np.maximum(width, 1.0)) % 1 == 0)


def _odd(columns: KernelColumns) -> Mask:
    return np.asarray((columns.n % 2 != 0) | (columns.k % 2 != 0))


def _penalty(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Factors on products whose sizes fall off the fast kernels."""
    width = columns.width
    few = few_channels(columns)
    dense = columns.is_kind(_K.CONVOLUTION, _K.POINTWISE_CONVOLUTION) & ~few
    odd_channels = dense & ((width % 8 != 0) | (columns.n % 8 != 0))
    factor = np.where(odd_channels, known["misaligned"], 1.0)
    product = columns.is_kind(_K.LINEAR, _K.MATMUL)
    odd = product & _odd(columns)
    factor = np.where(odd, known["odd_product"], factor)
    if known["odd_linear"] > 1.0:
        factor = factor * _unaligned(columns, device, known)
    unusual = (width < 64) & (width % 16 != 0) & ~_power_of_two(width)
    grouped = columns.is_kind(_K.GROUPED_CONVOLUTION) & unusual & ~sliced(columns, device, known)
    factor = np.where(grouped, known["odd_groups"], factor)
    return np.where(few & (columns.stride >= 32), known["wide_patch"], factor)
