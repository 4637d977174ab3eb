import numpy as np
import pytest

from lst_tf2.errors import InputError
from lst_tf2.evaluation.climb import climb, is_better

PRESENT = np.array([0.5, 0.6, 0.7, 0.8])


@pytest.mark.parametrize(
    ("gains", "min_gain", "expected"),
    [
        # Of [0, 0.2, 0, 0.2] the mean is 0.1, the deviation 0.1, half of the half-width
        # 0.5 * 1.96 * 0.1 / sqrt(4) = 0.049.
        ([0, 0.2, 0, 0.2], 0, True),
        ([0, 0.2, 0, 0.2], 0.09, True),
        ([0, 0.2, 0, 0.2], 0.1, False),
        # Mean 0.02, deviation sqrt(0.0104 - 0.0004) = 0.1: not above 0.049.
        ([0.12, -0.08, 0.12, -0.08], 0, False),
        ([0, 0, 0, 0], 0, False),
        ([-0.1, -0.1, -0.1, -0.1], 0, False),
    ],
)
def test_gain_has_to_exceed_half_of_its_interval(gains, min_gain, expected):
    assert is_better(PRESENT + gains, PRESENT, min_gain) is expected


class Slope:
    """Accuracy falls with the distance from `a=3, b=30`, and `b` counts from `a=2` on alone."""

    def __init__(self):
        self.seen = []

    def __call__(self, values):
        self.seen.append(dict(values))
        a, b = values["a"], values["b"]
        if a == 9:
            raise InputError("no 9")
        return PRESENT - 0.01 * abs(a - 3) - 0.001 * abs(b - 30) * (a >= 2)


SPACE = {"b": (10, 20, 30), "a": (1, 9, 2, 3)}


def test_search_goes_on_from_what_is_better_and_passes_over_what_cannot_be():
    slope = Slope()
    found = climb({"a": 0, "b": 10, "c": "x"}, SPACE, slope, passes=1, min_gain=0)
    # While a=0 all b are equal, so the first stays. Then a=1 gains 0.01; a=2 gains 0.01 and
    # loses 0.02 by b=10; a=3 gains 0.02 and loses as much, which is no gain.
    assert found == {"a": 1, "b": 10, "c": "x"}
    assert slope.seen[0] == {"a": 0, "b": 10, "c": "x"}
    assert [values["a"] for values in slope.seen[4:]] == [1, 9, 2, 3]


def test_passes_repeat_the_settings():
    space = {"b": (10, 20, 30), "a": (1, 2)}
    start = {"a": 0, "b": 25}
    # a=1 gains 0.01; a=2 another 0.01, less 0.005 by b=25. Then b=30 gains 0.005.
    assert climb(start, space, Slope(), passes=1, min_gain=0) == {"a": 2, "b": 25}
    assert climb(start, space, Slope(), passes=2, min_gain=0) == {"a": 2, "b": 30}
    assert climb(start, space, Slope(), passes=2, min_gain=0.006) == {"a": 1, "b": 25}


def test_start_that_cannot_be_is_told():
    with pytest.raises(InputError, match="no 9"):
        climb({"a": 9, "b": 1}, SPACE, Slope(), passes=1, min_gain=0)
