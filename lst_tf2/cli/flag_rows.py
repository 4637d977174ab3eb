"""Flags of absl for settings of `lst_tf2.settings`, and the settings that a user gave by them."""

import itertools
from collections.abc import Iterable
from typing import Any

from absl import flags

from lst_tf2.errors import check
from lst_tf2.settings import FlagRow, build, walk_flags

DEFINERS = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
}
KINDS = {float: "numbers", int: "whole numbers", str: "words"}


def rows_of(*classes: type) -> list[FlagRow]:
    """Returns the flags of `Settings` classes, each once: as the first that has it says."""
    found = itertools.chain.from_iterable(map(walk_flags, classes))
    return list({row.flag: row for _, row in reversed(list(found))}.values())[::-1]


def flags_by_setting(*classes: type) -> dict[str, str]:
    """Returns the flags that set each field, separated by spaces, by its name."""
    flags_of: dict[str, str] = {}
    for name, row in itertools.chain.from_iterable(map(walk_flags, classes)):
        flags_of[name] = f"{flags_of.get(name, '')} {row.flag}"
    return flags_of


def define_rows(rows: Iterable[FlagRow], values: flags.FlagValues) -> None:
    """Defines absl flags in `values`; a tuple becomes a comma-separated list."""
    for row in rows:
        define, default = DEFINERS[row.kind], row.default
        if isinstance(default, tuple):
            define, default = flags.DEFINE_list, [str(item) for item in default]
        define(row.flag, default, row.about, flag_values=values)


def given_values(rows: Iterable[FlagRow], values: flags.FlagValues) -> dict[str, Any]:
    """Returns the value of each of `rows` that is defined, lists as tuples of their type.

    Raises:
        InputError: If an item of a list is no number where numbers are asked for.
    """
    return {row.flag: _value_of(row, values) for row in rows if row.flag in values}


def build_from(cls: type, values: flags.FlagValues) -> Any:
    """Returns a `cls` of `lst_tf2.settings` as the flags say, those not given at their defaults.

    Raises:
        InputError: If a value is out of bounds.
    """
    return build(cls, given_values(rows_of(cls), values))


def _value_of(row: FlagRow, values: flags.FlagValues) -> Any:
    value = values[row.flag].value
    if not isinstance(row.default, tuple):
        return value
    try:
        return tuple(row.kind(word) for word in value)
    except ValueError:
        example = ",".join(map(str, row.default)) or "0,3"
        expected = f"{KINDS[row.kind]} for --{row.flag}"
        check(False, expected, ",".join(value), f"pass for example --{row.flag}={example}")
