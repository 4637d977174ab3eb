"""The command `python -m lst_tf2.cli.episodes`, on the recorded lists."""

import shlex

import pytest

from lst_tf2.cli import episodes


def test_each_next_command_can_be_given(run, folder, capsys):
    arguments = ["import", f"--input={folder}", "--seed=3", "--splits=val"]
    for action in ("check", "print", "print"):
        run(*arguments)
        command = capsys.readouterr().out.splitlines()[-1]
        assert command.startswith(f"Next: python -m lst_tf2.cli.episodes {action}")
        arguments = shlex.split(command)[4:]
    run(*arguments)
    assert "Episode 1 of 10\n" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["draw"], ["import", "export"]])
def test_command_needs_one_known_action(run, arguments):
    with pytest.raises(episodes.app.UsageError, match="one of import, export, print, check"):
        run(*arguments)
