"""Reads pickles of arrays, text, numbers, lists and dicts, without running anything.

A pickle is a program. Python's `pickletools` takes it apart; what stands here follows the few
operations that arrays need, and refuses all others. A name that a pickle looks up is only ever
compared, never imported. Nothing that a file declares makes room for more than the file itself
holds, and long contents become views of the file; each is copied while it is passed, no longer.
`pickle.Unpickler` with a `find_class` of its own would be shorter, but copies all contents at once,
and computes for hours where a dict has tuples of tuples of tuples as keys.
"""

import contextlib
import io
import math
import mmap
import pathlib
import pickle
import pickletools
from collections.abc import Callable, Iterator
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
    "numpy.core.multiarray _reconstruct": _reconstruct,
    "numpy._core.multiarray _reconstruct": _reconstruct,
    "numpy.core.numeric _frombuffer": _from_buffer,
    "numpy._core.numeric _frombuffer": _from_buffer,
    "numpy ndarray": _Class("numpy.ndarray"),
    "numpy dtype": _DType,
}


class _Machine:
    """Follows the operations of a pickle; values are plain ones and the stand-ins above."""

    def __init__(self, view: memoryview):
        self.view, self.encodable = view, len(view)
        self.stack: list[Any] = []
        self.below_marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any, end: int) -> None:
        """Does one operation, whose argument ends at byte `end`; or refuses it."""
        after = opcode.stack_after
        if opcode.arg and after and after != [pickletools.anyobject]:  # A value of a plain type.
            self.push(self._content(argument, end, after == [pickletools.pybytes_or_str]))
        elif opcode.name in OPERATIONS:
            OPERATIONS[opcode.name](self, argument)
        else:
            raise UnsafePickleError(f"{opcode.name} {argument}"[:100])

    def _content(self, argument: Any, end: int, is_python_2: bool) -> Any:
        if not is_python_2 and not isinstance(argument, bytes | bytearray):
            return argument
        if len(argument) >= MIN_VIEW_BYTES:
            return self.view[end - len(argument) : end]
        return argument.encode("latin1") if is_python_2 else bytes(argument)

    def push(self, value: Any) -> None:
        """Puts a value on the stack."""
        self.stack.append(value)

    def pop(self, count: int) -> list[Any]:
        """Takes `count` values off the stack."""
        if count > len(self.stack):
            raise ValueError("a value is missing")
        start = len(self.stack) - count
        values, self.stack[start:] = self.stack[start:], []
        return values

    def mark(self) -> None:
        """Begins a list of values."""
        self.below_marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        """Takes that list off the stack."""
        values, self.stack = self.stack, self.below_marks.pop()
        return values

    def top(self, kind: Any) -> Any:
        """Returns the value on top, which has to be of this kind."""
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise UnsafePickleError("an operation that arrays do not need")
        return self.stack[-1]

    def extend(self, values: list[Any]) -> None:
        """Adds values to the list on top."""
        self.top(list).extend(values)

    def update(self, values: list[Any]) -> None:
        """Adds keys and what they stand for, by turns, to the dict on top."""
        keys, entries = values[::2], values[1::2]
        # Tuples in tuples would take without end to hash.
        if not all(isinstance(key, str | bytes | int) for key in keys):
            raise UnsafePickleError("a dict by other keys than names and numbers")
        self.top(dict).update(zip(keys, entries, strict=True))

    def push_dict(self, values: list[Any]) -> None:
        """Puts a dict on the stack, of keys and what they stand for."""
        self.push({})
        self.update(values)

    def look_up(self, name: str) -> None:
        """Pushes the stand-in for `<module> <name>`, or refuses it."""
        if name == "_codecs encode":
            self.push(self._encode)
        elif name in ALLOWED:
            self.push(ALLOWED[name])
        else:
            raise UnsafePickleError(name.replace(" ", ".")[:100])

    def call(self, function: Any, arguments: Any) -> None:
        """Pushes what a stand-in returns."""
        if not callable(function) or not isinstance(arguments, tuple):
            raise UnsafePickleError("an operation that arrays do not need")
        self.push(function(*arguments))

    def set_state(self, state: Any) -> None:
        """Tells the stand-in on top its state."""
        self.top(_DType | PickledArray).__setstate__(state)

    def _encode(self, text: Any, encoding: Any = "latin1") -> bytes:
        """Does what Python 3 asks of `_codecs` when it writes bytes for Python 2."""
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise UnsafePickleError(f"text in the encoding {str(encoding)[:20]!r}")
        self.encodable -= len(text)
        if self.encodable < 0:  # The same text over and over would fill the memory.
            raise UnsafePickleError("more text than it holds")
        return text.encode("latin1")

    def remember(self, index: int | None) -> None:
        """Keeps the value on top under a number, by default the next one."""
        self.memo[len(self.memo) if index is None else index] = self.top(object)


# By their names in `pickletools`.
OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,  # It only says what to read ahead.
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "MARK": lambda machine, _: machine.mark(),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop(3))),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "DICT": lambda machine, _: machine.push_dict(machine.since_mark()),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
    "GLOBAL": lambda machine, name: machine.look_up(name),
    "STACK_GLOBAL": lambda machine, _: machine.look_up(" ".join(machine.pop(2))),
    "REDUCE": lambda machine, _: machine.call(*machine.pop(2)),
    "BUILD": lambda machine, _: machine.set_state(*machine.pop(1)),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda machine, i: machine.push(machine.memo[i])
    ),
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
    stream = io.BytesIO(buffer) if isinstance(buffer, bytes) else buffer
    stream.seek(start)
    machine = _Machine(memoryview(buffer))
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name == "STOP":
            break
        machine.follow(opcode, argument, stream.tell())
    (value,) = machine.stack
    return value


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
        raise MissingInputError(f"Expected {expected}, found no file; fix the path.") from None
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
