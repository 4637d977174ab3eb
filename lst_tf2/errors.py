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


class LostWorkerError(InputError):
    """Signals that another process of the same run is gone."""


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
