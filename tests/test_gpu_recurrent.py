"""Recurrent layers on a GPU: one layer and time step after another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import characterize as ch
from characterize import hardware, session
from characterize.hardware import gpu_kernels, gpu_known, gpu_recurrent, host
from characterize.hardware.residency import Cache
from characterize.paths import data_directory
from characterize.records import KernelKind, Launching, Precision, Stack
from tests.test_hardware_models import kernels

# 10 time steps of 2 layers: 4 sequences, 64 gates, 16 units; inputs of 16 each
LAYERS = kernels({
    "kind": KernelKind.RECURRENT, "m": 4, "n": 64, "k": 16, "groups": 20,
    "macs": 20 * 2 * 4 * 64 * 16,
})  # fmt: skip


def test_steps_follow_each_other_by_hand():
    # 20 steps of 3 us, and 20 x 4 x 64 x 16 multiply-accumulates of inputs at 2 flops / 1e9 a second
    inputs_s = 2 * 20 * 4 * 64 * 16 / 1e9
    taken = gpu_recurrent.all_steps_s(LAYERS, np.array([[3e-6]]), np.array([[1e9]]))
    assert taken.item() == pytest.approx(20 * 3e-6 + inputs_s)
    assert gpu_recurrent.starts_s(LAYERS, {"recurrent_step": 2e-6}).item() == pytest.approx(40e-6)
    # 19 times 64 x 16 weights of 2 bytes again, from a cache that answers 4 times as fast and holds all
    again = gpu_recurrent.weights_again_s(LAYERS, Cache(2.0, 1e12, 4.0), 1e9).item()
    assert again == pytest.approx(19 * 64 * 16 * 2 / 4 / 1e9)


def test_the_host_sends_two_kernels_a_step_of_each_configuration():
    assert host.calls(LAYERS, Stack.EAGER).item() == 40.0
    # a library's own launches: a compiled network's host takes no longer for them than eager's
    assert host.calls(LAYERS, Stack.COMPILED).item() * 23.6 == pytest.approx(40.0 * 13.7)
    # ten times the sequence costs the host ten times as much: a column each
    short, long = (
        session.project("lstm", {"sequence": steps, "hidden": 64}, stack="eager", batch=1,
                        hardware=["nvidia_h100_sxm"], keep=False).latency_s.item()
        for steps in (100, 1000)
    )  # fmt: skip
    assert long == pytest.approx(10 * short, rel=0.1)


@pytest.mark.parametrize("stack", ["eager", "compiled"])
def test_a_sweep_over_time_steps_gives_what_each_alone_gives(stack):
    # a column each: of few steps the host waits, of many the device, at two sizes of power limit
    device = ["nvidia_rtx_4090"]
    table = ch.sweep("lstm", hardware=device, stack=stack, hidden=256, sequence=[1, 16, 256],
                     batch=[1, 2048])  # fmt: skip
    assert len(table) == 6
    for row in table.to_dict("records"):
        alone = session.project("lstm", {"sequence": row["sequence"], "hidden": 256}, stack=stack,
                                batch=row["batch"], hardware=device, keep=False)  # fmt: skip
        assert row["latency_s"] == pytest.approx(alone["latency_s"].item()), row["sequence"]
        assert row["energy_j"] == pytest.approx(alone["energy_j"].item())


def test_our_h100s_lstms_lie_within_a_factor_of_two():
    # one number is of two of these rows (256 units, batch 1); before, steps ran all at once: 0.02 to 0.16
    table = pd.read_csv(data_directory() / "published" / "h100_operators.csv")
    device = hardware.load("nvidia_h100_sxm")
    known, half = (
        gpu_known.efficiencies(device, "eager"),
        gpu_kernels.Device.of(device, Precision.FP16),
    )
    ratios = []
    for row in table[table["operator"] == "lstm"].itertuples():
        size, steps = int(row.channels), int(row.q_len)
        asked = {"layers": 2, "hidden": size, "sequence": steps, "in_features": size}
        columns = session.columns(session.subject("lstm", asked, int(row.batch)), Stack.EAGER)
        launched, _ = columns.kernels.launched(Launching())
        own = launched.is_kind(KernelKind.RECURRENT)[:, 0]
        taken = gpu_kernels.kernel_times(launched, half, known).kernel_s[own].sum()
        ratios.append(taken / row.latency_s)
    assert len(ratios) == 8
    assert min(ratios) > 0.5
    assert max(ratios) < 1.2
