"""Runs `lst episodes` on the lists recorded from the original."""

import os

import pytest

from lst_tf2.cli.main import run_lst
from tests.tf1.recorded_lists import (
    DATA,
    write_recorded_lists,
    write_tree,
)


@pytest.fixture(name="run")
def fixture_run(tmp_path, monkeypatch):
    """Runs the command in a folder that holds the recorded lists, as a user would."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_lst(["episodes", *arguments])


@pytest.fixture(scope="session", name="tree")
def fixture_tree(tmp_path_factory):
    """Holds the images that the recorded lists name."""
    folder = tmp_path_factory.mktemp("tree")
    write_tree(folder)
    # Nothing names it; it must not widen what is exported.
    (folder / "labeled_test" / "n00000200" / "a_longer_name_than_any_that_is_listed.jpg").touch()
    return folder


@pytest.fixture(name="folder")
def fixture_folder(tmp_path, tree):
    """Holds the recorded lists, beside links to the images."""
    (tmp_path / DATA).mkdir(parents=True)
    for pool in tree.iterdir():
        os.symlink(pool, tmp_path / DATA / pool.name)
    return write_recorded_lists(tmp_path / "filenames_and_labels")


@pytest.fixture(name="refused")
def fixture_refused(run, capsys):
    """Runs the command, which is to fail in one line; returns that line and what it printed."""

    def run_refused(*arguments):
        with pytest.raises(SystemExit) as exit_info:
            run(*arguments)
        assert exit_info.value.code == 1
        printed = capsys.readouterr()
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        return printed.err, printed.out

    return run_refused
