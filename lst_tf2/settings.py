"""Settings: fields of frozen dataclasses that carry all there is to say about them.

A field made by `setting` knows its default, its bounds and what command lines call it; what it
means stands in the docstring of its class, below `Attributes:`. One made by `part` holds a
dataclass of further settings. Checks, flags, their help and their reference are made from these.
"""

import contextlib
import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from lst_tf2.errors import InputError, check, check_at_least, check_choice

# Of whole numbers that have no closer bound.
MOST = 2**31 - 1
# What NumPy, Keras and TensorFlow all take as a seed.
SEEDS = {"at_least": 0, "at_most": MOST}
# Sides of images in pixels.
SIDES = {"at_least": 8, "at_most": 4096}
NOTHING: Mapping[str, Any] = {}


@dataclasses.dataclass(frozen=True)
class Setting:
    """Says what a field may be and which flag sets it ("": none)."""

    flag: str
    group: str
    kind: type | None
    at_least: float | None
    above: float | None
    at_most: float | None
    choices: tuple[str, ...]
    search: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Part:
    """Says by which flags the settings of a part go, and what they mean there.

    Flag and meaning by the name of the field; where a meaning is "", the field's own stands.
    """

    flags: Mapping[str, tuple[str, str]]
    group: str


@dataclasses.dataclass(frozen=True)
class FlagRow:
    """Holds one flag of a command: its default, its help, and the heading that it stands under.

    `kind` is the type of its value, or of the items of a tuple.
    """

    flag: str
    default: Any
    about: str
    group: str
    kind: type


def setting(  # noqa: PLR0913 - each says one thing about a field
    default: Any,
    *,
    flag: str = "",
    group: str = "",
    kind: type | None = None,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    choices: tuple[str, ...] = (),
    search: tuple[Any, ...] = (),
) -> Any:
    """Returns a field of a `Settings` class.

    Args:
        default: A tuple is a comma-separated list.
        flag: What command lines call it; "" where they cannot set it.
        group: Heading in the help; by default that of the class.
        kind: Type of the value, or of the items of a tuple, where the default does not tell.
        at_least: Bound of a number, which has to be finite.
        above: The same, excluded.
        at_most: Bound of a number from above.
        choices: What a text may be.
        search: What `lst tune` tries; nothing: it leaves the setting alone.
    """
    told = Setting(flag, group, kind, at_least, above, at_most, choices, search)
    return dataclasses.field(default=default, metadata={"setting": told})


def part(default: Any, *, group: str = "", **flags: str | tuple[str, str]) -> Any:
    """Returns a field that holds further settings, by default `default`.

    Args:
        default: A `Settings` object; the defaults of the flags are its values.
        group: Heading of all its flags in the help, in place of their own.
        **flags: Flag, or flag and meaning, of each setting that has not its own here, by the
            name of the field.
    """
    told = {name: (flag, "") if isinstance(flag, str) else flag for name, flag in flags.items()}
    return dataclasses.field(default=default, metadata={"part": Part(told, group)})


class Settings:
    """Checks the bounds of its fields, then what `check` asks for.

    Raises:
        InputError: If a value is out of bounds, with the names of the fields concerned.
    """

    group: ClassVar[str] = ""

    def __init_subclass__(cls, group: str | None = None, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.group = cls.group if group is None else group

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if "setting" in field.metadata:
                check_bounds(field.name, getattr(self, field.name), field.metadata["setting"])
        self.check()

    def check(self) -> None:
        """Raises `InputError` where values that are each in bounds do not go together."""


def check_bounds(name: str, value: Any, bounds: Setting) -> None:
    """Raises `InputError` unless `value` may be that of the field `name`; None always may."""
    if value is None:
        return
    if bounds.choices:
        check_choice(name, value, bounds.choices)
    if bounds.at_least is not None:
        check_at_least(bounds.at_least, "raise it", **{name: value})
    if bounds.above is not None:
        is_valid = math.isfinite(value) and value > bounds.above
        remedy = "raise it" if value <= bounds.above else "give a number"
        check(is_valid, f"a finite {name} above {bounds.above}", value, remedy, name)
    most = MOST if bounds.at_most is None and isinstance(value, int) else bounds.at_most
    if most is not None:
        check(value <= most, f"{name} of at most {most}", value, "lower it", name)


def walk_flags(
    cls: type,
    default: Any = None,
    flags: Mapping[str, tuple[str, str]] = NOTHING,
    group: str = "",
) -> Iterator[tuple[str, FlagRow]]:
    """Yields each setting of `cls` that has a flag: the name of its field, and the flag.

    Args:
        cls: A `Settings` class.
        default: Object of it whose values are the defaults; by default those of the fields.
        flags: Those of a `Part`, in place of those that the fields name.
        group: Heading in place of their own.
    """
    for field in dataclasses.fields(cls):
        value = field.default if default is None else getattr(default, field.name)
        inner, own = (field.metadata.get(kind) for kind in ("part", "setting"))
        if inner:
            yield from walk_flags(type(value), value, inner.flags, inner.group or group)
        elif own:
            flag, about = flags.get(field.name, (own.flag, ""))
            heading, kind = group or own.group or cls.group, own.kind or _kind_of(value)
            if flag:
                about = about or meanings(cls).get(field.name, "")
                yield field.name, FlagRow(flag, value, about, heading, kind)


def flag_values(
    settings: Any, flags: Mapping[str, tuple[str, str]] = NOTHING, prefix: str = ""
) -> dict[str, bool | int | float | str]:
    """Returns all values of settings, each by the flag that sets it, else by its dotted name.

    Lists are as command lines take them; where a flag sets several values, the first counts.

    Args:
        settings: A dataclass, parts of which may be `Settings`.
        flags: As in `walk_flags`.
        prefix: Of dotted names.
    """
    found: dict[str, bool | int | float | str] = {}
    for field in dataclasses.fields(settings):
        value, name = getattr(settings, field.name), f"{prefix}{field.name}"
        inner, own = (field.metadata.get(kind) for kind in ("part", "setting"))
        if dataclasses.is_dataclass(value):
            found = flag_values(value, inner.flags if inner else NOTHING, f"{name}.") | found
            continue
        flag, _ = flags.get(field.name, (own.flag if own else "", ""))
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        found.setdefault(flag or name, shown if isinstance(shown, int | float) else str(shown))
    return found


@functools.cache
def meanings(cls: type) -> Mapping[str, str]:
    """Returns what the docstrings of a class and its bases say of each attribute, by its name."""
    found = {}
    for base in reversed(cls.__mro__):
        _, _, section = inspect.cleandoc(base.__doc__ or "").partition("\nAttributes:\n")
        for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
            found[name] = " ".join(text.split())
    return found


def _kind_of(value: Any) -> type:
    return type(next(iter(value), "")) if isinstance(value, tuple) else type(value)


def build(
    cls: type,
    values: Mapping[str, Any],
    given: Mapping[str, Any] = NOTHING,
    *,
    default: Any = None,
    flags: Mapping[str, tuple[str, str]] = NOTHING,
) -> Any:
    """Returns a `cls` of the values that a command line gives.

    Args:
        cls: A `Settings` class.
        values: Value by flag; where there is none the default stays.
        given: What does not come from a flag as it is, by the name of the field; a mapping
            for a part.
        default: As in `walk_flags`.
        flags: As in `walk_flags`.

    Raises:
        InputError: If a value is out of bounds; it knows the flags concerned.
    """
    arguments, own_flags = {}, {}
    for field in dataclasses.fields(cls):
        name = field.name
        value = field.default if default is None else getattr(default, name)
        own = field.metadata.get("setting")
        if own:
            own_flags[name], _ = flags.get(name, (own.flag, ""))
            value = values.get(own_flags[name], value)
        inner, told = field.metadata.get("part"), given.get(name, NOTHING)
        if inner and isinstance(told, Mapping):
            value = build(type(value), values, told, default=value, flags=inner.flags)
        elif name in given:
            value = told
        arguments[name] = value
    with name_flags(own_flags):
        return cls(**arguments)


@contextlib.contextmanager
def name_flags(flags: Mapping[str, str]) -> Iterator[None]:
    """Adds to an `InputError` of the body which flags set what it is about.

    Args:
        flags: By the name of the field; several are separated by spaces.
    """
    try:
        yield
    except InputError as error:
        named = " ".join(flags[name] for name in error.settings if name in flags)
        error.flags = error.flags or tuple(dict.fromkeys(named.split()))
        raise
