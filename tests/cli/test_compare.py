"""All methods on the same episodes, by the command line.

Also of `evaluation/piles.py`, `evaluation/compare_report.py`, `evaluation/compare_plots.py` and
`predict/subjects.py`.
"""

import json
import shlex

import pytest

from tests.command_line import assert_refused, run

pytestmark = pytest.mark.slow

FLAGS = ["--dataset=letters", "--exp_name=small", "--way_num=3", "--nb_ul_samples=4"]
KINDS = ["--shots=1", "--num_dis=0,1", "--balances=equal,dirichlet:2", "--episodes=3"]
ONE_KIND = ["--shots=1", "--num_dis=1", "--balances=dirichlet:2", "--episodes=3"]


def test_methods_are_compared(home):
    methods = "--methods=graph_lst,lst,ilpc+cleaning_steps=2"
    result = run("lst", "compare", *FLAGS, *KINDS, methods, cwd=home)
    assert result.returncode == 0, result.stderr
    assert "1-shot, 3 episodes of each kind. Accuracy" in result.stdout
    words = shlex.split(result.stdout.split("Next: lst ")[1])
    following = run("lst", *words, "--test_episode_num=2", cwd=home)
    assert following.returncode == 0, following.stderr
    written = {path.name for path in (home / "results").iterdir()}
    plots = [f"compare_letters{of}.png" for of in ("", "_rejection", "_reliability")]
    assert written == {f"compare_letters.{ending}" for ending in ("json", "md", "html")} | {*plots}
    rows = json.loads((home / "results" / "compare_letters.json").read_text())["rows"]
    assert len(rows) == 3 * 4
    assert {row["method"] for row in rows} == {"graph_lst", "lst", "ilpc+cleaning_steps=2"}
    kinds = {(row["distractor_classes"], row["balance"]) for row in rows}
    assert kinds == {(x, b) for x in (0, 1) for b in ("equal", "dirichlet:2")}
    for row in rows:
        assert 0 <= row["accuracy"]["mean"] <= 1
        assert row["episodes"] == 3
        has_distractors = row["distractor_classes"] > 0
        assert not has_distractors or row["rejection_curve"][0]["mean"] is not None


def test_the_same_comparison_gives_the_same_numbers(home):
    words = ["lst", "compare", *FLAGS, *ONE_KIND, "--methods=graph_lst,lst"]
    for name in ("first", "second"):
        result = run(*words, f"--out={name}", cwd=home)
        assert result.returncode == 0, result.stderr
    first, second = ((home / n / "compare_letters.json").read_bytes() for n in ("first", "second"))
    assert first == second


def test_what_cannot_be_compared(home):
    result = run("lst", "compare", *FLAGS, *KINDS, "--methods=lts", cwd=home)
    assert_refused(result, "method to be one of lst", "'lts'")
    result = run("lst", "compare", *FLAGS, *KINDS, "--balances=even", cwd=home)
    assert_refused(result, "unlabeled_balance as equal", "'even'")
    result = run("lst", "compare", *FLAGS, "--num_dis=7", cwd=home)
    assert_refused(result, "at most 4 classes")
    result = run("lst", "compare", *FLAGS[:1], "--exp_name=none", cwd=home)
    assert_refused(result, "none")


def test_backbones_are_compared_without_a_run(home):
    flags = ["--dataset=letters", "--way_num=3", "--nb_ul_samples=4", *ONE_KIND]
    methods = "--methods=support,lst,graph_lst"
    means = {}
    for name, more in (("once", []), ("mirrored", ["--mirrored"])):
        backbone = "pretrain_weights/letters"
        words = [*flags, methods, f"--backbone={backbone}", f"--out={name}", *more]
        result = run("lst", "compare", *words, cwd=home)
        assert result.returncode == 0, result.stderr
        assert f"Next: lst predict --backbone={backbone} --method=" in result.stdout
        numbers = json.loads((home / name / "compare_letters.json").read_text())
        assert numbers["settings"]["backbone"] == backbone
        means[name] = [row["accuracy"]["mean"] for row in numbers["rows"]]
        assert len(means[name]) == 3
    assert means["once"] != means["mirrored"]
    result = run("lst", "compare", *flags, "--backbone=glyphs", cwd=home)
    assert_refused(result, "received 16x16")  # The preset takes 32 pixels.
    result = run("lst", "compare", *flags, "--backbone=gliphs", cwd=home)
    assert_refused(result, "a backbone: one of ", "'gliphs'")
