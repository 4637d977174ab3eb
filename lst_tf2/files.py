"""Files that appear whole or not at all."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any, TextIO

from lst_tf2.errors import InputError, MissingInputError


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes `content` to a temporary sibling and renames it to `path`."""
    with _new_file(path, "wb") as file:
        file.write(content)


@contextlib.contextmanager
def new_text_file(path: pathlib.Path) -> Iterator[TextIO]:
    """Gives a temporary sibling to write into, that becomes `path` when the body ends well.

    Names of files that are no valid text are written as the bytes that they are.
    """
    with _new_file(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield file


@contextlib.contextmanager
def _new_file(path: pathlib.Path, mode: str, **options: str) -> Iterator[IO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files that only the owner can read.
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: pathlib.Path, **types: type | tuple) -> dict[str, Any]:
    """Returns the object that the JSON file at `path` holds.

    Args:
        path: The file.
        **types: Keys that it must have, with the types of their values.

    Raises:
        MissingInputError: If there is no such file.
        InputError: If it is not JSON, or lacks a key or has it with another type.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError(f"{type(value).__name__} in place of an object")
        for key, kind in types.items():
            if not isinstance(value.get(key), kind):
                raise ValueError(f"{key!r} is {value.get(key)!r}")
        return value
    except FileNotFoundError:
        raise MissingInputError(f"Expected a file {path}, found none.") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"Expected JSON in {path}, received something else ({error}); restore or remove it."
        ) from None


@contextlib.contextmanager
def new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a temporary folder that becomes `path` when the body ends without an error.

    A folder that is there already then goes; whether it may is the business of the caller.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        os.chmod(temporary, 0o755)
        if path.is_dir() and any(path.iterdir()):
            with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as aside:
                os.replace(path, os.path.join(aside, path.name))
                os.replace(temporary, path)
        else:
            os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
