"""The command `lst`, and the scripts beside it that run the same."""

import importlib.metadata
import sys
from collections.abc import Sequence

from lst_tf2 import errors
from lst_tf2.cli import (
    ablation,
    check,
    compare,
    convert,
    episodes,
    glyphs,
    letters,
    predict,
    prepare,
    report,
    test,
    train,
    tune,
)
from lst_tf2.cli.command import exit_on_input_error, run
from lst_tf2.cli.help_text import reference_tables

# In the order of a first walk.
GROUPS = {
    "Your own images": (predict.PREDICT, letters.LETTERS),
    "Images and episodes": (glyphs.GLYPHS, prepare.PREPARE, check.CHECK, episodes.EPISODES),
    "Training": (train.PRETRAIN, train.TRAIN),
    "Evaluation": (tune.TUNE, test.TEST, report.REPORT, ablation.ABLATION, compare.COMPARE),
    "Weights of the original program": (convert.CONVERT,),
}
COMMANDS = {
    command.name.removeprefix("lst "): command for group in GROUPS.values() for command in group
}
SCRIPTS = {
    "train.py": train.SCRIPT,
    "test.py": test.SCRIPT,
    "convert_tf1_weights.py": convert.SCRIPT,
}
USAGE = "usage: lst <command> [--flag=value ...]; `lst <command> --help` tells more"
REFERENCE_HEAD = """# Flags

Made by `make docs/flags.md` from the settings of the commands, as is `lst <command> --help`.
`python train.py` takes the flags of `lst pretrain` and `lst train`. Flags can be kept in a file,
one a line: `--flagfile=<file>`."""
ABOUT = "Few-shot classification that learns to self-train on unlabeled images (arXiv:1906.00562)."


def main() -> None:
    """Runs `lst`."""
    run_lst(sys.argv[1:])


def run_script(name: str) -> None:
    """Runs one of the scripts `SCRIPTS`."""
    run(SCRIPTS[name], sys.argv[1:])


def run_lst(arguments: Sequence[str]) -> None:
    """Runs the command that the first of `arguments` names."""
    with exit_on_input_error():
        _run_named(arguments)


def _run_named(arguments: Sequence[str]) -> None:
    name, *rest = arguments or ["--help"]
    if name in COMMANDS:
        run(COMMANDS[name], rest)
    elif name in ("--help", "-h", "help"):
        print(overview(), flush=True)
    elif name == "--version":
        print(f"lst_tf2 {importlib.metadata.version('lst_tf2')}")
    else:
        expected = f"a command of lst ({', '.join(COMMANDS)})"
        errors.check(False, expected, repr(name), "`lst --help` tells more")


def overview() -> str:
    """Returns what `lst --help` prints."""
    width = max(map(len, COMMANDS))
    parts = [USAGE, ABOUT]
    for heading, commands in GROUPS.items():
        lines = [
            f"  {command.name.removeprefix('lst '):{width}}  {command.about.splitlines()[0]}"
            for command in commands
        ]
        parts.append("\n".join([heading, *lines]))
    return "\n\n".join(parts)


def reference() -> str:
    """Returns the reference of all flags, as docs/flags.md has it."""
    parts = [REFERENCE_HEAD]
    for command in (command for group in GROUPS.values() for command in group if command.rows):
        tables = reference_tables(command.rows)
        parts.append(f"## {command.name}\n\n{command.about.splitlines()[0]}\n\n{tables}")
    retired = [row for row in train.SCRIPT.accepted if row.group]
    return "\n\n".join([*parts, "## Training and test", reference_tables(retired)]) + "\n"


if __name__ == "__main__":
    main()
