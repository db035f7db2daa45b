"""Memory formats: the tables of a profile that hold for NCHW tensors instead of channels-last.

What a profile states for a stack holds for channels-last tensors on GPUs, which is what half
precision is run in for speed; ``[efficiency.eager_nchw]`` holds for contiguous ones. A compiler
chooses the format itself, and processors take either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from characterize import errors
from characterize.hardware import catalogue
from characterize.hardware.record import Profile
from characterize.records import Architecture, Frozen, Stack

FORMATS: Final = ("nchw", "nhwc")
_DONOR: Final = "nvidia_rtx_3090"
_OF_LAYOUT: Final = ("layout_dense", "layout_pointwise", "group_norm_layout", "depthwise_slow")


def in_format(profile: Profile, stack: Stack, memory_format: str) -> Profile:
    """The profile as it is for tensors in a memory format; "" is channels-last.

    Raises:
        UnknownNameError: the format is neither "nchw" nor "nhwc".
    """
    if memory_format not in ("", *FORMATS):
        raise errors.unknown("memory format", memory_format, FORMATS)
    eager_gpu = profile.architecture is Architecture.GPU and stack is Stack.EAGER
    if memory_format != "nchw" or not eager_gpu:
        return profile
    fitted = dict(profile.fitted)
    own = fitted.get("efficiency.eager_nchw")
    donor = catalogue.load(_DONOR).fitted.get("efficiency.eager_nchw")
    if own is None and donor is not None:
        base = fitted.get("efficiency.eager")
        layout = {name: donor.values[name] for name in _OF_LAYOUT if name in donor.values}
        values = {**base.values, **layout} if base else dict(donor.values)
        if base is None and "RTX" not in profile.title:
            values["clock"] = min(1.0, values.get("clock", 1.0))
        own = replace(donor, values=Frozen(values))
    if own is not None:
        fitted["efficiency.eager"] = own
    band = fitted.get("uncertainty.eager_nchw")
    if band is not None:
        fitted["uncertainty.eager"] = band
    return replace(profile, fitted=Frozen(fitted))
