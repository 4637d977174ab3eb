"""`lst episodes import`, on the recorded lists.

Also of `tf1/list_files.py`.
"""

import dataclasses
import re
import shlex
import shutil

import numpy as np
import pytest

from lst_tf2.data.lists import list_folder, open_lists
from tests.cli.flag_values import config_of
from tests.tf1.recorded_lists import (
    DATA,
    LISTS,
    alter,
    assert_evaluated_as_recorded,
    assert_trained_as_recorded,
    import_lists,
    stored_names,
    write_python2_list,
    write_tree,
)


def count_named(folder, split):
    files = [path for path in folder.rglob("*_filenames.npy") if path.name.startswith(split)]
    return len(set().union(*(np.load(path).tolist() for path in files)))


def write_all_named(folder, change):
    for path in folder.rglob("*_filenames.npy"):
        alter(path, change)


@pytest.mark.parametrize("way", ["as_recorded", "bytes", "absolute"])
def test_imported_lists_are_opened_by_the_scripts_and_fed_as_recorded(run, folder, way):
    if way == "bytes":
        for path in folder.rglob("*_filenames.npy"):
            write_python2_list(path)
    if way == "absolute":
        write_all_named(folder, lambda a: np.char.replace(a, ".//data", "/home/someone/x/data"))
    import_lists(run, folder)
    train = config_of("train", "--nb_ul_samples=2", "--train_episode_num=10")
    test = config_of("test", "--test_episode_num=10")
    with_distractors = config_of("test", "--test_episode_num=10", "--use_distractors")
    # A validation list is opened at 600 episodes or more; the recorded one holds 10.
    val_list = dataclasses.replace(train.val_list, num_episodes=10)
    configs = [train.train_list, val_list, test.test_list, with_distractors.test_list]
    assert all(list_folder(config).is_dir() for config in configs)
    assert_trained_as_recorded(open_lists(configs[0]))
    for config in configs[1:]:
        assert_evaluated_as_recorded(open_lists(config))


def test_import_prints_counts_and_commands_that_open_the_lists(run, folder, tmp_path, capsys):
    import_lists(run, folder, "--num_dis=0,3,7")
    printed = capsys.readouterr().out
    assert f"train: all {count_named(folder, 'train')} named images found\n" in printed
    assert "training validates on 600 episodes or more" in printed
    lines = printed.splitlines()
    opened = [
        (lines[i - 1].split(": ")[1], line.split("opened by lst ")[1])
        for i, line in enumerate(lines)
        if "opened by lst" in line
    ]
    assert len(opened) == 4
    for stored, command in opened:
        config = config_of(*shlex.split(command))
        is_test = command.startswith("test ")
        assert str(list_folder(config.test_list if is_test else config.train_list)) == stored
    assert lines[-1] == "Next: lst train --nb_ul_samples=2 --train_episode_num=10"
    assert len(stored_names(tmp_path)) == 5


def test_import_of_the_same_lists_again_changes_nothing(run, folder, tmp_path, capsys):
    import_lists(run, folder)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / LISTS).glob("*/*")}
    capsys.readouterr()
    import_lists(run, folder)
    assert capsys.readouterr().out.count("there already: ") == 4
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / LISTS).glob("*/*")}


def test_import_never_replaces_other_lists(run, refused, folder, tmp_path):
    drawn = config_of("test", "--test_episode_num=10", "--use_distractors").test_list
    before = open_lists(drawn).labeled
    error, printed = refused("import", f"--input={folder}")
    assert "nothing or the same lists at" in error
    assert "move that folder away, or choose another seed" in error
    assert printed.count("written: ") == 2
    # Not even its neighbour without distractors is written.
    assert [name for name in stored_names(tmp_path) if name.startswith("test")] == [
        list_folder(drawn).name
    ]
    np.testing.assert_array_equal(open_lists(drawn).labeled, before)
    import_lists(run, folder, "--seed=1")
    assert_evaluated_as_recorded(open_lists(dataclasses.replace(drawn, seed=1)))


def test_damaged_stored_lists_are_not_replaced_either(run, refused, folder, tmp_path):
    import_lists(run, folder)
    damaged = next((tmp_path / LISTS).glob("val*")) / "labeled.npy"
    damaged.write_bytes(b"")
    error, _ = refused("import", f"--input={folder}", "--splits=val")
    assert "others, which are never overwritten" in error
    assert damaged.read_bytes() == b""


def test_missing_images_are_reported_and_their_split_left_out(refused, folder, tmp_path):
    shutil.rmtree(tmp_path / DATA)  # Its links, not what they lead to.
    write_tree(tmp_path / DATA)
    unlabeled = sorted((tmp_path / DATA / "unlabeled_test" / "n00000203").iterdir())[:20]
    labeled = sorted((tmp_path / DATA / "labeled_test" / "n00000204").iterdir())
    for path in [*unlabeled, *labeled[1:]]:
        path.unlink()
    error, printed = refused("import", f"--input={folder}")
    assert "Expected every image that the lists name" in error
    assert "(first: labeled_test/n00000204/" in error
    assert "missing labeled_test/n00000204/n00000204_l_" in printed
    assert f"train: all {count_named(folder, 'train')} named images found\n  written" in printed
    total = count_named(folder, "test")
    num_missing = int(re.search(rf"of {total} named images found, (\d+) missing", printed)[1])
    assert f"test: {total - num_missing} of {total} named" in printed
    assert f"found {num_missing} missing" in error
    assert f"  and {num_missing - 10} more\n" in printed
    assert [name.split("_")[0] for name in stored_names(tmp_path)] == ["train", "val"]


def test_problems_of_several_splits_are_all_shown(refused, folder):
    for split in ("train", "val"):
        alter(folder / f"{split}_filenames.npy", lambda names: names[:-1])
    error, printed = refused("import", f"--input={folder}")
    assert "problems in train, val; fix" in error
    assert "train: nothing imported. Expected whole episodes of 5 x 16 = 80 names" in printed
    assert printed.count("written: ") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input="], "a folder of lists, found no --input; pass --input="),
        (["--input=nowhere"], "a folder of lists, found none at nowhere; pass --input="),
        (["--input=filenames_and_labels"], "name like mini_1shot_5way, .* pass --shot_num and"),
        (["--input=data", "--way_num=5", "--shot_num=1"], "lists train_filenames.npy or .* none"),
        (["--shot_num=2"], "sound lists of .* problems in train, val, test"),
        (["--dataset=other"], "Expected a data set at data/other, found no folder"),
        (["--dataset=a/b"], "dataset to be the name of a folder, received 'a/b'.*--dataset"),
        (["--splits=test,dev"], "splits to be one of train, val, test, received 'dev'.*--splits"),
        (["--splits="], "splits to be one of train, val, test, received ''"),
        (["--num_dis=8", "--splits=test"], "at most 7 distractor classes"),
        (["--num_dis=x"], "whole numbers for --num_dis, received x"),
        (["--index=1"], "no --index to import, received one; drop it, or use it to print"),
        (["--val_episode_num=0", "--splits=val"], "num_episodes of at least 1, received 0"),
        (["--nb_ul_samples=3", "--splits=val"], "a list .*val_3_un_filenames.npy, found none"),
        (["--test_episode_num=11", "--splits=test"], "11 or more episodes of 5 x 2 = 10 names"),
    ],
)
def test_import_refuses_in_one_line(refused, folder, tmp_path, arguments, message):
    given = [f"--input={folder}", *arguments]
    error, _ = refused("import", *given)
    assert re.search(message, error)
    assert stored_names(tmp_path) == []


def test_each_count_of_unlabeled_images_that_is_listed_gives_a_list(run, folder, tmp_path):
    lists = folder / "unlabeled_samples_for_val"
    np.save(lists / "val_1_un_filenames.npy", np.load(lists / "val_2_un_filenames.npy")[::2])
    import_lists(run, folder, "--splits=val")
    assert [name.split("_")[4] for name in stored_names(tmp_path)] == ["1unlabeled", "2unlabeled"]
    import_lists(run, folder, "--splits=val", "--nb_ul_samples=1", "--seed=1")
    assert len(stored_names(tmp_path)) == 3


def test_split_without_unlabeled_lists_is_named(refused, folder):
    (folder / "unlabeled_samples_for_val" / "val_2_un_filenames.npy").unlink()
    error, printed = refused("import", f"--input={folder}")
    assert "Expected lists of unlabeled images in " in error
    assert printed.count("written: ") == 3


def test_folder_without_distractors_gives_lists_without(run, folder, tmp_path):
    for path in (folder / "unlabeled_samples_for_test" / "distracting_file").iterdir():
        path.unlink()
    import_lists(run, folder, "--splits=test", "--test_episode_num=4", "--test_nb_ul_samples=30")
    assert stored_names(tmp_path) == [
        "test_5way_1shot_1query_30unlabeled_0distractor_4episodes_seed0"
    ]


def test_flags_tell_what_the_name_of_the_folder_does_not(run, folder, tmp_path):
    folder.rename(tmp_path / "mine")
    import_lists(run, tmp_path / "mine", "--way_num=5", "--shot_num=1", "--splits=val")
    assert len(stored_names(tmp_path)) == 1
