"""`lst episodes print`, on the recorded lists."""

import re

import numpy as np
import pytest

from tests.tf1.recorded_lists import (
    GOLDEN,
    import_lists,
    recorded_orders,
)


def test_print_shows_an_episode_in_feeding_order(run, folder, capsys):
    import_lists(run, folder)
    name = "test_5way_1shot_1query_100unlabeled_3distractor_10episodes_seed0"
    capsys.readouterr()
    run("print", f"--list={name}", "--index=1")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("opened by lst test --test_episode_num=10 --use_distractors")
    assert lines[1] == "Episode 1 of 10"
    with np.load(GOLDEN / "lists.npz") as recorded:
        names = recorded["mini_1shot_5way/test_filenames.npy"][10:20]
        label_names = recorded["mini_1shot_5way/test_labelnames.npy"][1]
    assert f"class 4 {label_names[4]}" in lines
    ends = [name.rsplit("/", 1)[1] for name in names]
    assert [line for line in lines if "support: " in line] == [f"  support: {e}" for e in ends[::2]]
    assert [line for line in lines if "query: " in line] == [f"  query: {e}" for e in ends[1::2]]
    assert sum(line.startswith("distractor class ") for line in lines) == 3
    printed = [line.split()[-1] for line in lines if line[:6].strip().isdecimal()]
    fed = recorded_orders()["test_with_distractors_task1"]
    names = [*fed["inputc"][0], *fed["inputd"][0]]
    assert printed == ["/".join(name.split("/")[-2:]) for name in names]
    assert lines[-1].endswith(f"print --list={name} --index=2")


def test_print_marks_mixed_distractors(run, folder, capsys):
    import_lists(run, folder, "--splits=test", "--num_dis=3")
    capsys.readouterr()
    run("print", "--protocol=standard")
    lines = capsys.readouterr().out.splitlines()
    assert sum(" distractor  " in line for line in lines) == 300
    assert lines[1] == "Episode 0 of 10"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one stored list of split 'test', received 2; pass one of these as --list: test_"),
        (["--split=train"], "an episode index below 10, .* received 99"),
        (["--split=dev"], "split to be one of train, val, test"),
        (["--protocol=mine"], "protocol to be one of paper, standard"),
        (["--list=none"], "a list at .*/none, found none; pass one of these as --list: test_"),
        (["--dataset=other"], "Expected episode lists in data/other/episode_lists, found none"),
    ],
)
def test_print_refuses_in_one_line(run, refused, folder, capsys, arguments, message):
    import_lists(run, folder)
    capsys.readouterr()
    error, _ = refused("print", "--index=99", *arguments)
    assert re.search(message, error)
