"""From the name of a method to the method: ours, or any importable one."""

import dataclasses
import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lst_tf2.adaptation.method import Method
from lst_tf2.config import METHODS, InnerLoopConfig
from lst_tf2.errors import InputError, check

WORDS = {"true": True, "false": False}


def load_method(stages: InnerLoopConfig, learner) -> Method:
    """Returns the method that the settings name, made for a learner.

    Args:
        stages: `method` names a factory, one of `METHODS` or `package.module:factory`, and
            `method_settings` fill its settings. Settings of the same name as in `stages`, such
            as `inner_lr`, are taken from there.
        learner: Has the networks that a method may use.

    Raises:
        InputError: If there is no such factory, it has no such settings, or it does not return
            a method.
    """
    name = stages.method
    factory = _find(name)
    try:
        method = factory(_settings_of(name, factory, stages), learner)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"Expected the factory of the method {name} to return a Method, it raised "
            f"{type(error).__name__}: {error}; fix it."
        ).about("method") from error
    check(
        isinstance(method, Method),
        f"the factory of the method {name} to return a Method",
        type(method).__name__,
        "fix it",
        "method",
    )
    return dataclasses.replace(method, name=name)


def read_settings(stages: InnerLoopConfig) -> Any:
    """Returns what the factory of a method takes: an object of its settings, or a dict of words.

    Raises:
        InputError: As `load_method` does.
    """
    return _settings_of(stages.method, _find(stages.method), stages)


def words_of(stages: InnerLoopConfig) -> dict[str, str]:
    """Returns the settings of the method by name, as they were given."""
    return dict(word.split("=", 1) for word in stages.method_settings)


def _find(name: str) -> Callable:
    path = METHODS.get(name, name)
    module, _, attribute = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # Whatever the module does when it is imported.
        raise InputError(
            f"Expected the module {module} of the method {name}, importing it raised "
            f"{type(error).__name__}: {error}; install it, or run from the folder that holds it."
        ).about("method") from error
    expected = f"a function {attribute} in {module} for the method {name}"
    check(callable(factory), expected, type(factory).__name__, "name another", "method")
    return factory


def _settings_of(name: str, factory: Callable, stages: InnerLoopConfig) -> Any:
    """Returns what the factory takes: an object of its settings class, or a dict of words."""
    given = words_of(stages)
    cls = _settings_class(factory)
    if cls is None:
        return given
    fields = [field for field in dataclasses.fields(cls) if field.init]
    shared = {f.name: getattr(stages, f.name) for f in fields if hasattr(stages, f.name)}
    _check_keys(name, given, [field.name for field in fields if field.name not in shared])
    kinds = typing.get_type_hints(cls)
    return cls(**shared, **{key: _read(key, word, kinds[key]) for key, word in given.items()})


def _settings_class(factory: Callable) -> type | None:
    """Returns the dataclass that the first parameter of the factory is annotated with."""
    parameters = list(inspect.signature(factory).parameters)
    cls = typing.get_type_hints(factory).get(parameters[0]) if parameters else None
    return cls if dataclasses.is_dataclass(cls) else None


def _check_keys(name: str, given: Mapping[str, str], known: Sequence[str]) -> None:
    if unknown := [key for key in given if key not in known]:
        expected = f"settings of the method {name} ({', '.join(known) or 'it has none'})"
        check(False, expected, ", ".join(unknown), "name one of these", "method_settings")


def _read(key: str, word: str, kind: type) -> Any:
    """Returns the value of type `kind` that a word stands for."""
    try:
        return WORDS[word.lower()] if kind is bool else kind(word)
    except (ValueError, KeyError):
        expected = f"{key} as {kind.__name__}"
        check(False, expected, repr(word), "pass another value", "method_settings")
