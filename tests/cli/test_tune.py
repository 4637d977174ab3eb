"""Settings that are chosen on validation classes, and used by what comes after.

Also of `cli/next_test.py`, `cli/subjects.py`, `evaluation/tune.py` and `evaluation/tune_report.py`.
"""

import json
import re
import shlex
import shutil

import pytest

from lst_tf2.cli.run_configs import with_tuned_settings
from lst_tf2.runs.tuned import write_tuned
from lst_tf2.storage.files import read_json
from tests.cli.flag_values import config_of, parse
from tests.cli.small_run import TEST
from tests.command_line import assert_refused, run

METHOD = """
import dataclasses
import tensorflow as tf
from lst_tf2.adaptation import masked_soft_kmeans, soft_kmeans
from lst_tf2.settings import Settings, setting

@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    power: float = setting(1.0, above=0, search=(-1, 0.5, 2))
    slope: float = setting(1.0, above=0)
    offset: float = setting(0.0)
    rounds: int = setting(1)

def build(config: Config, learner):
    def label(evidence):
        scores = -masked_soft_kmeans.normalized_distances(evidence) ** config.power
        return tf.sigmoid(config.offset + config.slope * scores)

    return dataclasses.replace(soft_kmeans.build({}, learner), label=label)
"""
RUN = ["--dataset=letters", "--exp_name=small"]
KINDS = ["--shots=1", "--num_dis=0,1", "--balances=equal", "--episodes=3"]
SMALL = [*RUN, *KINDS, "--way_num=3", "--nb_ul_samples=4"]


@pytest.fixture(name="tuned_home", scope="module")
def fixture_tuned_home(home, tmp_path_factory):
    """A copy in which the settings of a method are chosen while there are no test classes."""
    folder = tmp_path_factory.mktemp("tuned") / "home"
    shutil.copytree(home, folder)
    (folder / "tuned_method.py").write_text(METHOD)
    data, away = folder / "data" / "letters", folder / "away"
    away.mkdir()
    shutil.rmtree(data / "image_cache")
    names = ("labeled_test", "unlabeled_test")
    for name in names:
        (data / name).rename(away / name)
    flags = [*SMALL, "--method=tuned_method:build", "--method_settings=rounds=2"]
    result = run("lst", "tune", *flags, cwd=folder)
    for name in names:
        (away / name).rename(data / name)
    assert result.returncode == 0, result.stderr
    (folder / "tune.txt").write_text(result.stdout)
    return folder


@pytest.mark.slow
def test_choice_is_kept_and_told(tuned_home):
    tuned = read_json(tuned_home / "checkpoints" / "small" / "tuned.json")
    (values,) = tuned.values()
    assert list(tuned) == ["tuned_method:build"]
    assert values.keys() == {"power", "rounds", "slope", "offset"}
    assert values["power"] in (1.0, 0.5, 2)  # What cannot be was passed over.
    assert values["rounds"] == 2
    assert values["slope"] != 1.0
    text = (tuned_home / "tune.txt").read_text()
    assert re.search(r"\| power +\| -1 0.5 2 +\| 1 ", text)
    assert "On 6 validation episodes, which chose: accuracy" in text
    before, after = re.search(r"calibration error ([\d.]+) to ([\d.]+) %", text).groups()
    assert float(after) < float(before)


@pytest.mark.slow
def test_next_command_tests_by_what_was_chosen(tuned_home):
    text = (tuned_home / "tune.txt").read_text()
    words = shlex.split(text.split("Next: lst test ")[1])
    folder = tuned_home / "checkpoints" / "small"
    tuned = json.loads((folder / "tuned.json").read_text())["tuned_method:build"]
    settings = {}
    for more in ([], ["--method_settings=power=3"], ["--notuned"]):
        before = set(folder.glob("results_*.json"))
        result = run("lst", "test", *words, "--test_episode_num=2", *more, cwd=tuned_home)
        assert result.returncode == 0, result.stderr
        (path,) = set(folder.glob("results_*.json")) - before
        used = json.loads(path.read_text())["settings"]["self_training"]["method_settings"]
        settings["".join(more)] = dict(word.split("=") for word in used)
        is_told = "Settings of tuned_method:build as tuned: " in result.stdout
        assert is_told is (more != ["--notuned"])
    as_words = {name: str(value) for name, value in tuned.items()}
    assert list(settings.values()) == [as_words, as_words | {"power": "3"}, {}]


@pytest.mark.slow
def test_comparison_goes_by_what_was_chosen(tuned_home):
    methods = "--methods=tuned_method:build,tuned_method:build+power=3"
    flags = [*SMALL, methods]
    result = run("lst", "compare", *flags, cwd=tuned_home)
    assert result.returncode == 0, result.stderr
    assert "Settings of tuned_method:build as tuned: " in result.stdout
    found = json.loads((tuned_home / "results" / "compare_letters.json").read_text())
    plain, with_power = found["tuned"].values()
    assert plain.keys() - with_power.keys() == {"power"}
    result = run("lst", "compare", *flags, "--notuned", cwd=tuned_home)
    assert "as tuned" not in result.stdout


@pytest.mark.slow
def test_choice_for_a_backbone_is_kept_in_its_folder(tuned_home):
    flags = ["--dataset=letters", *SMALL[2:]]
    backbone = "--backbone=pretrain_weights/letters"
    result = run("lst", "tune", *flags, backbone, "--method=tuned_method:build", cwd=tuned_home)
    assert result.returncode == 0, result.stderr
    path = tuned_home / "pretrain_weights" / "letters" / "tuned.json"
    assert read_json(path)["tuned_method:build"].keys() == {"power", "slope", "offset"}
    words = shlex.split(result.stdout.split("Next: lst ")[1])
    result = run("lst", *words, *flags, cwd=tuned_home)
    assert result.returncode == 0, result.stderr
    assert "Settings of tuned_method:build as tuned: " in result.stdout
    result = run("lst", "tune", *flags, "--backbone=glyphs", cwd=tuned_home)
    assert_refused(result, "the folder of a backbone", "'glyphs'", "--backbone")


@pytest.mark.slow
def test_what_cannot_be_tuned_is_one_line(tuned_home):
    result = run("lst", "tune", *SMALL, "--method=soft_kmeans", cwd=tuned_home)
    assert_refused(result, "settings say what to try", "soft_kmeans", "--method")
    result = run("lst", "tune", *SMALL, "--method=lts", cwd=tuned_home)
    assert_refused(result, "method to be one of lst", "--method")
    result = run("lst", "tune", *SMALL, "--method=lst", "--method_settings=x=1", cwd=tuned_home)
    assert_refused(result, "settings of the method lst", "--method_settings")
    result = run("lst", "tune", *SMALL, "--passes=0", cwd=tuned_home)
    assert_refused(result, "passes of at least 1", "--passes")
    path = tuned_home / "checkpoints" / "small" / "tuned.json"
    content = path.read_text()
    path.write_text(content[:-9])
    for command in (["test", *TEST, "--test_iter=2"], ["compare", *SMALL], ["tune", *SMALL]):
        result = run("lst", *command, cwd=tuned_home)
        assert_refused(result, "tuned.json", "restore or remove it")
    path.write_text(content)


def test_flags_that_are_given_win(tmp_path):
    folder = tmp_path / "checkpoints" / "run"
    write_tuned(folder, "lst", {"num_stages": 2, "retrain_steps": 5, "steps_per_stage": 20})
    flags = [f"--logdir_base={tmp_path}", "--exp_name=run"]

    def stages(*more):
        config = config_of("test", *flags, *more)
        return with_tuned_settings(config, parse("test", *flags, *more)).self_training

    assert stages().num_stages == 2
    # At its default, but given.
    found = stages("--recurrent_stage_nums=4")
    assert (found.num_stages, found.retrain_steps, found.steps_per_stage) == (4, 5, 20)
    assert stages("--notuned") == config_of("test").self_training
    assert stages("--method=support").num_stages == 4


def test_nothing_is_told_where_nothing_is_taken(tmp_path, capsys):
    folder = tmp_path / "checkpoints" / "run"
    write_tuned(folder, "lst", {"num_stages": 2})
    flags = [f"--logdir_base={tmp_path}", "--exp_name=run"]
    with_tuned_settings(config_of("test", *flags), parse("test", *flags))
    assert (
        "Settings of lst as tuned: num_stages=2 (--notuned: not these)" in capsys.readouterr().out
    )
    flags.append("--recurrent_stage_nums=3")
    with_tuned_settings(config_of("test", *flags), parse("test", *flags))
    assert capsys.readouterr().out == ""
