"""Tests of `storage/arrays.py`, `memory.py` and `errors.py`."""

import zipfile

import numpy as np
import pytest

from lst_tf2.errors import DamagedFileError, InputError, MissingInputError
from lst_tf2.memory import memory_limit
from lst_tf2.storage import arrays

NAMED = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["a", "b"])}


def read(path):
    return arrays.read_npz(path, "arrays", "restore it")


@pytest.mark.parametrize("is_packed", [False, True])
def test_arrays_come_back_and_numpy_reads_the_file(tmp_path, is_packed):
    path = tmp_path / "x.npz"
    arrays.write_arrays(path, NAMED, is_packed=is_packed)
    with np.load(path) as file:
        for found in (read(path), file):
            assert set(found) == set(NAMED)
            for name, value in NAMED.items():
                np.testing.assert_array_equal(found[name], value)


@pytest.mark.slow
@pytest.mark.parametrize("is_packed", [False, True])
def test_every_flipped_bit_is_noticed(tmp_path, is_packed):
    path = tmp_path / "x.npz"
    arrays.write_arrays(path, NAMED, is_packed=is_packed)
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=r"received a damaged file .*restore it"):
            read(path)


def test_every_cut_is_noticed(tmp_path):
    path = tmp_path / "x.npz"
    arrays.write_arrays(path, NAMED)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedFileError):
            read(path)


@pytest.mark.slow
def test_file_without_a_checksum_is_read_and_never_fails_otherwise_than_as_damaged(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, **NAMED)
    assert set(read(path)) == set(NAMED)
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = read(path)
        except DamagedFileError:
            continue
        for name in found.keys() & NAMED.keys():  # Where the bit says nothing, of a time or so.
            np.testing.assert_array_equal(found[name], NAMED[name])


def test_missing_file_and_one_of_objects_are_told(tmp_path):
    with pytest.raises(MissingInputError, match=r"x\.npz, found no file; restore it"):
        read(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", objects=np.array([{}]))
    with pytest.raises(DamagedFileError, match="allow_pickle"):
        read(tmp_path / "x.npz")


def test_archive_that_unpacks_to_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", bytes(10**6))
    monkeypatch.setattr("lst_tf2.memory.memory_limit", lambda: 10**5)
    with pytest.raises(InputError, match=r"at most the 0\.0001 GB of memory"):
        read(tmp_path / "bomb.npz")


def test_this_machine_has_memory():
    assert 10**8 < memory_limit() < 10**14
