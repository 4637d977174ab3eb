"""What all commands share: flags made from settings, their help, mistakes told in one line."""

import contextlib
import dataclasses
import difflib
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from absl import flags

from lst_tf2.cli.flag_rows import define_rows, flags_by_setting, rows_of
from lst_tf2.cli.help_text import help_text
from lst_tf2.errors import InputError, check
from lst_tf2.settings import FlagRow, name_flags
from lst_tf2.stopping import ending_on_signals

INTERRUPTED = "Interrupted; nothing is half-written, and the same command can be given again."
HELP_WORDS = {"--help", "-help", "-h"}


@dataclasses.dataclass(frozen=True)
class Command:
    """Describes one command.

    `name` is what a user types, `about` what `--help` says, of which the first line stands in the
    list of commands. `body` gets the values of the flags, and the words beside them: one of
    `choices`, where there are any, else one or more of what `words` names (in brackets: or none),
    else none. The flags are those of the classes `settings`; those of `accepted` that have a
    heading are shown last.
    """

    name: str
    about: str
    body: Callable[[flags.FlagValues, Sequence[str]], None]
    settings: tuple[type, ...] = ()
    accepted: tuple[FlagRow, ...] = ()
    words: str = ""
    choices: tuple[str, ...] = ()

    @property
    def rows(self) -> list[FlagRow]:
        """The flags of its settings."""
        return rows_of(*self.settings)

    @property
    def shown_rows(self) -> list[FlagRow]:
        """The flags that `--help` shows."""
        return self.rows + [row for row in self.accepted if row.group]

    @property
    def usage(self) -> str:
        """How to call it."""
        words = "|".join(self.choices) or self.words
        return " ".join(filter(None, [self.name, words, self.rows and "[--flag=value ...]"]))


def run(command: Command, arguments: Sequence[str]) -> None:
    """Does what a command line asks for, or prints what the command can do."""
    with exit_on_input_error(), name_flags(flags_by_setting(*command.settings)):
        if HELP_WORDS.intersection(arguments):
            print(help_text(command.usage, command.about, command.shown_rows), flush=True)
        else:
            command.body(*parse(command, arguments))


def parse(command: Command, arguments: Sequence[str]) -> tuple[flags.FlagValues, list[str]]:
    """Returns the values of the flags, and the words beside them.

    Raises:
        InputError: If they are not what the command takes.
    """
    values, more = flags.FlagValues(), f"`{command.name} --help` lists them"
    define_rows([*command.rows, *command.accepted], values)
    try:
        _, *words = values([command.name, *arguments])
    except flags.UnrecognizedFlagError as error:
        near = difflib.get_close_matches(error.flagname, [row.flag for row in command.rows])
        meant = f"did you mean --{' or --'.join(near)}? " if near else ""
        expected = f"flags of `{command.name}`"
        check(False, expected, f"--{error.flagname}", f"{meant}{more}")
    except flags.Error as error:
        check(False, "values that the flags take", str(error).removesuffix("."), more)
    check_words(command, words)
    return values, words


def check_words(command: Command, words: Sequence[str]) -> None:
    """Raises `InputError` for words beside the flags that the command does not take."""
    received = " ".join(words) or "nothing"
    if command.choices:
        is_one = len(words) == 1 and words[0] in command.choices
        expected = f"one of {', '.join(command.choices)}"
    elif command.words:
        is_one, expected = bool(words) or command.words.startswith("["), command.words
    else:
        is_one, expected = not words, "flags only"
    check(is_one, expected, received, f"`{command.name} --help` tells more")


def repeat_flags(values: flags.FlagValues, names: Iterable[str]) -> str:
    """Returns those of `names` that are not at their defaults, as the next command takes them."""
    given = [values[name] for name in names if values[name].value != values[name].default]
    return " ".join(shlex.quote(flag.serialize()) for flag in given)


@contextlib.contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Turns what a user can fix into one line on stderr and exit status 1 (75: try again).

    That is an `InputError`, and what the system refuses: a full disk, a folder without
    permission. A signal ends in one line too, with the conventional status 130 or 143.
    """
    try:
        with ending_on_signals():
            yield
    except BrokenPipeError:  # Whoever reads, such as `head`, has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (InputError, OSError) as error:
        print(f"error: {_told(error)}", file=sys.stderr)
        sys.exit(getattr(error, "status", 1))
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or INTERRUPTED, file=sys.stderr)
        sys.exit(getattr(interrupt, "status", 128 + signal.SIGINT))


def _told(error: InputError | OSError) -> str:
    """Returns what a user has to know of an error, in a line."""
    if not isinstance(error, InputError):
        place = f" {error.filename}" if error.filename else ""
        return (
            f"Expected the system to read or write{place}, received: {error.strerror or error}; "
            "fix that and give the same command again."
        )
    named = ", ".join(f"--{flag}" for flag in error.flags)
    return f"{str(error).removesuffix('.')} ({named})." if named else str(error)
