"""`lst episodes export`, against the recorded lists."""

import dataclasses
import re

import numpy as np
import pytest

from lst_tf2.data.lists import ARRAY_NAMES, list_folder, open_lists
from tests.builders import write_data_set
from tests.cli.flag_values import config_of
from tests.tf1.recorded_lists import (
    COUNTS,
    GOLDEN,
    LISTS,
    import_lists,
)


def test_export_of_imported_lists_is_what_the_original_wrote(run, folder, tmp_path, capsys):
    import_lists(run, folder, "--num_dis=7")
    capsys.readouterr()
    run("export", "--output=exported", "--nb_ul_samples=2", *COUNTS)
    printed = capsys.readouterr().out
    assert "Wrote exported/mini_1shot_5way\nNext: give exported to the original" in printed
    written = {
        str(path.relative_to(tmp_path / "exported")): np.load(path)
        for path in (tmp_path / "exported").rglob("*.npy")
    }
    with np.load(GOLDEN / "lists.npz") as recorded:
        assert sorted(written) == sorted(recorded.files)
        for key in recorded.files:
            assert written[key].dtype == recorded[key].dtype
            np.testing.assert_array_equal(written[key], recorded[key])


def test_drawn_lists_survive_export_and_import(run, folder, tmp_path):
    test = config_of("test", "--test_episode_num=10", "--seed=3", "--use_distractors")
    train = config_of("train", "--train_episode_num=10", "--seed=3", "--nb_ul_samples=4").train_list
    drawn = [open_lists(test.test_list), open_lists(train)]
    run("export", "--seed=3", "--output=a b", "--root=/x", "--nb_ul_samples=4", *COUNTS)
    (tmp_path / LISTS).rename(tmp_path / "drawn")
    run("import", "--input=a b/mini_1shot_5way", "--seed=3")
    for lists in drawn:
        imported = open_lists(lists.config)
        for name in ARRAY_NAMES:
            np.testing.assert_array_equal(getattr(imported, name), getattr(lists, name))
    names = np.load(tmp_path / "a b/mini_1shot_5way/train_filenames.npy")
    assert names[0].startswith("/x/data/miniImagenet/labeled_train/n")


def test_export_takes_the_stored_distractors_and_draws_none_beside_them(
    run, refused, folder, tmp_path
):
    import_lists(run, folder)
    error, _ = refused("export", "--output=out", "--splits=test", "--num_dis=7", *COUNTS)
    assert "0distractor_10episodes_seed0, with 7 distractor classes, received others" in error
    assert "ask for 0 to export those, or import them with 7 (--num_dis)" in error
    assert not (tmp_path / "out").exists()
    run("export", "--output=out", "--splits=test", *COUNTS)
    assert len(list((tmp_path / "out").rglob("*_dis_filenames.npy"))) == 3


def test_export_without_stored_lists_draws_as_many_distractors_as_the_original(run, folder):
    drawn = open_lists(config_of("test", "--test_episode_num=10").test_list)
    run("export", "--output=out", "--splits=test", *COUNTS)
    run("import", "--input=out/mini_1shot_5way", "--seed=1", "--num_dis=0,7")
    again = open_lists(dataclasses.replace(drawn.config, seed=1))
    np.testing.assert_array_equal(again.unlabeled, drawn.unlabeled)
    names = [path.name for path in list_folder(again.config).parent.glob("*_7distractor_*_seed1")]
    assert len(names) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing at filenames_and_labels/mini_1shot_5way, found files"),
        (
            ["--output=new", "--way_num=8", "--splits=test"],
            "at most 13 classes, .* way=8 and 7 .*--way_num",
        ),
        (["--output=new", "--num_dis=8"], "at most 7 distractor classes, received 8; lower"),
        (["--output=new", "--num_dis=0,3"], r"one --num_dis to export, received \(0, 3\)"),
        (["--output=new", "--test_nb_ul_samples=50"], "no --test_nb_ul.* use it to import"),
        (["--output=new", "--shot_num=30"], "at least 45 images in .*lower shot .--shot_num"),
        (
            ["--output=new", "--dataset=small", "--splits=test"],
            r"100 unlabeled .* received 6; .*leave test .*--splits",
        ),
    ],
)
def test_export_refuses_in_one_line(refused, folder, tmp_path, arguments, message):
    write_data_set(tmp_path / "data/small", classes_per_split=13)
    error, _ = refused("export", *COUNTS, "--nb_ul_samples=2", *arguments)
    assert re.search(message, error)
    assert not (tmp_path / "new").exists()
