"""Arrays in files that are read back: written with a checksum, and read as from a stranger.

A `.npz` file ends with the SHA-256 of all that stands before it, as the comment of its zip
archive; NumPy reads it as any other.
"""

import hashlib
import io
import pathlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from lst_tf2.errors import DamagedFileError, InputError, MissingInputError
from lst_tf2.memory import check_memory
from lst_tf2.storage.files import write_bytes

MARK = b"sha256:"
SEAL_LENGTH = len(MARK) + 64
# What a zip archive without a comment ends with: this record, of so many bytes.
END_OF_ARCHIVE, END_LENGTH = b"PK\x05\x06", 22


def write_arrays(path: pathlib.Path, arrays: Mapping[str, Any], *, is_packed: bool = False) -> None:
    """Writes arrays by name, with a checksum, completely or not at all; `is_packed`: compressed."""
    buffer = io.BytesIO()
    (np.savez_compressed if is_packed else np.savez)(buffer, **arrays)
    write_bytes(path, seal(buffer.getvalue()))


def seal(archive: bytes) -> bytes:
    """Returns a zip archive without a comment, with its checksum as one."""
    content = archive[:-2] + struct.pack("<H", SEAL_LENGTH)
    return content + MARK + hashlib.sha256(content).hexdigest().encode()


def read_npz(path: pathlib.Path, what: str, remedy: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a `.npz` file by name.

    Args:
        path: The file; one without a checksum is taken as it is.
        what: What it should be.
        remedy: What a user can do about a damaged one.

    Raises:
        MissingInputError: If there is no such file.
        DamagedFileError: If it is damaged, or not of this kind.
        InputError: If it needs more memory than there is.
    """
    expected = f"{what} in {path}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MissingInputError(f"Expected {expected}, found no file; {remedy}.") from None
    try:
        _check_seal(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            check_memory(sum(info.file_size for info in file.zip.infolist()), expected, remedy)
            return {name: file[name] for name in file.files}
    except InputError:
        raise
    except Exception as error:  # What the parsers of hostile files raise is without end.
        raise DamagedFileError(
            f"Expected {expected}, received a damaged file ({error}); {remedy}."
        ) from None


def _check_seal(content: bytes) -> None:
    found = content[-SEAL_LENGTH:]
    if found.startswith(MARK):
        digest = hashlib.sha256(content[:-SEAL_LENGTH]).hexdigest().encode()
        is_whole = found == MARK + digest
    else:  # Of another program.
        end = content[-END_LENGTH:]
        is_whole = end.startswith(END_OF_ARCHIVE) and end.endswith(b"\0\0")
    if not is_whole:
        raise ValueError("its checksum is not that of its content")
