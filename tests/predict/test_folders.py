import os

import pytest

from lst_tf2.errors import InputError
from lst_tf2.predict.folders import find_classes, find_pictures


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_pictures_are_found_below_a_folder(tmp_path):
    touch(tmp_path / "b.PNG", tmp_path / "a" / "c d\n.jpeg", tmp_path / "a" / "é.webp")
    touch(tmp_path / "notes.txt", tmp_path / ".hidden.png", tmp_path / ".git" / "x.png")
    found = [os.path.relpath(path, tmp_path) for path in find_pictures([tmp_path])]
    assert found == ["a/c d\n.jpeg", "a/é.webp", "b.PNG"]


def test_files_are_taken_whatever_their_names(tmp_path):
    touch(tmp_path / "image")
    assert list(find_pictures([tmp_path / "image"])) == [str(tmp_path / "image")]
    with pytest.raises(InputError, match=r"at .*gone, found nothing; fix the path"):
        list(find_pictures([tmp_path / "gone"]))


def test_links_are_followed_and_circles_end(tmp_path):
    touch(tmp_path / "in" / "a.png", tmp_path / "out" / "b.png", tmp_path / "out" / "c.png")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "out" / "b.png")
    (tmp_path / "in" / "nowhere.png").symlink_to(tmp_path / "gone")
    found = [os.path.relpath(path, tmp_path / "in") for path in find_pictures([tmp_path / "in"])]
    assert found == ["a.png", "folder/b.png", "folder/c.png", "link.png", "nowhere.png"]


def test_each_class_has_a_folder(tmp_path):
    touch(
        tmp_path / "cat" / "a.png", tmp_path / "cat" / "more" / "b.png", tmp_path / "dog" / "c.png"
    )
    touch(tmp_path / "readme.md")
    classes = find_classes(tmp_path)
    assert {name: len(paths) for name, paths in classes.items()} == {"cat": 2, "dog": 1}
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"Expected images .* in .*empty, found none"):
        find_classes(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"), [(["cat"], "in .*, received cat;"), ([], "received none;")]
)
def test_one_class_is_not_enough(names, message, tmp_path):
    for name in names:
        touch(tmp_path / name / "a.png")
    with pytest.raises(InputError, match=message):
        find_classes(tmp_path)
    with pytest.raises(InputError, match="found no such folder; lay labeled images out"):
        find_classes(tmp_path / "gone")
