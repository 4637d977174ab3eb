"""A search for better settings, one at a time, on the same episodes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lst_tf2.errors import InputError
from lst_tf2.evaluation.statistics import estimate

Values = dict[str, Any]
# From settings by name to the accuracies `[E]` of the same episodes each time.
Evaluate = Callable[[Values], np.ndarray]
# Of the 95 % interval of a gain, what the gain has to exceed: about its standard error.
INTERVAL_SHARE = 0.5


def is_better(found: np.ndarray, present: np.ndarray, min_gain: float) -> bool:
    """Returns whether the mean gain, episode by episode, is worth another value.

    It has to exceed `min_gain`, and half of the half-width of its 95 % interval.
    """
    gain = estimate(found - present)
    return gain["mean"] > max(min_gain, INTERVAL_SHARE * gain["ci95"])


def climb(
    start: Values,
    space: Mapping[str, tuple],
    evaluate: Evaluate,
    *,
    passes: int,
    min_gain: float,
) -> Values:
    """Tries all values of each setting in turn, and goes on from each that is better.

    Args:
        start: The present settings.
        space: What to try of each setting.
        evaluate: Raises `InputError` for settings that cannot be; these are passed over.
        passes: How often to go through all settings.
        min_gain: In 0..1, as for `is_better`.

    Returns:
        The settings, each the start's or one of `space`.

    Raises:
        InputError: If the start cannot be.
    """
    best, best_found = dict(start), evaluate(start)
    tries = [(name, value) for name, values in space.items() for value in values]
    for name, value in tries * passes:
        tried = best | {name: value}
        try:
            found = evaluate(tried)
        except InputError:
            continue
        if is_better(found, best_found, min_gain):
            best, best_found = tried, found
    return best
