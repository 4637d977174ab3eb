"""The settings that `lst tune` chose for the methods of a run: `tuned.json` in its folder.

It holds an object for each method, the values by the names of the settings.
"""

import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from lst_tf2.adaptation.registry import words_of
from lst_tf2.adaptation.tunable import values_of, with_settings
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.errors import InputError, check
from lst_tf2.storage.files import read_json, write_json

FILE = "tuned.json"
REMEDY = "run `lst tune` again or remove the file"


def read_tuned(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Returns the chosen settings by method; none where nothing was tuned.

    Raises:
        InputError: If the file is damaged.
    """
    path = folder / FILE
    tuned = read_json(path) if path.exists() else {}
    for method, values in tuned.items():
        expected = f"settings by name for {method} in {path}"
        check(isinstance(values, dict), expected, repr(values), REMEDY)
    return tuned


def write_tuned(folder: pathlib.Path, method: str, values: Mapping[str, Any]) -> pathlib.Path:
    """Notes the chosen settings of a method, leaves those of others, and returns the path."""
    write_json(folder / FILE, read_tuned(folder) | {method: dict(values)}, sealed=True)
    return folder / FILE


def with_tuned(
    stages: SelfTrainingConfig, folder: pathlib.Path, given: Collection[str] = ()
) -> tuple[SelfTrainingConfig, dict[str, Any]]:
    """Returns `stages` with what was tuned for their method, where a user did not say otherwise.

    Args:
        stages: What counts without; words of `method_settings` are as given.
        folder: The run's.
        given: Names of other settings that a user gave.

    Returns:
        The stages, and the tuned values that they took over.

    Raises:
        InputError: If the file is damaged, or what it holds cannot be or not go with the rest.
    """
    return take_tuned(stages, read_tuned(folder), str(folder / FILE), given)


def take_tuned(
    stages: SelfTrainingConfig,
    tuned: Mapping[str, Mapping[str, Any]],
    where: str,
    given: Collection[str] = (),
) -> tuple[SelfTrainingConfig, dict[str, Any]]:
    """Returns what `with_tuned` does, of settings by method that are from `where`."""
    values = tuned.get(stages.method, {})
    if not values:
        return stages, {}
    _check_values(where, stages.method, values)
    fixed = {*given, *words_of(stages)}
    taken = {name: value for name, value in values.items() if name not in fixed}
    return with_settings(stages, taken), taken


def _check_values(where: str, method: str, tuned: Mapping[str, Any]) -> None:
    """Raises `InputError` unless the method can have these settings."""
    plain = SelfTrainingConfig(method=method)
    known, unknown = values_of(plain), []
    for name, value in tuned.items():
        is_number = isinstance(known.get(name), float) and type(value) in (int, float)
        if name not in known or not (is_number or type(value) is type(known[name])):
            unknown.append(f"{name}={value}")
    expected = f"settings of the method {method} ({', '.join(known)}) in {where}"
    check(not unknown, expected, ", ".join(unknown), REMEDY)
    try:
        values_of(with_settings(plain, tuned))
    except InputError as error:
        raise InputError(f"{error} That is in {where}; {REMEDY}.") from None
