"""Errors that a user can mend, and the way a command reports them."""

import contextlib
import sys
from collections.abc import Iterator


class InputError(ValueError):
    """Signals input that a user can mend: a flag, a file, a folder.

    The message says what was expected, what was received and what to do. Commands
    print it as one line without a traceback; a plain `ValueError` stays a bug report.
    """


class MissingInputError(InputError, FileNotFoundError):
    """Signals a file or folder that is not there."""


@contextlib.contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Turns an `InputError` in the body into one line on stderr and exit status 1."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
