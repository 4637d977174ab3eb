"""Checks of values that a user gives; each failure says what to do."""

import math
from typing import Any

from lst_tf2.errors import InputError


def check(condition: bool, expected: str, received: Any, remedy: str) -> None:
    """Raises `InputError` with all three parts of a message unless `condition` holds."""
    if not condition:
        raise InputError(f"Expected {expected}, received {received}; {remedy}.")


def check_at_least(bound: float, remedy: str, **values: float) -> None:
    """Raises `InputError` for the first of `values` that is not finite or below `bound`."""
    for name, value in values.items():
        is_valid = math.isfinite(value) and value >= bound
        check(is_valid, f"{name} of at least {bound}", value, remedy)


def check_choice(flag: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises `InputError` unless `value` is one of `choices`."""
    check(
        value in choices, f"--{flag} to be one of {', '.join(choices)}", repr(value), "choose one"
    )


def check_seed(seed: int) -> None:
    """Raises `InputError` unless NumPy, Keras and TensorFlow all take `seed`."""
    check(0 <= seed < 2**31, "a seed of at least 0 and below 2^31", seed, "mend --seed")


def check_step_counts(inner_lr: float, retrain_steps: int) -> None:
    """Raises `InputError` for an inner loop that can not run."""
    check(
        math.isfinite(inner_lr) and inner_lr > 0,
        "a finite base_lr above 0",
        inner_lr,
        "raise --base_lr",
    )
    check_at_least(0, "raise --re_train_epoch_num", re_train_epoch_num=retrain_steps)
