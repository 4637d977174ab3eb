import os

import pytest

from lst_tf2 import files
from lst_tf2.errors import InputError, MissingInputError


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
