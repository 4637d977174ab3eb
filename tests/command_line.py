"""Commands as a user gives them: as a process of their own, or at once in this one."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

from lst_tf2.cli import main
from lst_tf2.cli.command import run as run_command

ROOT = pathlib.Path(__file__).parents[1]


class Finished(NamedTuple):
    """What a command left; the names are those of `subprocess`."""

    returncode: int
    stdout: str
    stderr: str


def run_script(script, *arguments, cwd):
    """Runs a root script in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def run(script, *arguments, cwd):
    """Runs what a root script, or with "lst" the command, runs, in this process."""
    stdout, stderr, code, here = io.StringIO(), io.StringIO(), 0, pathlib.Path.cwd()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            os.chdir(cwd)
            if script == "lst":
                main.run_lst(arguments)
            else:
                run_command(main.SCRIPTS[script], arguments)
        except SystemExit as end:
            code = end.code or 0
        finally:
            os.chdir(here)
    return Finished(code, stdout.getvalue(), stderr.getvalue())


def assert_refused(result, *texts):
    """One line on stderr that says `texts`, a nonzero status, no traceback."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = [text for text in result.stderr.splitlines() if text.startswith("error: ")]
    for text in texts:
        assert text in line, line
