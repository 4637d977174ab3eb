"""Reads `.npy` files that hold a pickled dict of arrays, without running anything.

A pickle is a program: it can name any function of any module and call it. This reader lets it
name only what NumPy puts into a pickled dict of arrays, and answers with stand-ins that record
shape, type and bytes; the arrays are built from these once they add up.
"""

import io
import math
import pathlib
import pickle
import types
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.errors import InputError, MissingInputError

# The largest file of the original has 32 MB; its backbone at four times the width, 512 MB.
MAX_FILE_BYTES = 1 << 30
NUMBER_KINDS = "fiu"


class UnsafePickleError(pickle.UnpicklingError):
    """Signals a pickle that asks for more than a dict of arrays needs."""


class _DType:
    """Stands in for `numpy.dtype`: records what the pickle says of it."""

    def __init__(self, description: Any, *_: Any):
        self.description, self.order = description, "="

    def __setstate__(self, state: tuple) -> None:
        self.order = _text(state[1])

    def resolve(self) -> np.dtype:
        """Returns the type; only numbers and object arrays are allowed."""
        dtype = np.dtype(_text(self.description))
        if dtype.kind not in NUMBER_KINDS + "O":
            raise UnsafePickleError(f"an array of type {dtype}")
        return dtype if self.order in ("|", "=") else dtype.newbyteorder(self.order)


class _Array:
    """Stands in for `numpy.ndarray`: records its state, checked when it is resolved."""

    def __init__(self):
        self.state: tuple | None = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def resolve(self) -> Any:
        """Returns the array, or what a zero-dimensional object array holds."""
        if self.state is None or len(self.state) != 5:
            raise UnsafePickleError("an array without its contents")
        _, shape, dtype, is_fortran, content = self.state
        if not isinstance(dtype, _DType) or not isinstance(shape, tuple):
            raise UnsafePickleError("an array of unknown type or shape")
        if not all(isinstance(side, int) and side >= 0 for side in shape):
            raise UnsafePickleError(f"an array of shape {shape}")
        if dtype.resolve().kind == "O":
            return _only_object(shape, content)
        return _numbers(shape, dtype.resolve(), is_fortran, content)


class _Class(NamedTuple):
    """Stands in for the name of a class that a pickle passes as an argument."""

    name: str


def _reconstruct(cls: Any, *_: Any) -> _Array:
    if cls != _Class("numpy.ndarray"):
        raise UnsafePickleError("an array of another class")
    return _Array()


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Does what Python 3 asks of `_codecs` when it writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnsafePickleError(f"text in the encoding {encoding!r}")
    return text.encode("latin1")


ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Class("numpy.ndarray"),
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
}


def _refuse(unpickler: Any) -> None:
    raise UnsafePickleError("an operation that a dict of arrays does not need")


# The Python implementation keeps its memo in a dict: the one in C makes room for whatever index
# a file names. It is as fast here, where the bulk of a file are a few long strings.
class _ArrayUnpickler(pickle._Unpickler):
    """Unpickles dicts, lists, tuples, text, numbers and the stand-ins above."""

    # `BYTEARRAY8` makes room for its declared length before it reads.
    dispatch = pickle._Unpickler.dispatch | {pickle.BYTEARRAY8[0]: _refuse}

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in for a name, or refuses it."""
        if (module, name) not in ALLOWED:
            raise UnsafePickleError(f"{module}.{name}")
        return ALLOWED[module, name]

    def get_extension(self, code: int) -> None:
        """Refuses registered extensions."""
        raise UnsafePickleError(f"extension {code}")


def _text(value: Any) -> str:
    """Returns a string that Python 2 may have written as bytes."""
    text = value.decode("latin1") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise UnsafePickleError(f"{type(value).__name__} in place of text")
    return text


def _only_object(shape: tuple, content: Any) -> Any:
    if shape != () or not isinstance(content, list) or len(content) != 1:
        raise UnsafePickleError(f"an object array of shape {shape}")
    return content[0]


def _numbers(shape: tuple, dtype: np.dtype, is_fortran: Any, content: Any) -> np.ndarray:
    content = content.encode("latin1") if isinstance(content, str) else content
    # Python integers do not overflow, whatever sides a file declares.
    wanted = math.prod(shape) * dtype.itemsize
    if not isinstance(content, bytes) or len(content) != wanted:
        size = len(content) if isinstance(content, bytes) else "no"
        raise UnsafePickleError(f"an array of {shape} {dtype} with {size} bytes, not {wanted}")
    order = "F" if is_fortran else "C"
    flat = np.frombuffer(content, dtype)
    return flat.reshape(shape, order=order).astype(dtype.newbyteorder("="))


def read_array_dict(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays that a `.npy` file of the original program holds, by name.

    Args:
        path: A file that `numpy.save` made of a dict of arrays, under Python 2 or 3.

    Raises:
        MissingInputError: If there is no such file.
        InputError: If it is something else, is damaged, or asks for anything that a dict
            of arrays does not need; nothing in it is run.
    """
    expected = f"a pickled dict of arrays in {path}, as the original program saves it"
    try:
        return _checked(_load(path))
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


def _load(path: pathlib.Path) -> Any:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{size} bytes, more than the {MAX_FILE_BYTES} that are read")
    file = io.BytesIO(path.read_bytes())
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"format version {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind != "O" or shape != ():
        raise ValueError(f"an array of {shape} {dtype}, not an object")
    loaded = _ArrayUnpickler(file, encoding="latin1").load()
    if not isinstance(loaded, _Array):
        raise UnsafePickleError(f"{type(loaded).__name__} in place of an array")
    return loaded.resolve()


def _checked(value: Any) -> dict[str, np.ndarray]:
    if not isinstance(value, dict):
        raise UnsafePickleError(f"{type(value).__name__} in place of a dict")
    arrays = {}
    for key, entry in value.items():
        name = _text(key)
        array = entry.resolve() if isinstance(entry, _Array) else None
        if not isinstance(array, np.ndarray):
            raise UnsafePickleError(f"{type(entry).__name__} in place of the array {name!r}")
        if array.dtype.kind != "f":
            raise ValueError(f"array {name!r} is of {array.dtype}, not of floats")
        if not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds values that are not finite")
        arrays[name] = array
    return arrays


class _Python2Pickler(pickle._Pickler):
    """Pickles arrays by the names that NumPy 1 under Python 2 knows."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012 - as in the base class

    def _save_builtin(self, function: Any) -> None:
        if function.__name__ != "_reconstruct":
            self.save_global(function)
            return
        self.write(pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n")
        self.memoize(function)

    dispatch[types.BuiltinFunctionType] = _save_builtin


def array_dict_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Returns the `.npy` file of a dict of arrays, as the original program loads it."""
    boxed = np.empty((), dtype=object)
    boxed[()] = dict(arrays)
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    _Python2Pickler(file, protocol=2).dump(boxed)
    return file.getvalue()
