"""A TensorFlow 1 `Saver`'s files, written by `tf.compat.v1` in the original graph's names."""

import os

import numpy as np
import pytest

from lst_tf2.errors import InputError
from lst_tf2.tf1 import weight_files
from lst_tf2.tf1.saver import read_saver, saver_prefix
from tests.tf1_graph import convert, small_groups, write_npy_files, write_saver_files


@pytest.fixture(name="groups", scope="module")
def fixture_groups():
    return small_groups()


@pytest.fixture(name="folder")
def fixture_folder(tmp_path, groups):
    write_saver_files(tmp_path / "saver", groups)
    return tmp_path / "saver"


def assert_same(found, expected):
    assert list(found) == list(expected)
    for group, arrays in expected.items():
        assert found[group].keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[group][name].tobytes() == array.tobytes(), name


def test_graph_numbers_its_later_variables(tmp_path, groups):
    names = write_saver_files(tmp_path / "saver", groups)
    assert {"meta-model/block1_conv1", "meta-model/block1_conv1_1"} <= set(names)
    assert any(name.endswith("/Adam_1") for name in names)


@pytest.mark.parametrize("parts", [("weights",), ("weights", "ss_weights", "fc_weights"), None])
def test_every_array_is_found_and_slots_are_skipped(tmp_path, groups, parts):
    chosen = {name: groups[name] for name in parts or groups}
    write_saver_files(tmp_path, chosen)
    assert_same(read_saver(tmp_path / "model.ckpt-7"), chosen)


def test_converts_to_the_same_checkpoint_as_the_npy_files(tmp_path, groups, folder):
    convert(folder, tmp_path / "from_saver")
    convert(write_npy_files(tmp_path / "npy", groups), tmp_path / "from_npy")
    written = [tmp_path / name / "step_7.npz" for name in ("from_saver", "from_npy")]
    assert written[0].read_bytes() == written[1].read_bytes()


def test_is_found_by_folder_index_and_prefix(folder):
    prefix = folder / "model.ckpt-7"
    for path in (folder, folder / "model.ckpt-7.index", prefix):
        assert weight_files.find_steps(path) == {7: {"saver": prefix}}
    assert saver_prefix(folder / "checkpoint") is None
    os.mkfifo(folder / "pipe-8.index")
    assert saver_prefix(folder / "pipe-8.index") is None


def test_number_and_one_form_are_needed(folder, groups):
    write_npy_files(folder, groups)
    with pytest.raises(InputError, match=r"found fc_weights, saver, .*keep one form"):
        weight_files.read_groups(weight_files.find_steps(folder)[7], 7)
    (folder / "model.ckpt-7.index").rename(folder / "final.index")
    with pytest.raises(InputError, match="the iteration at the end of the names"):
        weight_files.find_steps(folder)


def test_foreign_variables_are_named(tmp_path, groups):
    other = {"weights": groups["weights"] | {"w6": np.zeros(2, np.float32)}}
    write_saver_files(tmp_path / "other", other)
    with pytest.raises(InputError, match="received meta-model/w6; pass a checkpoint of its graph"):
        read_saver(tmp_path / "other" / "model.ckpt-7")
    write_saver_files(tmp_path / "offset", groups, offset=0.5)
    with pytest.raises(InputError, match="received meta-model/block10/beta"):
        read_saver(tmp_path / "offset" / "model.ckpt-7")


def test_values_must_be_finite_floats(tmp_path, groups):
    damaged = groups["weights"] | {"b5": np.full(6, np.nan, np.float32)}
    write_saver_files(tmp_path, {"weights": damaged})
    with pytest.raises(InputError, match="Expected finite floats for meta-model/b5"):
        read_saver(tmp_path / "model.ckpt-7")


@pytest.mark.parametrize("share", [0, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_truncated_files_are_refused(folder, part, share):
    path = folder / f"model.ckpt-7.{part}"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"Expected (a Saver's files|\d+ bytes of variables)"):
        read_saver(folder / "model.ckpt-7")


def test_missing_data_is_refused(folder):
    (folder / "model.ckpt-7.data-00000-of-00001").unlink()
    with pytest.raises(InputError, match=r"found 0; fetch the \.data"):
        read_saver(folder / "model.ckpt-7")
