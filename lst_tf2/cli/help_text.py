"""What `--help` and the reference of the flags say, made from the settings."""

import textwrap
from collections.abc import Iterable

from lst_tf2.config import DATA, EPISODE, METHOD, OPTIMIZATION, PRETRAINING, RUNNING
from lst_tf2.settings import FlagRow

HEADINGS = (DATA, EPISODE, METHOD, OPTIMIZATION, PRETRAINING, RUNNING)
WIDTH, COLUMN = 100, 32
FLAGFILE = "Flags can be kept in a file, one a line: --flagfile=<file>."


def sections(rows: Iterable[FlagRow]) -> dict[str, list[FlagRow]]:
    """Returns the flags under their headings, headings of one command alone after the others."""
    found: dict[str, list[FlagRow]] = {heading: [] for heading in HEADINGS}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return {heading: rows for heading, rows in found.items() if rows}


def help_text(usage: str, about: str, rows: Iterable[FlagRow]) -> str:
    """Returns what `--help` prints: usage, what the command does, flags with their defaults."""
    parts = [f"usage: {usage}", about.strip()]
    for heading, members in sections(rows).items():
        parts.append("\n".join([heading, *map(_entry, members)]))
    return "\n\n".join([*parts, FLAGFILE])


def shown_flag(row: FlagRow) -> str:
    """Returns a flag with its default, as a command line takes it."""
    if row.kind is bool:
        return f"--{row.flag}" if row.default else f"--[no]{row.flag}"
    value = "" if row.default is None else row.default
    return f"--{row.flag}={','.join(map(str, value)) if isinstance(value, tuple) else value}"


def reference_tables(rows: Iterable[FlagRow]) -> str:
    """Returns the flags as Markdown, a table for each heading."""
    tables = []
    for heading, members in sections(rows).items():
        cells = [
            (f"`{shown_flag(row)}`", row.about.replace("|", "\\|").replace("<", "&lt;"))
            for row in members
        ]
        lines = [f"| {flag} | {about} |" for flag, about in cells]
        header = [f"**{heading}**", "", "| flag and default | meaning |", "|---|---|"]
        tables.append("\n".join([*header, *lines]))
    return "\n\n".join(tables)


def _entry(row: FlagRow) -> str:
    flag = f"  {shown_flag(row)}"
    indent = " " * COLUMN
    lines = textwrap.wrap(
        row.about, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    if len(flag) > COLUMN - 2 or not lines:
        return "\n".join([flag, *lines])
    return "\n".join([flag.ljust(COLUMN) + lines[0].strip(), *lines[1:]])
