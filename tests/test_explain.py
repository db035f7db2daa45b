"""What is said of one kernel: its formula with values, its time, what fusion left apart."""

import inspect

import pytest

from characterize import costs
from characterize.records import Cost, Gemm
from dashboard import anatomy, explain, queries
from dashboard.anatomy import PricedOperator
from dashboard.queries import Network


def priced(cost, output=(2, 3), name="aten.conv2d"):
    formula = inspect.getdoc(costs.formulas()[name].formula) or ""
    return PricedOperator(
        name, "m", (("input", (1, 2)),), (output,), (("stride", (1, 1)),), cost, formula
    )


def test_the_formula_is_shown_with_its_values():
    line = explain.values_line(priced(Cost(macs=24, gemm=Gemm(2, 3, 4))))
    assert line == "macs = m × n × k = 2 × 3 × 4 = 24"
    grouped = explain.values_line(priced(Cost(macs=120, gemm=Gemm(2, 3, 4, groups=5))))
    assert grouped == "macs = groups × m × n × k = 5 × 2 × 3 × 4 = 120"
    # attention has two products of one size
    twice = explain.values_line(priced(Cost(macs=48, gemm=Gemm(2, 3, 4))))
    assert twice.startswith("macs = 2 × m × n × k = 2 × 2 × 3 × 4 = 48")


def test_values_are_put_in_only_where_they_give_the_number():
    assert explain.values_line(priced(Cost(macs=25, gemm=Gemm(2, 3, 4)))) == "macs = 25"
    assert explain.values_line(priced(Cost(vector_flops=7))) == "vector_flops = 7"
    assert explain.values_line(priced(Cost(vector_flops=12))) == (
        "vector_flops = 2 × 6 elements of the output = 12"
    )


def test_an_operator_without_a_formula_says_so():
    assert "No cost formula" in explain.values_line(priced(Cost(counted=False)))


def test_a_formula_is_shown_without_its_example_and_its_stars_stay():
    text = explain.formula(priced(Cost()))
    assert "**Formula:**" in text
    assert "**Source:**" in text
    assert ">>>" not in text
    assert "B \\* prod(P)" in text


@pytest.mark.parametrize(
    ("moved", "on_chip", "said"),
    [
        (5e5, 8e12, "500 kB at 500 GB/s, 50% of the bandwidth"),
        # in a microsecond the memory moves 1 MB at most: 3 of 4 MB stay, at half of the chip's 8 TB/s
        (4e6, 8e12, "4 MB at 4 TB/s, more than the memory's 1 TB/s: at least 75 % of it stays on chip, "
                    "50% of the 8 TB/s there"),
        (4e6, None, "4 MB at 4 TB/s, more than the memory's 1 TB/s: at least 75 % of it stays on chip"),
    ],
)  # fmt: skip
def test_traffic_that_stays_on_the_chip_is_not_held_against_the_memory(moved, on_chip, said):
    kernel = {
        "flops": 0.0, "macs": 0.0, "worked_macs": 0.0, "memory_bytes": moved, "compute_s": 0.0,
        "memory_s": 1e-6, "overhead_s": 0.0, "latency_s": 1e-6,
    }  # fmt: skip
    assert explain.time_rows(kernel, 1e12, 1e12, on_chip)["What it is"][1] == said


# the library behind the view


def test_edges_lead_from_the_kernel_that_wrote_to_those_that_read():
    found = anatomy.anatomy(
        Network("unet", tuple(queries.families()["unet"].defaults.items())), "nvidia_t4"
    )
    assert all(first < last for first, last in found.edges)
    readers = {last for _, last in found.edges}
    assert readers == set(range(1, len(found.kernels["kernel"])))  # only the first reads the input
    joins = [i for i, name in enumerate(found.kernels["pattern"]) if name == "cat"]
    assert joins
    for join in joins:  # a skip and what comes from below
        assert sum(1 for _, last in found.edges if last == join) == 2


def test_nothing_fused_moves_the_most_bytes_in_the_most_kernels():
    network = Network("unet", tuple(queries.families()["unet"].defaults.items()))
    unfused, *stacks = anatomy.stacks(network, "nvidia_t4")
    assert unfused.stack == anatomy.UNFUSED
    assert [each.stack for each in stacks] == ["eager", "compiled", "engine"]
    assert all(each.kernels <= unfused.kernels for each in stacks)
    assert all(each.memory_bytes <= unfused.memory_bytes for each in stacks)
