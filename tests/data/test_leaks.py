"""Classes and images that stand in two places, found by `lst check` and at every start.

Also of `cli/check.py`.
"""

import shutil

import pytest

from lst_tf2.data import leaks
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.storage.files import read_json, write_json
from tests.builders import write_data_set
from tests.command_line import assert_refused, run


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    return write_data_set(tmp_path / "data" / "letters", classes_per_split=2, images_per_pool=3)


def copy(folder, source, target):
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / source, folder / target)


def test_sound_data_says_nothing_and_is_read_once(folder, capsys):
    leaks.check_dataset(folder)
    assert "comparing images 36/36" in capsys.readouterr().err
    leaks.check_dataset(folder)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("same", [[3], [[3, 4]], [["no path", "labeled_train/a/b"]], {}, [[["a"]]]])
def test_record_that_cannot_be_is_made_again(folder, same, capsys):
    leaks.check_dataset(folder)
    path = folder / leaks.RECORD_NAME
    write_json(path, {"files": read_json(path)["files"], "same": same})
    capsys.readouterr()
    leaks.check_dataset(folder)
    assert "comparing images 36/36" in capsys.readouterr().err
    assert read_json(path)["same"] == []


PLACES = {
    leaks.TWO_SPLITS: "labeled_test/class20/copy.png",
    leaks.TWO_POOLS: "unlabeled_train/class00/copy.png",
    leaks.TWO_CLASSES: "labeled_train/class01/copy.png",
    leaks.ONE_CLASS: "labeled_train/class00/copy.png",
}


@pytest.mark.parametrize("kind", leaks.KINDS)
def test_image_that_stands_twice_is_told_at_the_start_and_by_check(folder, kind, capsys):
    leaks.check_dataset(folder)
    copy(folder, "labeled_train/class00/l1.png", PLACES[kind])
    capsys.readouterr()
    for _ in range(2):
        leaks.check_dataset(folder)
        told = capsys.readouterr().err
        assert f"has 1 images more than once, 1 {kind} (first: " in told
        assert PLACES[kind] in told
    result = run("lst", "check", str(folder), cwd=folder)
    assert_refused(result, f"sound data in {folder}, received 1 faults")
    assert f"images more than once (1 {kind}): 1\n    " in result.stdout


def test_class_in_two_splits_is_refused(folder, capsys):
    for pool in ("labeled", "unlabeled"):
        copy(folder, f"{pool}_train/class00/{pool[0]}1.png", f"{pool}_test/class00/new.png")
    with pytest.raises(InputError, match=r"1 in several .first: class00 in train and test"):
        leaks.check_dataset(folder)
    result = run("lst", "check", str(folder), cwd=folder)
    assert "classes in two splits: 1\n    class00: train and test\n" in result.stdout
    assert result.returncode == 1


def test_check_tells_of_broken_images_and_of_lists(folder):
    (folder / "labeled_val" / "class10" / "l0.png").write_bytes(b"no image")
    result = run("lst", "check", str(folder), cwd=folder)
    assert "broken images, or of other sizes: 1\n" in result.stdout
    assert "val: 2 classes, 6 labeled, 6 unlabeled images" in result.stdout


def test_check_of_sound_data_ends_with_what_is_next(folder):
    result = run("lst", "check", str(folder), cwd=folder)
    assert result.returncode == 0
    assert f"Sound. Next: lst pretrain --dataset=letters --data_path={folder.parents[1]} " in (
        result.stdout
    )
    flags = "--img_size=16 --pretrain_class_num=2 --filters=16,32,64,128 --pretrain_iterations=300"
    assert result.stdout.endswith(f" {flags}\n")


def test_splits_that_are_not_there_are_left_out(folder, tmp_path):
    for pool in ("labeled", "unlabeled"):
        shutil.rmtree(folder / f"{pool}_test")
    assert list(leaks.scan_splits(folder)) == ["train", "val"]
    with pytest.raises(MissingInputError):
        leaks.scan_splits(tmp_path / "nowhere")


def test_data_set_that_cannot_be_written_is_compared_all_the_same(folder, capsys):
    (folder / leaks.RECORD_NAME).mkdir()  # In the way.
    leaks.check_dataset(folder)
    assert "comparing images 36/36" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["line\nbreak", "tab\t", b"\xff\xfe".decode("utf-8", "replace")])
def test_names_that_lists_cannot_hold_are_refused(folder, name):
    if name.isprintable():
        name = b"\xff\xfe".decode("utf-8", "surrogateescape")
    path = folder / "labeled_train" / "class00" / f"{name}.png"
    copy(folder, "labeled_train/class00/l1.png", path)
    with pytest.raises(InputError, match=r"Expected names of valid UTF-8 .*class00.*rename it"):
        leaks.check_dataset(folder)
    path.unlink()
    (folder / "labeled_train" / name).mkdir()
    with pytest.raises(InputError, match=r"Expected names of valid UTF-8 .*labeled_train.*rename"):
        leaks.check_dataset(folder)
