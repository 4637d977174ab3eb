"""Tests of `runs/tuned.py` and `adaptation/tunable.py`."""

import pytest

from lst_tf2.adaptation.tunable import search_space, values_of, with_settings
from lst_tf2.config import METHODS, SelfTrainingConfig
from lst_tf2.errors import InputError
from lst_tf2.runs.tuned import read_tuned, with_tuned, write_tuned

LST = SelfTrainingConfig()
LP = SelfTrainingConfig(method="label_propagation")


def test_choices_of_methods_stand_beside_each_other(tmp_path):
    assert read_tuned(tmp_path) == {}
    write_tuned(tmp_path, "lst", {"num_stages": 2})
    write_tuned(tmp_path, "label_propagation", {"alpha": 0.8})
    assert write_tuned(tmp_path, "lst", {"num_stages": 6}) == tmp_path / "tuned.json"
    assert read_tuned(tmp_path) == {"lst": {"num_stages": 6}, "label_propagation": {"alpha": 0.8}}


def test_tuned_settings_are_taken_where_none_are_given(tmp_path):
    tuned = {"num_stages": 2, "retrain_steps": 5, "neighbours": 10, "alpha": 0.5}
    write_tuned(tmp_path, "label_propagation", tuned)
    stages, taken = with_tuned(LP, tmp_path)
    assert taken == tuned
    assert (stages.num_stages, stages.retrain_steps) == (2, 5)
    assert stages.method_settings == ("neighbours=10", "alpha=0.5")
    assert with_tuned(LST, tmp_path) == (LST, {})


def test_what_a_user_gave_wins(tmp_path):
    write_tuned(tmp_path, "label_propagation", {"num_stages": 2, "neighbours": 10, "alpha": 0.5})
    given = with_settings(LP, {"alpha": 0.9, "num_stages": 6})
    stages, taken = with_tuned(given, tmp_path, ["num_stages"])
    assert taken == {"neighbours": 10}
    assert (stages.num_stages, stages.method_settings) == (6, ("alpha=0.9", "neighbours=10"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "tuned.json"),
        ("[]", "tuned.json"),
        ('{"label_propagation": [2]}', "settings by name for label_propagation"),
        ('{"label_propagation": {"alhpa": 0.5}}', r"\(.*alpha.*\) in .*tuned.json.*alhpa=0.5"),
        ('{"label_propagation": {"method": "lst"}}', "method=lst"),
        ('{"label_propagation": {"alpha": "x"}}', "alpha=x"),
        ('{"label_propagation": {"neighbours": 2.5}}', "neighbours=2.5"),
        ('{"label_propagation": {"num_stages": true}}', "num_stages=True"),
        ('{"label_propagation": {"alpha": 2}}', "alpha of at most 0.999, received 2.*tuned.json"),
        ('{"label_propagation": {"retrain_steps": 60}}', "steps_per_stage.*tuned.json"),
    ],
)
def test_damaged_file_is_one_line(text, message, tmp_path):
    (tmp_path / "tuned.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        with_tuned(LP, tmp_path)
    assert "\n" not in str(caught.value)


def test_every_value_to_try_can_be():
    tried = {}
    for method in set(METHODS) - {"label_spreading", "self_training_classifier"}:
        stages = SelfTrainingConfig(method=method)
        tried[method] = search_space(stages)
        for name, values in tried[method].items():
            for value in values:
                assert values_of(with_settings(stages, {name: value}))[name] == value
    assert {name for name, space in tried.items() if space} >= {
        "lst",
        "graph_lst",
        "label_propagation",
        "masked_soft_kmeans",
    }
    assert set(tried["lst"]) == {
        "num_stages",
        "retrain_steps",
        "steps_per_stage",
        "selected_per_class",
    }
    assert "num_stages" not in tried["graph_lst"]


def test_methods_of_others_say_what_to_try(tmp_path, monkeypatch):
    (tmp_path / "searched.py").write_text(
        "import dataclasses\n"
        "from lst_tf2.adaptation.lst import LstConfig\n"
        "from lst_tf2.settings import setting\n"
        "@dataclasses.dataclass(frozen=True, kw_only=True)\n"
        "class Config(LstConfig):\n"
        "    threshold: float = setting(0.8, search=(0.7, 0.9))\n"
        "    plain: int = 3\n"
        "def build(config: Config, learner): ...\n"
        "def build_of_words(words: dict, learner): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    space = search_space(SelfTrainingConfig(method="searched:build"))
    assert space["threshold"] == (0.7, 0.9)
    assert {"num_stages", "selected_per_class"} < space.keys()
    assert "plain" not in space
    words = SelfTrainingConfig(method="searched:build_of_words", method_settings=("a=1",))
    assert (search_space(words), values_of(words)) == ({}, {"a": "1"})
