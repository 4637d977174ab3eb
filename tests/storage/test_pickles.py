"""Plain pickles, mapped from disk; `tests/tf1/test_array_dict.py` has the hostile ones."""

import pickle
import tracemalloc

import numpy as np
import pytest

from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.storage import pickles
from tests.builders import python_2_bytes

VALUE = {
    "images": np.arange(5000, dtype=np.uint8).reshape(-1, 10),
    "rows": {"cat": [0, 1], "dog": [2]},
    "names": ["cat", "dog"],
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5, "Python 2"])
def test_dicts_of_any_protocol_are_read(protocol):
    is_python_2 = protocol == "Python 2"
    content = python_2_bytes(VALUE) if is_python_2 else pickle.dumps(VALUE, protocol)
    found = pickles.load_dict(content)
    assert list(found) == ["images", "rows", "names"]
    np.testing.assert_array_equal(pickles.as_array(found["images"], "images"), VALUE["images"])
    assert {pickles.as_text(key): rows for key, rows in found["rows"].items()} == VALUE["rows"]
    assert [pickles.as_text(name) for name in found["names"]] == VALUE["names"]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_mapped_arrays_are_not_kept_in_memory(protocol, tmp_path):
    path = tmp_path / "large.pkl"
    arrays = {name: np.zeros(1 << 22, np.uint8) for name in "abcdefgh"}
    path.write_bytes(pickle.dumps(arrays, protocol))
    tracemalloc.start()
    found = pickles.load_dict(pickles.map_file(path))
    images = [pickles.as_array(found[name], name) for name in arrays]
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {array.shape for array in images} == {(1 << 22,)}
    assert kept < 1 << 20
    assert peak < 3 << 22


def read(path):
    with pickles.refuse_damage(f"a dict in {path}"):
        return pickles.load_dict(pickles.map_file(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (pickle.dumps([1]), "asks for list in place of a dict"),
        (b"\x80\x02})" + b"K\x01s.", "asks for a dict by other keys"),
        (b"\x80\x02]K\x01b.", "an operation that arrays do not need"),
        (b"\x80\x02}0.", "asks for POP"),
        (pickle.dumps({1: 2}), "asks for int in place of text"),
        (pickle.dumps({"a": print}), r"asks for builtins\.print; it was not run"),
        (pickle.dumps({"a": 1})[:-1], "damaged file .pickle exhausted"),
    ],
)
def test_other_pickles_are_refused(content, message, tmp_path):
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "x.pkl")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"x\.pkl, found no file"):
        read(tmp_path / "x.pkl")
