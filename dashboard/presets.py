"""Configurations to start from, each with the question that it teaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dashboard.queries import AUTO, Network


@dataclass(frozen=True, slots=True)
class Preset:
    """A network, how it is run, and the devices worth comparing for it."""

    title: str
    question: str
    model: str
    changed: tuple[tuple[str, Any], ...]
    devices: tuple[str, ...]
    baseline: str = AUTO
    batch: int = 1

    def network(self, defaults: dict[str, Any]) -> Network:
        """The whole configuration: what the preset changes, on the family's defaults."""
        return Network(self.model, tuple({**defaults, **dict(self.changed)}.items()), self.batch)


PRESETS: Final = (
    Preset(
        "The Conv2D report",
        "Four idealised devices, 16 channels into every layer: where do 1×, 167×, 750× and 17× "
        "come from?",
        "conv2d_stack",
        (("in_channels", 16),),
        ("reference_cpu", "reference_gpu", "reference_tpu", "reference_kpu"),
        "reference_cpu",
        batch=32,
    ),
    Preset(
        "Vision at the edge",
        "Which small device finds the objects in an image within 5 ms?",
        "detector",
        (),
        (
            "raspberry_pi_5",
            "nvidia_jetson_orin_nano_8gb",
            "nvidia_jetson_agx_orin_64gb",
            "google_coral_edge_tpu",
            "hailo_8",
            "stillwater_kpu_t64",
        ),
    ),
    Preset(
        "A transformer on a server",
        "How far does a batch of 32 take the largest devices?",
        "transformer_encoder",
        (),
        (
            "intel_xeon_8490h",
            "nvidia_a100_sxm_80gb",
            "nvidia_h100_sxm",
            "nvidia_h200_sxm",
            "google_tpu_v4",
            "google_tpu_v5e",
        ),
        batch=32,
    ),
    Preset(
        "A case for a KPU",
        "Deep and narrow convolutions: does a fabric of tiles keep up with a GPU, and at what power?",
        "conv2d_stack",
        (("layers", 16), ("channels", 64), ("in_channels", 64), ("input_size", 128)),
        (
            "intel_i7_12700k",
            "nvidia_jetson_agx_orin_64gb",
            "nvidia_rtx_4090",
            "stillwater_kpu_t64",
            "stillwater_kpu_t256",
            "stillwater_kpu_t768",
        ),
    ),
)
