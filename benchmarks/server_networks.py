"""The networks of MLPerf Inference's closed division, under the names of its benchmarks.

What the package has a family or a library for is taken from there; the rest is defined here, from
the papers and the reference implementations' configurations. Traced without weights and fused for
an engine. Left out: GNMT and the detection's box decoding, which runs on the host or in plugins.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import nn

from benchmarks.edge_networks import SsdResnet34, family
from characterize import features, fusion, tracing
from characterize.columns import KernelColumns

BERT_TOKENS: Final = 178
"""Mean length of a SQuAD v1.1 development question with its paragraph: engines skip the padding."""
SPEECH_FRAMES: Final = 242
"""Mean LibriSpeech dev-clean utterance, 7.25 s, in frames of 30 ms (three stacked 10 ms steps)."""
SPEECH_LETTERS: Final = 103
"""Letters of a mean utterance: 272 thousand words in 5.4 h, 5.3 letters and spaces each."""


@dataclass(frozen=True)
class Workload:
    """A network, its example inputs, and the batch that offline runs use."""

    make: Callable[[], nn.Module]
    inputs: Callable[[], tuple[torch.Tensor, ...]]
    batch: int


class SsdMobilenet(nn.Module):
    """SSD-small of MLPerf Inference: MobileNet v1 at 300 x 300, six maps, 91 classes."""

    EXTRAS = ((1024, 256, 512), (512, 128, 256), (256, 128, 256), (256, 64, 128))
    MAPS = ((512, 3), (1024, 6), (512, 6), (256, 6), (256, 6), (128, 6))

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6()]
        width = 32
        plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), *[(512, s) for s in (2, 1, 1, 1, 1, 1)],
                (1024, 2), (1024, 1)]  # fmt: skip
        cut = 0
        for index, (leaving, stride) in enumerate(plan):
            layers += [
                nn.Conv2d(width, width, 3, stride, 1, groups=width), nn.ReLU6(),
                nn.Conv2d(width, leaving, 1), nn.ReLU6(),
            ]  # fmt: skip
            width = leaving
            if index == 10:  # the last layer at 1/16
                cut = len(layers)
        self.shallow, self.deep = nn.Sequential(*layers[:cut]), nn.Sequential(*layers[cut:])
        self.extras = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(entering, middle, 1), nn.ReLU6(),
                nn.Conv2d(middle, leaving, 3, 2, 1), nn.ReLU6(),
            )
            for entering, middle, leaving in self.EXTRAS
        )  # fmt: skip
        self.heads = nn.ModuleList(
            nn.Conv2d(entering, anchors * values, 1)
            for entering, anchors in self.MAPS
            for values in (4, 91)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Boxes and scores a map."""
        maps = [self.shallow(image)]
        maps.append(self.deep(maps[0]))
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        pairs = [scale for scale in maps for _ in range(2)]
        return [head(scale) for head, scale in zip(self.heads, pairs, strict=True)]


class UNet3d(nn.Module):
    """3D U-Net of MLPerf Inference v0.7 to v1.1 (nnU-Net for BraTS): 224 x 224 x 160, 4 channels."""

    WIDTHS = (32, 64, 128, 256, 320, 320)

    def __init__(self) -> None:
        super().__init__()
        widths = self.WIDTHS
        entering = (4, *widths[:-1])
        self.down = nn.ModuleList(
            self._block(a, b, 1 if a == 4 else 2) for a, b in zip(entering, widths, strict=True)
        )
        self.grow = nn.ModuleList(
            nn.ConvTranspose3d(b, a, 2, 2, bias=False) for a, b in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(self._block(2 * a, a, 1) for a in widths[:-1])
        self.head = nn.Conv3d(widths[0], 4, 1, bias=False)

    @staticmethod
    def _block(entering: int, leaving: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv3d(entering, leaving, 3, stride, 1),
            nn.InstanceNorm3d(leaving, affine=True),
            nn.LeakyReLU(0.01),
            nn.Conv3d(leaving, leaving, 3, 1, 1),
            nn.InstanceNorm3d(leaving, affine=True),
            nn.LeakyReLU(0.01),
        )

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Scores of four classes a voxel."""
        kept = [self.down[0](volume)]
        for block in list(self.down)[1:]:
            kept.append(block(kept[-1]))
        found = kept.pop()
        for grow, up in zip(reversed(self.grow), reversed(self.up), strict=True):
            found = up(torch.cat((grow(found), kept.pop()), 1))
        scores: torch.Tensor = self.head(found)
        return scores


class Rnnt(nn.Module):
    """RNN-T of MLPerf Inference: five encoder LSTMs of 1024, two of 320, a joint of 512.

    The greedy decoder takes a step a letter and a frame; here those steps are one sequence, which
    counts their work but not that each waits for the one before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(240, 1024, 2, batch_first=True)
        self.second = nn.LSTM(2048, 1024, 3, batch_first=True)
        self.letters = nn.LSTM(320, 320, 2, batch_first=True)
        self.joint = nn.Sequential(nn.Linear(1344, 512), nn.ReLU(), nn.Linear(512, 29))

    def forward(self, speech: torch.Tensor, letters: torch.Tensor) -> torch.Tensor:
        """``[b, frames, 240]`` and ``[b, steps, 320]`` to ``[b, steps, 29]``."""
        heard = self.first(speech)[0]
        heard = self.second(heard.reshape(heard.shape[0], -1, 2048))[0]
        said = self.letters(letters)[0]
        steps = torch.cat((heard, heard), 1)[:, : said.shape[1]]
        scores: torch.Tensor = self.joint(torch.cat((steps, said), 2))
        return scores


class Dlrm(nn.Module):
    """DLRM on Criteo terabyte: 26 tables of width 128, 13 numbers, pairwise products."""

    ROWS = 200_000  # of a table; only what is looked up moves

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(self.ROWS, 128) for _ in range(26))
        self.bottom = self._chain((13, 512, 256, 128))
        self.top = self._chain((479, 1024, 1024, 512, 256, 1))

    @staticmethod
    def _chain(widths: tuple[int, ...]) -> nn.Sequential:
        layers: list[nn.Module] = []
        for entering, leaving in itertools.pairwise(widths):
            layers += [nn.Linear(entering, leaving), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, numbers: torch.Tensor, picks: torch.Tensor) -> torch.Tensor:
        """A click probability a sample."""
        dense = self.bottom(numbers)
        rows = [dense, *(table(picks[:, i]) for i, table in enumerate(self.tables))]
        stacked = torch.stack(rows, 1)
        products = torch.bmm(stacked, stacked.transpose(1, 2)).flatten(1)[:, :351]
        scores: torch.Tensor = self.top(torch.cat((dense, products), 1))
        return scores


def _image(size: int) -> Callable[[], tuple[torch.Tensor, ...]]:
    return lambda: (torch.empty(1, 3, size, size),)


def _bert() -> nn.Module:
    from transformers import BertConfig, BertForQuestionAnswering

    found: nn.Module = BertForQuestionAnswering(
        BertConfig(
            hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
        )
    )
    return found


def workloads() -> Mapping[str, Workload]:
    """The networks by name."""
    resnet, _ = family("resnet", depth=50)
    return {
        "resnet50": Workload(resnet, _image(224), 256),
        "ssd-resnet34": Workload(SsdResnet34, _image(1200), 16),
        "ssd-mobilenet": Workload(SsdMobilenet, _image(300), 256),
        "bert": Workload(_bert, lambda: (torch.ones(1, BERT_TOKENS, dtype=torch.int64),), 128),
        "3d-unet": Workload(UNet3d, lambda: (torch.empty(1, 4, 224, 224, 160),), 2),
        "rnnt": Workload(
            Rnnt,
            lambda: (
                torch.empty(1, SPEECH_FRAMES, 240),
                torch.empty(1, SPEECH_LETTERS + SPEECH_FRAMES // 2, 320),
            ),
            1024,
        ),
        "dlrm": Workload(
            Dlrm, lambda: (torch.empty(1, 13), torch.zeros(1, 26, dtype=torch.int64)), 65536
        ),
    }


def columns(work: Workload) -> KernelColumns:
    """A network traced without weights and fused for an engine, at its offline batch."""
    with torch.device("meta"):
        module, inputs = work.make(), work.inputs()
    graph = tracing.trace(module.eval(), *inputs)
    found = features.columns(fusion.fuse(graph, stack="engine")).kernels
    return replace(found.batched(float(work.batch)), lowerings=None)
