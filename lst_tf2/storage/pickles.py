"""Reads pickles of arrays, text, numbers, lists and dicts, without running anything.

A pickle is a program: it can name any function of any module and call it. This reader lets it
name only what NumPy puts into pickled arrays, and answers with stand-ins that record shape, type
and bytes; the arrays are built from these once they add up. Nothing that a file declares makes
room for more than the file itself holds, and long contents are views of the file, not copies.
"""

import contextlib
import math
import mmap
import pathlib
import pickle
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.errors import InputError, MissingInputError

NUMBER_KINDS = "fiu"
# Shorter contents are copied: a view takes about as much room itself.
MIN_VIEW_BYTES = 1024


class UnsafePickleError(pickle.UnpicklingError):
    """Signals a pickle that asks for more than arrays need."""


class _DType:
    """Stands in for `numpy.dtype`: records what the pickle says of it."""

    def __init__(self, description: Any, *_: Any):
        self.description, self.order = description, "="

    def __setstate__(self, state: tuple) -> None:
        self.order = as_text(state[1])

    def resolve(self) -> np.dtype:
        """Returns the type; only numbers and object arrays are allowed."""
        dtype = np.dtype(as_text(self.description))
        if dtype.kind not in NUMBER_KINDS + "O":
            raise UnsafePickleError(f"an array of type {dtype}")
        return dtype if self.order in ("|", "=") else dtype.newbyteorder(self.order)


class PickledArray:
    """Stands in for `numpy.ndarray`: records its state, checked when it is resolved."""

    __slots__ = ("contents", "state")

    def __init__(self, state: tuple | None = None):
        self.state, self.contents = state, None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def resolve(self) -> Any:
        """Returns the array, read-only, or what a zero-dimensional object array holds."""
        if self.contents is None:  # A file may hold an array under any number of names.
            self.contents = _build_array(self.state)
        return self.contents


class _Class(NamedTuple):
    """Stands in for the name of a class that a pickle passes as an argument."""

    name: str


def _reconstruct(cls: Any, *_: Any) -> PickledArray:
    if cls != _Class("numpy.ndarray"):
        raise UnsafePickleError("an array of another class")
    return PickledArray()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any = "C") -> PickledArray:
    """Does what NumPy asks for from protocol 5 on."""
    return PickledArray((1, shape, dtype, order == "F", content))


ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy", "ndarray"): _Class("numpy.ndarray"),
    ("numpy", "dtype"): _DType,
}


class _Reader:
    """Reads a buffer as a file that gives what was asked for or fails."""

    def __init__(self, buffer: bytes | mmap.mmap, start: int):
        self.buffer, self.view, self.position = buffer, memoryview(buffer), start

    def read(self, count: int) -> bytes | memoryview:
        """Returns the next `count` bytes, long ones without a copy."""
        end = self.position + count
        if end > len(self.view):
            raise EOFError("it ends too early")
        piece = self.view[self.position : end]
        self.position = end
        return piece if count >= MIN_VIEW_BYTES else bytes(piece)

    def readline(self) -> bytes:
        """Returns what is left of the line."""
        end = self.buffer.find(b"\n", self.position) + 1
        return bytes(self.read((end or len(self.view)) - self.position))


# Python's own implementation keeps its memo in a dict; the one in C makes room for whatever
# index a file names.
class _ArrayUnpickler(pickle._Unpickler):
    """Unpickles dicts, lists, tuples, text, numbers and the stand-ins above."""

    def __init__(self, reader: _Reader):
        super().__init__(reader, encoding="bytes")
        self.encodable = len(reader.view)

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in for a name, or refuses it."""
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        if (module, name) not in ALLOWED:
            raise UnsafePickleError(f"{module}.{name}"[:100])
        return ALLOWED[module, name]

    def get_extension(self, code: int) -> None:
        """Refuses registered extensions."""
        raise UnsafePickleError(f"extension {code}")

    def _encode(self, text: Any, encoding: Any = "latin1") -> bytes:
        """Does what Python 3 asks of `_codecs` when it writes bytes for Python 2."""
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise UnsafePickleError(f"text in the encoding {str(encoding)[:20]!r}")
        self.encodable -= len(text)
        if self.encodable < 0:  # The same text over and over would fill the memory.
            raise UnsafePickleError("more text than it holds")
        return text.encode("latin1")

    def _load_build(self) -> None:
        state = self.stack.pop()
        # Else a pickle could set attributes of the functions above.
        if not isinstance(self.stack[-1], _DType | PickledArray):
            raise UnsafePickleError("an operation that arrays do not need")
        self.stack[-1].__setstate__(state)

    def _load_frame(self) -> None:
        # A frame only says what to read ahead, which would copy it.
        self.read(8)

    def _load_bytearray(self) -> None:
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    dispatch = pickle._Unpickler.dispatch | {
        pickle.BUILD[0]: _load_build,
        pickle.FRAME[0]: _load_frame,
        # The original makes room for the declared length before it reads.
        pickle.BYTEARRAY8[0]: _load_bytearray,
    }


def as_text(value: Any) -> str:
    """Returns a string that Python 2 may have written as bytes."""
    text = value.decode("latin1") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise UnsafePickleError(f"{type(value).__name__} in place of text")
    return text


def as_array(value: Any, name: str) -> np.ndarray:
    """Returns the array that an entry called `name` holds, read-only."""
    array = value.resolve() if isinstance(value, PickledArray) else None
    if not isinstance(array, np.ndarray):
        what = "another object" if isinstance(value, PickledArray) else type(value).__name__
        raise UnsafePickleError(f"{what} in place of the array {name!r}")
    return array


def _build_array(state: Any) -> Any:
    if not isinstance(state, tuple) or len(state) != 5:
        raise UnsafePickleError("an array without its contents")
    _, shape, dtype, is_fortran, content = state
    if not isinstance(dtype, _DType) or not isinstance(shape, tuple):
        raise UnsafePickleError("an array of unknown type or shape")
    if len(shape) > 32 or not all(isinstance(s, int) and 0 <= s < 1 << 63 for s in shape):
        raise UnsafePickleError("an array of a shape that no array has")
    if dtype.resolve().kind == "O":
        return _only_object(shape, content)
    return _numbers(shape, dtype.resolve(), is_fortran, content)


def _only_object(shape: tuple, content: Any) -> Any:
    if shape != () or not isinstance(content, list) or len(content) != 1:
        raise UnsafePickleError(f"an object array of shape {shape}")
    return content[0]


def _numbers(shape: tuple, dtype: np.dtype, is_fortran: Any, content: Any) -> np.ndarray:
    content = content.encode("latin1") if isinstance(content, str) else content
    # Python integers do not overflow, whatever sides a file declares.
    wanted = math.prod(shape) * dtype.itemsize
    if not isinstance(content, bytes | memoryview) or len(content) != wanted:
        size = len(content) if isinstance(content, bytes | memoryview) else "no"
        raise UnsafePickleError(f"an array of {shape} {dtype} with {size} bytes, not {wanted}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


def load_pickle(buffer: bytes | mmap.mmap, start: int = 0) -> Any:
    """Returns what a pickle holds, arrays as `PickledArray`; call it within `refuse_damage`."""
    return _ArrayUnpickler(_Reader(buffer, start)).load()


def load_dict(buffer: bytes | mmap.mmap) -> dict[str, Any]:
    """Returns the dict that a pickle holds by its keys, as `load_pickle` does."""
    value = load_pickle(buffer)
    if not isinstance(value, dict):
        raise UnsafePickleError(f"{type(value).__name__} in place of a dict")
    return {as_text(key): entry for key, entry in value.items()}


def map_file(path: pathlib.Path) -> mmap.mmap:
    """Returns the contents of a file, which stay on disk until they are looked at."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@contextlib.contextmanager
def refuse_damage(expected: str) -> Iterator[None]:
    """Turns whatever reading a pickle raises into an `InputError` of one line."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise MissingInputError(f"Expected {expected}, found no file; mend the path.") from None
    except UnsafePickleError as error:
        raise InputError(
            f"Expected {expected}, received one that asks for {error}; it was not run. "
            "Do not trust its source."
        ) from None
    except Exception as error:  # Damaged pickles fail in every way that there is.
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(
            f"Expected {expected}, received something else or a damaged file ({reason}); "
            "fetch it again."
        ) from None
