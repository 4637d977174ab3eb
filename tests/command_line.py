"""Commands as a user gives them: as a process of their own, or at once in this one."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

from absl import app
from absl.flags import FLAGS

from lst_tf2.cli import commands

ROOT = pathlib.Path(__file__).parents[1]
COMMANDS = {
    "train.py": commands.train,
    "test.py": commands.test,
    "convert_tf1_weights.py": commands.convert,
}
app.define_help_flags()  # absl defines these once in a process.


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
    """Runs what a root script runs in this process, which has imported TensorFlow already."""
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    defined, argv, here = set(FLAGS), sys.argv, pathlib.Path.cwd()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            os.chdir(cwd)
            sys.argv = [script, *arguments]
            COMMANDS[script]()
        except SystemExit as end:
            code = end.code or 0
        finally:
            os.chdir(here)
            sys.argv = argv
            FLAGS.unparse_flags()
            for name in set(FLAGS) - defined:
                delattr(FLAGS, name)
    return Finished(code, stdout.getvalue(), stderr.getvalue())


def assert_refused(result, *texts):
    """One line on stderr that says `texts`, a nonzero status, no traceback."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = [text for text in result.stderr.splitlines() if text.startswith("error: ")]
    for text in texts:
        assert text in line, line
