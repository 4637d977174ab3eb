"""The command `lst`: what it lists, what its commands teach, and how they refuse.

Also of `cli/command.py` and `cli/help_text.py`.
"""

import os
import shlex
import subprocess
import sys

import pytest

from lst_tf2.cli import flag_tables
from lst_tf2.cli.help_text import HEADINGS
from lst_tf2.cli.main import COMMANDS, SCRIPTS, reference, run_lst
from tests.command_line import ROOT, assert_refused, run

PHOTOS = ["--support=photos", "--unlabeled=photos"]
MAKES_NO_TENSORFLOW = """
import contextlib, sys
from lst_tf2.cli.main import run_lst
with contextlib.suppress(SystemExit):
    run_lst(sys.argv[1:])
assert not {"tensorflow", "keras", "matplotlib"} & set(sys.modules), sys.modules
"""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_overview_names_every_command(arguments, capsys):
    run_lst(arguments)
    printed = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name} " in printed
        assert command.about.splitlines()[0] in printed
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(name, capsys):
    run_lst([name, "--help"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: lst {name}")
    for row in COMMANDS[name].rows:
        assert f"  --{row.flag}" in printed or f"  --[no]{row.flag}" in printed
        assert row.about, row.flag
        assert row.group, row.flag
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.parametrize("name", ["pretrain", "train", "test"])
def test_flags_stand_in_groups_and_those_without_effect_last(name, capsys):
    run_lst([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    shown = [heading for heading in HEADINGS if heading in lines]
    assert [line for line in lines if line in (*HEADINGS, flag_tables.RETIRED)] == [
        *shown,
        flag_tables.RETIRED,
    ]
    first = lines.index(flag_tables.RETIRED)
    assert all("No effect" not in line for line in lines[:first])
    assert sum("No effect" in line for line in lines[first:]) == len(flag_tables.RETIRED_FLAGS)


def test_each_training_shows_its_own_flags_alone():
    pretrain, train = (
        {row.flag for row in COMMANDS[name].shown_rows} for name in ("pretrain", "train")
    )
    assert "pre_lr" in pretrain - train
    assert "meta_lr" in train - pretrain
    assert {"pre_lr", "meta_lr", "phase"} <= {row.flag for row in SCRIPTS["train.py"].shown_rows}


def test_reference_of_the_flags_is_up_to_date():
    assert (ROOT / "docs" / "flags.md").read_text() == reference(), "run `make docs/flags.md`"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "usage: lst"),
        (["train", "--help"], "usage: lst train"),
        (["train"], "data/miniImagenet, found no folder; `lst prepare` writes it"),
        (["predict", "--support=data", "--out=taken.csv", "data"], "no file at taken.csv yet"),
        (["predict", "--support=none", "--unlabeled=data"], "each class in none, found no such"),
        (["predict", "--backbone=x", *PHOTOS], "received 'x'; name one of these (--backbone)"),
        (["compare", "--dataset=own", "--backbone=x"], "received 'x'; name one of these"),
        (["convert", "--input=old", "--output=x"], "Expected weights_<n>.npy"),
        (["convert", "--to_tf1", "--input=old", "--output=x"], "Expected step_<n>.npz at old"),
        (["compare", "--dataset=glyphs"], "data/glyphs, found no folder; `lst glyphs` renders it"),
        (["train", "--dataset=own"], "a run in pretrain_weights/own, found no config.json"),
        (["test", "--dataset=own"], "a run in checkpoints/finetune_mini_RN, found no config.json"),
        (["tune", "--dataset=own"], "a run in checkpoints/finetune_mini_RN, found no config.json"),
    ],
)
def test_help_and_what_is_missing_need_no_tensorflow(arguments, text, tmp_path):
    (tmp_path / "data" / "own").mkdir(parents=True)
    (tmp_path / "taken.csv").touch()
    for name in "ab":  # Only their names count.
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.png").touch()
    result = subprocess.run(
        [sys.executable, "-c", MAKES_NO_TENSORFLOW, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert text in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["fly"], ["a command of lst", "'fly'", "`lst --help`"]),
        (["train", "--base_lrr=1"], ["--base_lrr", "did you mean --base_lr?", "lst train --help"]),
        (["train", "--zzz"], ["flags of `lst train`, received --zzz;"]),
        (["train", "--base_lr=x"], ["--base_lr=x", "could not convert"]),
        (["train", "--flagfile=nowhere.flags"], ["nowhere.flags"]),
        (["train", "fast"], ["flags only", "fast"]),
        (["train", "--phase=pre"], ["--phase=meta or none", "received --phase=pre"]),
        (["pretrain", "--phase=meta"], ["--phase=pre or none"]),
        (["report"], ["<run folder>", "nothing"]),
        (["report", "--seed=1"], ["--seed"]),
        (["pretrain", "--profile_steps=a,b"], ["whole numbers for --profile_steps", "a,b"]),
        (["episodes", "draw"], ["import, export, print, check", "draw"]),
        (["glyphs", "--workers=0"], ["workers of at least 1", "(--workers)"]),
        (["glyphs", "--images_per_class=3"], ["even", "3", "(--images_per_class)"]),
        (["prepare", "folder", "--unlabeled_fraction=2"], ["below 1", "(--unlabeled_fraction)"]),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, texts, tmp_path):
    assert_refused(run("lst", *arguments, cwd=tmp_path), *texts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["train", ""])
def test_reader_that_has_read_enough_is_no_error(name):
    call = f"{shlex.quote(sys.executable)} -m lst_tf2.cli.main {name} --help | head -c 1"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(["sh", "-c", call], env=env, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("u", "")


def test_version_is_told(capsys):
    run_lst(["--version"])
    assert capsys.readouterr().out.startswith("lst_tf2 ")
