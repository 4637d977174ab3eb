import os

import pytest

from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.storage import files
from tests.faults import files_of_at_most, flip_bit


def test_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "file.json"
    files.write_json(path, {"a": 1})
    assert files.read_json(path) == {"a": 1}

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_folder_appears_whole_or_not_at_all(tmp_path):
    with files.new_folder(tmp_path / "whole") as folder:
        (folder / "a").touch()
        assert not (tmp_path / "whole").exists()
    assert (tmp_path / "whole" / "a").exists()

    def fail():
        with files.new_folder(tmp_path / "half") as folder:
            (folder / "a").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [entry.name for entry in tmp_path.iterdir()] == ["whole"]


def test_unreadable_json_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"Expected a file .*x\.json, found none"):
        files.read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"Expected JSON in .*x\.json"):
        files.read_json(tmp_path / "x.json")


def test_full_disk_is_told_with_the_file(tmp_path):
    with files_of_at_most(100), pytest.raises(OSError, match=r"'.*x\.bin'"):
        files.write_bytes(tmp_path / "x.bin", bytes(1000))
    with (
        files_of_at_most(100),
        pytest.raises(OSError, match=r"/set'"),
        files.new_folder(tmp_path / "set") as folder,
        (folder / "a").open("wb") as file,
    ):
        file.write(bytes(1000))
    assert not list(tmp_path.iterdir())


def test_every_change_of_a_sealed_file_is_noticed(tmp_path):
    path = tmp_path / "x.json"
    value = {"a": (1, 2.5), "b": {"c": "ü", "d": None}}
    files.write_json(path, value, sealed=True)
    assert files.read_json(path) == {"a": [1, 2.5], "b": {"c": "ü", "d": None}}
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        flip_bit(path, bit)
        try:
            found = files.read_json(path)
        except InputError:
            found = {}
        if found:  # The bit was of a space, or of the name of the checksum.
            assert {name: found[name] for name in value} == {"a": [1, 2.5], "b": value["b"]}
        path.write_bytes(content)


def test_change_by_hand_is_told_how(tmp_path):
    files.write_json(tmp_path / "x.json", {"a": 1}, sealed=True)
    text = (tmp_path / "x.json").read_text()
    (tmp_path / "x.json").write_text(text.replace('"a": 1', '"a": 2'))
    with pytest.raises(InputError, match="after a change by hand, drop 'checksum'"):
        files.read_json(tmp_path / "x.json")
