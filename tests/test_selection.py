"""Rows selected by blocks: the same rows as a look at each of them finds, counted and in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from characterize.questions.selection import BLOCK, Column, Condition, Selection, count

LENGTHS = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7]


def bounded(column, limit):
    return column.condition(lambda numbers: numbers <= limit)


def agrees(selection, mask):
    """Whether a selection has the rows of a mask."""
    places = np.flatnonzero(mask)
    assert len(selection) == len(places)
    assert selection.at(np.arange(len(places))).tolist() == places.tolist()
    asked = np.arange(len(mask) + 1)
    assert selection.before(asked).tolist() == np.concatenate([[0], np.cumsum(mask)]).tolist()


@pytest.mark.parametrize("length", LENGTHS)
def test_without_a_condition_every_row_is_selected(length):
    agrees(Selection([], length), np.ones(length, dtype=bool))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("limit", [-1.0, 0.0, 300.0, np.inf])
def test_a_bound_on_sorted_rows_cuts_them_at_one_place(length, limit):
    numbers = np.arange(length, dtype=float)
    agrees(Selection([bounded(Column(numbers), limit)], length), numbers <= limit)


@given(
    length=some.integers(0, 4 * BLOCK + 3),
    seed=some.integers(0, 2**32 - 1),
    limits=some.lists(some.floats(-0.2, 1.2), max_size=3),
    missing=some.sampled_from([0.0, 0.001, 0.5, 1.0]),
    sort=some.booleans(),
)
def test_what_is_decided_by_block_is_what_every_row_says(length, seed, limits, missing, sort):
    random = np.random.default_rng(seed)
    mask, conditions = np.ones(length, dtype=bool), []
    for limit in limits:
        numbers = random.random(length)
        if sort:
            numbers.sort()
        numbers[random.random(length) < missing] = np.nan  # is within no bound
        mask &= numbers <= limit
        conditions.append(bounded(Column(numbers), limit))
    agrees(Selection(conditions, length), mask)


def test_a_condition_of_which_blocks_know_nothing_is_asked_of_every_row():
    length = 3 * BLOCK + 5
    odd = np.zeros(count(length) * BLOCK, dtype=bool)
    odd[1:length:2] = True
    rows = odd.reshape(-1, BLOCK)
    blocks = len(rows)
    condition = Condition(
        np.zeros(blocks, dtype=bool), np.ones(blocks, dtype=bool), rows.__getitem__
    )
    numbers = np.arange(length, dtype=float)
    both = Selection([condition, bounded(Column(numbers), 400.0)], length)
    agrees(both, odd[:length] & (numbers <= 400.0))


def test_only_blocks_that_are_not_decided_are_looked_at():
    numbers = np.arange(10 * BLOCK, dtype=float)
    looked_at = []

    def met(values):
        looked_at.append(np.size(values))
        return values <= 4.5 * BLOCK

    selection = Selection([Column(numbers).condition(met)], len(numbers))
    assert len(selection) == 4.5 * BLOCK + 1
    # the least and the largest of ten blocks, and the rows of the fifth
    assert looked_at == [10, 10, BLOCK]
