"""The command `lst episodes`, on the recorded lists.

Also of `cli/list_flags.py`.
"""

import shlex

import pytest


def test_each_next_command_can_be_given(run, folder, capsys):
    arguments = ["import", f"--input={folder}", "--seed=3", "--splits=val"]
    for action in ("check", "print", "print"):
        run(*arguments)
        command = capsys.readouterr().out.splitlines()[-1]
        assert command.startswith(f"Next: lst episodes {action}")
        arguments = shlex.split(command)[3:]
    run(*arguments)
    assert "Episode 1 of 10\n" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["draw"], ["import", "export"]])
def test_command_needs_one_known_action(refused, arguments):
    error, _ = refused(*arguments)
    assert "one of import, export, print, check" in error
