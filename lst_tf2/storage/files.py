"""Files and folders that appear completely or not at all, and stay after a power cut.

What is being written lies beside its place as `.<name>.<random>.tmp`, held by a lock of the
system until it is complete: who finds one that nobody holds can remove it.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any, TextIO

from lst_tf2.errors import InputError, MissingInputError

try:
    import fcntl
except ImportError:  # Windows, where temporary files of killed runs stay.
    fcntl = None

SUFFIX = ".tmp"
CHECKSUM = "checksum"
# More files than these are not brought to disk one by one.
MANY_FILES = 100


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
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(SUFFIX, f".{path.name}.", path.parent)
        try:
            with os.fdopen(handle, mode, **options) as file:
                _hold(handle)
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.chmod(temporary, 0o644)  # mkstemp makes files that only the owner can read.
                os.replace(temporary, path)
            _sync(path.parent)
        except BaseException:
            pathlib.Path(temporary).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def naming(path: pathlib.Path) -> Iterator[None]:
    """Adds `path` to an error of the system that names no file, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: pathlib.Path, value: Any, *, sealed: bool = False) -> None:
    """Writes `value` as indented JSON, completely or not at all; `sealed`: with its checksum."""
    if sealed:
        value = {**value, CHECKSUM: _checksum(value)}
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def checksum_of(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checksum(value: dict) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_json(path: pathlib.Path, **types: type | tuple) -> dict[str, Any]:
    """Returns the object that the JSON file at `path` holds.

    Args:
        path: The file.
        **types: Keys that it must have, with the types of their values.

    Raises:
        MissingInputError: If there is no such file.
        InputError: If it is not JSON, lacks a key or has it with another type, or is not what its
            checksum says.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError(f"{type(value).__name__} in place of an object")
        if CHECKSUM in value and value.pop(CHECKSUM) != _checksum(value):
            raise ValueError(f"not as it was written; after a change by hand, drop {CHECKSUM!r}")
        for key, kind in types.items():
            if not isinstance(value.get(key), kind):
                raise ValueError(f"{key!r} is {value.get(key)!r}")
        return value
    except FileNotFoundError:
        raise MissingInputError(f"Expected a file {path}, found none.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"Expected JSON in {path}, received something else ({error}); restore or remove it."
        ) from None


@contextlib.contextmanager
def new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a temporary folder that becomes `path` when the body ends without an error.

    A folder that is there already then goes; whether it may is the business of the caller.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = pathlib.Path(tempfile.mkdtemp(SUFFIX, f".{path.name}.", path.parent))
        handle = os.open(temporary, os.O_RDONLY) if fcntl else None
        try:
            _hold(handle)
            yield temporary
            os.chmod(temporary, 0o755)
            place_folder(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            if fcntl:
                os.close(handle)


def place_folder(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a complete folder to `path`, its files on disk; what was there goes."""
    _sync_all(folder)
    if not (path.is_dir() and any(path.iterdir())):
        os.replace(folder, path)
    else:
        # Not named as what is removed: a kill between the two leaves the old folder here.
        with tempfile.TemporaryDirectory(".old", f".{path.name}.", path.parent) as aside:
            os.replace(path, os.path.join(aside, path.name))
            os.replace(folder, path)
    _sync(path.parent)


def remove_abandoned(folder: pathlib.Path) -> None:
    """Removes what killed processes were writing in `folder`; what is being written stays."""
    for path in folder.glob(f".*{SUFFIX}") if fcntl else ():
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(handle)


def _hold(handle: int | None) -> None:
    """Marks a temporary file or folder as being written, until its handle is closed."""
    if fcntl:
        with contextlib.suppress(OSError):  # A file system without locks.
            fcntl.flock(handle, fcntl.LOCK_EX)


def _sync(folder: pathlib.Path) -> None:
    """Brings the names in a folder to disk."""
    if fcntl:  # Elsewhere a folder cannot be opened.
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sync_all(folder: pathlib.Path) -> None:
    """Brings all files below a folder to disk."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    if len(paths) > MANY_FILES and hasattr(os, "sync"):
        os.sync()
        return
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    for path in (folder, *filter(pathlib.Path.is_dir, folder.rglob("*"))):
        _sync(path)
