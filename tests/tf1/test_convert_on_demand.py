import json

import pytest

from lst_tf2.errors import InputError
from lst_tf2.runs.checkpoints import saved_steps
from lst_tf2.tf1.convert_on_demand import convert_on_demand
from tests.tf1_graph import SMALL, small_groups, write_npy_files, write_saver_files


@pytest.fixture(name="original")
def fixture_original(tmp_path):
    write_npy_files(tmp_path / "runs" / "one", small_groups(), step=7)
    return write_npy_files(tmp_path / "runs" / "one", small_groups(), step=9)


def test_step_asked_for_is_converted_once(tmp_path, original):
    ours = tmp_path / "ours"
    sources = [tmp_path / "nowhere", original]
    assert convert_on_demand(ours / "step_7.npz", sources, SMALL) == original
    assert saved_steps(ours) == [7]
    assert convert_on_demand(ours / "step_7.npz", sources, SMALL) is None
    assert convert_on_demand(ours / "step_8.npz", sources, SMALL) is None
    assert convert_on_demand(ours / "step_9.npz", sources, SMALL) == original
    assert saved_steps(ours) == [7, 9]


def test_last_is_the_newest_of_either_form(tmp_path, original):
    assert convert_on_demand(tmp_path / "ours" / "step_last.npz", [original], SMALL) == original
    assert saved_steps(tmp_path / "ours") == [9]
    assert convert_on_demand(tmp_path / "ours" / "step_last.npz", [original], SMALL) is None
    write_saver_files(tmp_path / "saver", small_groups(), step=3)
    convert_on_demand(tmp_path / "again" / "step_last.npz", [tmp_path / "saver"], SMALL)
    assert saved_steps(tmp_path / "again") == [3]


def test_nothing_is_put_into_a_run_of_ours(tmp_path, original):
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "config.json").write_text(json.dumps({"settings": {"model": {}, "seed": 0}}))
    assert convert_on_demand(ours / "step_7.npz", [original], SMALL) is None
    assert saved_steps(ours) == []


def test_two_runs_of_one_name_are_refused(tmp_path, original):
    other = write_npy_files(tmp_path / "runs" / "other", small_groups())
    with pytest.raises(InputError, match=r"Expected one run .* found 2: .*one, .*other; pass"):
        convert_on_demand(tmp_path / "ours" / "step_7.npz", [original, other], SMALL)
    assert not (tmp_path / "ours").exists()
