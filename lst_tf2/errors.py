"""Errors that a user can mend, checks that raise them, and the way a command reports them."""

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import Any


class InputError(ValueError):
    """Signals input that a user can mend: a flag, a file, a folder.

    The message says what was expected, what was received and what to do. Commands
    print it as one line without a traceback; a plain `ValueError` stays a bug report.
    """


class MissingInputError(InputError, FileNotFoundError):
    """Signals a file or folder that is not there."""


class LostWorkerError(InputError):
    """Signals that another process of the same run is gone."""


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


@contextlib.contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Turns what a user can mend into one line on stderr and exit status 1.

    That is an `InputError`, and what the system refuses: a full disk, a folder without
    permission. An interrupt ends in one line too, with the conventional status 130.
    """
    try:
        yield
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(
            "Interrupted; nothing is half-written, and the same command can be given again.",
            file=sys.stderr,
        )
        sys.exit(130)
