"""The settings that a method goes by, those of its stages among them, by name."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lst_tf2.adaptation.parts import StageConfig
from lst_tf2.adaptation.registry import read_settings, words_of
from lst_tf2.config import SelfTrainingConfig


def with_settings(stages: SelfTrainingConfig, values: Mapping[str, Any]) -> SelfTrainingConfig:
    """Returns `stages` with other values, of their own settings or of the method's.

    Raises:
        InputError: If values of the stages do not go together.
    """
    shared = {name: value for name, value in values.items() if hasattr(stages, name)}
    own = {name: str(value) for name, value in values.items() if name not in shared}
    words = tuple(f"{name}={word}" for name, word in (words_of(stages) | own).items())
    return dataclasses.replace(stages, **shared, method_settings=words)


def values_of(stages: SelfTrainingConfig) -> dict[str, Any]:
    """Returns the settings that the method goes by; of a factory that takes words, these.

    Raises:
        InputError: If the method cannot be had, or does not have the settings given.
    """
    settings = read_settings(stages)
    if not dataclasses.is_dataclass(settings):
        return dict(settings)
    own = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if f.init}
    # Whoever descends in stages can do so in more or fewer of them.
    return ({"num_stages": stages.num_stages} if isinstance(settings, StageConfig) else {}) | own


def search_space(stages: SelfTrainingConfig) -> dict[str, tuple]:
    """Returns what is worth trying of each setting, as `lst_tf2.settings.setting` was told.

    Raises:
        InputError: As `values_of` does.
    """
    settings = read_settings(stages)
    if not dataclasses.is_dataclass(settings):
        return {}
    fields = {f.name: f for f in (*dataclasses.fields(settings), *dataclasses.fields(stages))}
    about = {name: fields[name].metadata.get("setting") for name in values_of(stages)}
    return {name: one.search for name, one in about.items() if one and one.search}
