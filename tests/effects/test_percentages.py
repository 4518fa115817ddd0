"""A percentage becomes a count only where one whole number can have been meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igfmeta.effects.percentages import counts_from_percent
from igfmeta.errors import InputError


def _roundings(x, n, decimals):
    """Return what can be printed for 100 x / n: halves rounded up, down, or to even."""
    import decimal

    exact = decimal.Decimal(100 * x) / decimal.Decimal(n)
    unit = decimal.Decimal(1).scaleb(-decimals)
    modes = (decimal.ROUND_HALF_UP, decimal.ROUND_HALF_DOWN, decimal.ROUND_HALF_EVEN)
    return {float(exact.quantize(unit, rounding=mode)) for mode in modes}


@given(st.integers(1, 250), st.integers(0, 2), st.data())
def test_candidates_are_those_of_brute_force(n, decimals, data):
    percent = round(data.draw(st.floats(0, 100)), decimals)
    found = counts_from_percent([percent], [n], decimals=[decimals])
    expected = tuple(x for x in range(n + 1) if percent in _roundings(x, n, decimals))
    assert found.candidates[0] == expected
    assert (found.reason[0] is None) == (len(expected) == 1)


@given(st.integers(1, 99).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_count_of_fewer_than_100_comes_back_from_its_percentage(counts):
    x, n = counts
    assert counts_from_percent([round(100 * x / n, 2)], [n], decimals=[2]).counts[0] == x


def test_what_cannot_be_is_said():
    found = counts_from_percent([8.5, 1.0], [20, 400], decimals=[1, 0])
    assert found.reason == ("no whole number of 20 rounds to 8.5 %", "1 % of 400 can be 2 to 6")


def test_impossible_input_is_refused():
    with pytest.raises(InputError, match="a percentage from 0 to 100"):
        counts_from_percent([101.0], [20], decimals=[0])
    with pytest.raises(InputError, match="a whole number above 0"):
        counts_from_percent([10.0], [0], decimals=[0])
