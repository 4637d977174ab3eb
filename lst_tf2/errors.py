"""Errors that a user can fix, and checks that raise them."""

import math
from typing import Any


class InputError(ValueError):
    """Signals input that a user can fix: a flag, a file, a folder.

    The message says what was expected, what was received and what to do. Commands
    print it as one line without a traceback; a plain `ValueError` stays a bug report.

    `settings` are the fields of `lst_tf2.settings` that it is about, `flags` what sets them;
    `status` is what a command exits with.
    """

    status = 1
    settings: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def about(self, *settings: str) -> "InputError":
        """Notes which settings it is about, and returns itself."""
        self.settings = settings
        return self


class MissingInputError(InputError, FileNotFoundError):
    """Signals a file or folder that is not there."""


class DamagedFileError(InputError):
    """Signals a file that is not what was once written there."""


class LostWorkerError(InputError):
    """Signals that another process of the same run is gone; the run can go on."""

    status = 75  # EX_TEMPFAIL: not a mistake, to be tried again.


def check(condition: bool, expected: str, received: Any, remedy: str, *settings: str) -> None:
    """Raises `InputError` about `settings`, in three parts, unless `condition` holds."""
    if not condition:
        message = f"Expected {expected}, received {received}; {remedy}."
        raise InputError(message).about(*settings)


def check_at_least(bound: float, remedy: str, **values: float) -> None:
    """Raises `InputError` for the first of `values` that is not finite or below `bound`."""
    for name, value in values.items():
        is_valid = math.isfinite(value) and value >= bound
        told = remedy if value < bound else "give a number"
        check(is_valid, f"{name} of at least {bound}", value, told, name)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises `InputError` unless the setting `name` is one of `choices`."""
    expected = f"{name} to be one of {', '.join(choices)}"
    check(value in choices, expected, repr(value), "choose one", name)
