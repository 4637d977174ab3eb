"""Methods of one's own: the page that builds one, by the command line and from Python."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

import lst_tf2
from lst_tf2.config import SelfTrainingConfig
from tests.cli.small_run import META, TEST
from tests.command_line import ROOT, assert_refused, run, run_script

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "adding_a_method.md").read_text()
SMALL = lst_tf2.EpisodeConfig(way=3, unlabeled_per_class=4, queries_per_class=2)
TRAIN = [*META, "--meta_val_print_step=2"]
STAGES = SelfTrainingConfig(num_stages=2, retrain_steps=2, steps_per_stage=4, inner_steps=5)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(name="page_home")
def fixture_page_home(home):
    """The folder of a trained run, with the file that the page tells to save."""
    (home / "confident.py").write_text(blocks("python")[0])
    return home


def test_page_builds_a_method_that_the_command_runs(page_home):
    (line,) = blocks("sh")
    command, *given = line.split()
    flags = [word for word in given[1:] if not word.startswith("--flagfile")]
    assert (command, given[0]) == ("lst", "test")
    # As in the folder of a user, who has not installed it: another process, another folder.
    result = run_script("test.py", *TEST, "--test_iter=2", *flags, cwd=page_home)
    assert result.returncode == 0, result.stderr
    assert "confident:build, last stage" in result.stdout
    (path,) = (page_home / "checkpoints" / "small").glob("results_*_confident_build_*.json")
    settings = json.loads(path.read_text())["settings"]["self_training"]
    assert settings["method_settings"] == ["threshold=0.9"]


def test_page_adapts_from_python(page_home, monkeypatch, capsys):
    monkeypatch.chdir(page_home)
    monkeypatch.syspath_prepend(page_home)
    code = blocks("python")[1]
    changed = code.replace("checkpoints/demo", "checkpoints/small")
    changed = changed.replace("data/glyphs", "data/letters")
    changed = changed.replace("EpisodeConfig(", "EpisodeConfig(way=3, queries_per_class=2, ")
    exec(
        compile(changed.replace("unlabeled_per_class=30", "unlabeled_per_class=5"), "page", "exec")
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == SelfTrainingConfig().num_stages
    assert 0 <= float(lines[-1].split()[0]) <= 1


@pytest.mark.parametrize(
    ("method", "bn_stats"),
    [("label_propagation", "calibrated"), ("soft_kmeans", "batch"), ("support", "calibrated")],
)
def test_methods_of_ours_are_tested_by_name(home, method, bn_stats):
    flags = [*TEST, "--test_iter=2", f"--method={method}", f"--bn_stats={bn_stats}"]
    result = run("test.py", *flags, "--use_distractors", "--num_dis=1", cwd=home)
    assert result.returncode == 0, result.stderr
    assert f"{method}, last stage" in result.stdout
    assert list((home / "checkpoints" / "small").glob(f"results_*_{method}_*.json"))


@pytest.mark.parametrize(
    "flags",
    [
        ["--train_stages=2", "--train_selection=hard", "--train_hard_selection=2"],
        ["--train_num_dis=1", "--unlabeled_balance=dirichlet:2"],
        ["--method=support"],
        ["--method=label_propagation", "--method_settings=neighbours=3"],
    ],
)
def test_training_takes_stages_selection_and_method(home, flags):
    name = "_".join(re.findall(r"\w+", " ".join(flags)))
    result = run("train.py", *TRAIN, f"--exp_name={name}", *flags, cwd=home)
    assert result.returncode == 0, result.stderr
    assert (home / "checkpoints" / name / "step_2.npz").exists()


@pytest.fixture(name="rates_run")
def fixture_rates_run(home):
    """A run that learns its inner rates; trained once."""
    rates = ["--base_lr=0.02", "--learn_inner_lr"]
    result = run("train.py", *TRAIN, *rates, "--exp_name=rates", cwd=home)
    assert result.returncode == 0, result.stderr
    return home / "checkpoints" / "rates"


def results_of(home, *flags):
    """The accuracies step by step, and the settings, that a test of two episodes stores."""
    result = run("test.py", *TEST, *flags, cwd=home)
    assert result.returncode == 0, result.stderr
    path = home / re.search(r"checkpoints\S+\.json", result.stdout)[0]
    with np.load(path.with_suffix(".npz")) as curves:
        return curves["final"], json.loads(path.read_text())["settings"]


def test_learned_rates_move_and_a_test_goes_by_them(home, rates_run):
    with np.load(rates_run / "step_2.npz") as saved:
        arrays = dict(saved)
    assert arrays["inner_rates/kernel"].shape == (8, 3)
    assert arrays["inner_rates/bias"].shape == (3,)
    # Adam at 0.001: its first step is 0.001, its second at most sqrt(2 (0.09^2 + 0.1^2)) / 0.19 =
    # 1.0014 times that, either way.
    moved = np.abs(arrays["inner_rates/kernel"] - 0.02)
    assert 1e-3 < moved.max() <= 2.0015e-3
    _, settings = results_of(home, "--exp_name=rates", "--test_iter=2")
    assert settings["model"]["learn_inner_lr"] is True
    # At rates of 0 nothing that is learned inside an episode can change an accuracy.
    still = arrays | {n: 0 * a for n, a in arrays.items() if n.startswith("inner_rates/")}
    np.savez(rates_run / "step_3.npz", **still)
    final, _ = results_of(home, "--exp_name=rates", "--test_iter=3", "--bn_stats=calibrated")
    (rates_run / "step_3.npz").unlink()
    assert (final == final[:, :1]).all()
    learner = lst_tf2.load_run(rates_run)
    np.testing.assert_array_equal(learner.inner_rates.kernel, arrays["inner_rates/kernel"])
    learner.start_inner_rates(0.0)
    episode = lst_tf2.sample_episode(home / "data" / "letters", SMALL)
    (*_, last) = lst_tf2.adapt(learner, episode, stages=STAGES)
    np.testing.assert_array_equal(last.classifier.kernel, learner.classifier.kernel)


def test_learned_rates_are_taken_over_from_the_learner_to_start_from(home, rates_run):
    start = ["--meta_finetune", f"--finetune_w_path={rates_run / 'step_2.npz'}"]
    _, settings = results_of(home, "--exp_name=rates", "--test_iter=0", *start)
    assert settings["model"]["learn_inner_lr"] is True
    more = [*TRAIN, "--metatrain_iterations=1", *start]
    learning = ["--learn_inner_lr", "--meta_lr=0", "--min_meta_lr=0"]
    for name, flags in (("on", learning), ("off", [])):
        result = run("train.py", *more, *flags, f"--exp_name={name}", cwd=home)
        assert result.returncode == 0, result.stderr
    with (
        np.load(rates_run / "step_2.npz") as before,
        np.load(home / "checkpoints" / "on" / "step_1.npz") as on,
        np.load(home / "checkpoints" / "off" / "step_1.npz") as off,
    ):
        np.testing.assert_array_equal(on["inner_rates/kernel"], before["inner_rates/kernel"])
        assert not [name for name in off.files if "rates" in name]


def test_rates_that_are_not_there_are_one_line(home, rates_run):
    result = run("test.py", *TEST, "--test_iter=2", "--learn_inner_lr", cwd=home)
    assert_refused(result, "learn_inner_lr=False, as checkpoints/small", "(--learn_inner_lr)")
    back = [f"--input={rates_run / 'step_2.npz'}", "--output=old", "--to_tf1", "--img_size=16"]
    result = run("convert_tf1_weights.py", *back, cwd=home)
    assert_refused(result, "one rate for all inner steps", "received learned ones")


def test_methods_that_cannot_be_had_are_one_line(home):
    for flags, texts in (
        (["--method=lts"], ["method to be one of lst, graph_lst", "received 'lts'", "(--method)"]),
        (["--method=no_such_module:build"], ["the module no_such_module", "(--method)"]),
        (["--method=support", "--method_settings=a=1"], ["received a", "(--method_settings)"]),
        (["--method_settings=a"], ["key=value", "(--method_settings)"]),
    ):
        assert_refused(run("test.py", *TEST, "--test_iter=2", *flags, cwd=home), *texts)


def test_rows_outside_are_one_line(home):
    (home / "outside.py").write_text(
        "import dataclasses, tensorflow as tf\n"
        "from lst_tf2.adaptation import lst\n"
        "from lst_tf2.adaptation.method import Selection\n"
        "def build(config: lst.LstConfig, learner):\n"
        "    wrong = lambda evidence, probs: Selection(tf.constant([99]), probs[:1])\n"
        "    return dataclasses.replace(lst.build(config, learner), select=wrong)\n"
    )
    for flag in ("batch", "calibrated"):
        flags = ["--test_iter=2", "--method=outside:build", f"--bn_stats={flag}"]
        result = run("test.py", *TEST, *flags, cwd=home)
        assert_refused(result, "`select` of the method outside:build to return rows of 0 to 8")


def test_import_is_silent_and_leaves_tensorflow_alone():
    code = "import sys, lst_tf2; assert 'tensorflow' not in sys.modules; lst_tf2.METHODS"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    assert (result.stdout, result.stderr) == (b"", b"")


def test_every_name_that_is_offered_is_there():
    for name in lst_tf2.__all__:
        assert getattr(lst_tf2, name).__doc__ or name in ("__version__", "METHODS")
    with pytest.raises(AttributeError, match="no attribute 'learn'"):
        lst_tf2.learn  # noqa: B018 - what is asked for


def test_queries_do_not_reach_a_method(home):
    learner = lst_tf2.load_run(home / "checkpoints" / "small")
    episode = lst_tf2.sample_episode(home / "data" / "letters", SMALL)
    others = lst_tf2.Examples(255 - episode.query.inputs, episode.query.labels)
    for method in lst_tf2.METHODS:
        one, two = (
            lst_tf2.adapt(learner, e, method, stages=STAGES)
            for e in (episode, episode._replace(query=others))
        )
        for left, right in zip(one, two, strict=True):
            np.testing.assert_array_equal(left.classifier.kernel, right.classifier.kernel)
            np.testing.assert_array_equal(left.chosen.rows, right.chosen.rows)


def test_notebook_tests_as_the_command_does(home):
    flags = ["--protocol=standard", "--bn_stats=calibrated", "--test_iter=2"]
    result = run("test.py", *TEST, *flags, cwd=home)
    assert result.returncode == 0, result.stderr
    path = re.search(r"checkpoints\S+\.json", result.stdout)[0]
    summary = json.loads((home / path).read_text())
    fields = SelfTrainingConfig.__dataclass_fields__
    told = {k: v for k, v in summary["settings"]["self_training"].items() if k in fields}
    told["method_settings"] = tuple(told["method_settings"])
    found = lst_tf2.meta_test(
        home / "checkpoints" / "small",
        home / "data" / "letters",
        lst_tf2.EpisodeConfig(3, 1, 15, 3),
        2,
        self_training=SelfTrainingConfig(**told),
    )
    assert found.summary["last_step"] == summary["last_step"]


def test_runs_and_folders_that_are_not_there_are_told(home, tmp_path):
    with pytest.raises(lst_tf2.InputError, match=r"Expected a run in .*found no config.json"):
        lst_tf2.load_run(tmp_path)
    with pytest.raises(lst_tf2.InputError, match="step_7"):
        lst_tf2.load_run(home / "checkpoints" / "small", "7")
    (tmp_path / "config.json").write_text('{"settings": {"model": {"filters": "many"}}}')
    with pytest.raises(lst_tf2.InputError, match="the settings of a model in"):
        lst_tf2.load_run(tmp_path)
