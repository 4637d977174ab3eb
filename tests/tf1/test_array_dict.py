"""Hostile and broken files: each refused in one line, none runs anything."""

import builtins
import io
import os
import pickle
import struct

import numpy as np
import pytest

from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.tf1.array_dict import array_dict_bytes, read_array_dict
from tests.golden import py2npy

ARRAYS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)}


def npy(payload, description="|O", shape=()):
    """A `.npy` file with any payload behind its header."""
    file = io.BytesIO()
    header = {"descr": description, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + payload


def boxed_object(value):
    """An array of one object, of no dimension."""
    box = np.empty((), dtype=object)
    box[()] = value
    return box


def boxed(value):
    """A `.npy` file of one object, as `numpy.save` under Python 3 writes it."""
    return npy(pickle.dumps(boxed_object(value), protocol=2))


class Caller:
    """Pickles into a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def test_python_2_and_3_files_are_read(tmp_path):
    py2npy.save_py2(tmp_path / "two.npy", ARRAYS)
    (tmp_path / "three.npy").write_bytes(boxed(ARRAYS))
    (tmp_path / "ours.npy").write_bytes(array_dict_bytes(ARRAYS))
    for name in ("two", "three", "ours"):
        arrays = read_array_dict(tmp_path / f"{name}.npy")
        assert list(arrays) == ["w", "b"]
        for key, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[key], array)
            assert arrays[key].dtype == np.float32


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_read(protocol, tmp_path):
    box = np.empty((), dtype=object)
    box[()] = ARRAYS | {"long": np.arange(9000, dtype=np.float32)}
    (tmp_path / "x.npy").write_bytes(npy(pickle.dumps(box, protocol)))
    found = read_array_dict(tmp_path / "x.npy")
    for name, array in box[()].items():
        np.testing.assert_array_equal(found[name], array)


def test_our_files_name_nothing_that_is_newer_than_python_2(tmp_path):
    content = array_dict_bytes(ARRAYS)
    assert b"numpy._core" not in content
    assert content.split(b"\n", 1)[1][:2] == pickle.PROTO + b"\x02"


def test_big_endian_and_fortran_arrays_are_read(tmp_path):
    arrays = {"w": np.asfortranarray(ARRAYS["w"]), "b": ARRAYS["b"].astype(">f4")}
    (tmp_path / "x.npy").write_bytes(boxed(arrays))
    found = read_array_dict(tmp_path / "x.npy")
    np.testing.assert_array_equal(found["w"], ARRAYS["w"])
    np.testing.assert_array_equal(found["b"], ARRAYS["b"])


def huge_shape():
    content = array_dict_bytes({"w": np.zeros((7, 11), np.float32)})
    return content.replace(b"K\x07K\x0b\x86", b"J\xff\xff\xff\x7fK\x0b\x86")


HOSTILE = {
    "calls a function": (lambda: boxed(Caller(os.system, "touch /tmp/owned")), "posix.system"),
    "calls inside the dict": (lambda: boxed({"w": Caller(builtins.eval, "1")}), "eval"),
    "calls by name": (lambda: npy(b"csubprocess\nPopen\n(S'x'\ntR."), "subprocess.Popen"),
    "imports attributes": (lambda: npy(b"\x80\x04\x8c\x02os\x8c\x06system\x93."), "os.system"),
    "old-style instance": (lambda: npy(b"(S'x'\nios\nsystem\n."), "INST os system"),
    "extension": (lambda: npy(b"\x80\x02\x82\x01."), "EXT1 1"),
    "persistent id": (lambda: npy(b"Px\n."), "PERSID x"),
    "other codec": (
        lambda: npy(b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00zlbtR."),
        "zlb",
    ),
    "numpy function": (lambda: npy(b"cnumpy\nload\n(S'x'\ntR."), "numpy.load"),
    "declares 2^60 bytes": (
        lambda: npy(b"\x80\x05\x96" + struct.pack("<Q", 1 << 60)),
        "only 0 remain",
    ),
    "sets attributes of the reader": (
        lambda: npy(b"\x80\x02cnumpy\ndtype\nN}X\x07\x00\x00\x00resolveNs\x86b."),
        "an operation that arrays do not need",
    ),
    "repeats its text": (
        lambda: npy(
            b"\x80\x02X\x00\x04\x00\x00"
            + b"a" * 1024
            + b"q\x00"
            + b"c_codecs\nencode\nh\x00\x85R" * 9
        ),
        "more text than it holds",
    ),
    "nested shape": (
        lambda: boxed({"w": ARRAYS["w"]}).replace(b"K\x02K\x03\x86", b"K\x02))\x86\x86"),
        "a shape that no array has",
    ),
    "declares a long string": (
        lambda: npy(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60)),
        "damaged",
    ),
    "declares a frame": (lambda: npy(b"\x80\x04\x95" + struct.pack("<Q", 1 << 60)), "exhausted"),
    "huge shape": (huge_shape, "bytes, not"),
    "memo index 2^32": (lambda: npy(b"\x80\x02}r\xff\xff\xff\xff."), "dict in place of an array"),
    "deep nesting": (lambda: npy(b"\x80\x02" + b"(" * 10**6 + b"t" * 10**6 + b"."), "in place of"),
    "object in object": (
        lambda: boxed({"w": np.array([{}], dtype=object)}),
        "object array of shape",
    ),
    "boxed array": (lambda: boxed({"w": boxed_object(ARRAYS["w"])}), "another object in place of"),
    "text array": (lambda: boxed({"w": np.array(["a"])}), "array of type"),
    "integers": (lambda: boxed({"w": np.arange(3)}), "not of floats"),
    "not finite": (lambda: boxed({"w": np.array([np.nan])}), "not finite"),
    "list": (lambda: boxed([ARRAYS["w"]]), "list in place of a dict"),
    "number for an array": (lambda: boxed({"w": 3.0}), "float in place of the array 'w'"),
    "number for a name": (lambda: boxed({3: ARRAYS["w"]}), "int in place of text"),
    "plain array": (lambda: npy(ARRAYS["w"].tobytes(), "<f4", (2, 3)), "not an object"),
    "version 9": (lambda: b"\x93NUMPY\x09\x00" + bytes(50), "damaged"),
    "truncated": (lambda: array_dict_bytes(ARRAYS)[:-20], "damaged"),
    "cut in the header": (lambda: array_dict_bytes(ARRAYS)[:30], "damaged"),
    "empty": (lambda: b"", "damaged"),
    "text": (lambda: b"hello", "damaged"),
    "no contents": (lambda: npy(b"cnumpy\ndtype\n."), "in place of an array"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_line(name, tmp_path, monkeypatch):
    def fail(*_):
        raise AssertionError("something was run")

    make, message = HOSTILE[name]
    content = make()
    for owner, function in ((os, "system"), (builtins, "eval")):
        monkeypatch.setattr(owner, function, fail)
    path = tmp_path / "weights_1.npy"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_array_dict(path)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert "\n" not in text
    assert sorted(os.listdir(tmp_path)) == ["weights_1.npy"]


@pytest.mark.parametrize("cut", range(0, 600, 7))
def test_every_truncation_is_refused(cut, tmp_path):
    content = array_dict_bytes(ARRAYS)
    (tmp_path / "x.npy").write_bytes(content[: min(cut, len(content) - 1)])
    with pytest.raises(InputError, match="Expected a pickled dict of arrays"):
        read_array_dict(tmp_path / "x.npy")


def test_folders_pipes_and_missing_files_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    for path in (tmp_path, tmp_path / "pipe.npy"):
        with pytest.raises(InputError, match=r"received something else .*\(not a file\)"):
            read_array_dict(path)
    with pytest.raises(MissingInputError, match=r"found no file; fix the path"):
        read_array_dict(tmp_path / "x.npy")


def test_large_files_are_not_read(tmp_path, monkeypatch):
    (tmp_path / "x.npy").write_bytes(array_dict_bytes(ARRAYS))
    monkeypatch.setattr("lst_tf2.tf1.array_dict.MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match="more than the 100 that are read"):
        read_array_dict(tmp_path / "x.npy")
