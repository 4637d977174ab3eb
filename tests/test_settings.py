import dataclasses

import pytest

from lst_tf2 import config
from lst_tf2.errors import InputError
from lst_tf2.settings import (
    FlagRow,
    Settings,
    build,
    flag_values,
    meanings,
    name_flags,
    part,
    setting,
    walk_flags,
)


@dataclasses.dataclass(frozen=True)
class Rate(Settings, group="Speed"):
    """Describes a rate.

    Attributes:
        start: Rate at the
            start.
    """

    start: float = setting(0.5, flag="rate", above=0)
    floor: float = setting(0.1, at_least=0)


@dataclasses.dataclass(frozen=True)
class Run(Settings, group="Run"):
    """Describes a run.

    Attributes:
        mode: How to run.
    """

    folder: str
    mode: str = setting("fast", flag="mode", choices=("fast", "slow"))
    first: Rate = part(Rate(0.9), start="first_rate", floor=("floor", "Floor of both."))
    second: Rate = part(Rate(), group="Second")

    def check(self):
        if self.mode == "slow" and self.first.start > 0.5:
            raise InputError("Expected a low rate; lower it.").about("mode", "start")


def test_flags_come_with_default_meaning_and_heading():
    assert dict(walk_flags(Run)) | {} == {
        "mode": FlagRow("mode", "fast", "How to run.", "Run", str),
        "start": FlagRow("rate", 0.5, "Rate at the start.", "Second", float),
        "floor": FlagRow("floor", 0.1, "Floor of both.", "Speed", float),
    }
    rows = [row for name, row in walk_flags(Run) if name == "start"]
    assert rows[0] == FlagRow("first_rate", 0.9, "Rate at the start.", "Speed", float)


def test_values_go_where_their_flags_belong():
    values = {"first_rate": 0.3, "rate": 0.2, "floor": 0.0, "other": 1}
    run = build(Run, values, {"folder": "here", "second": {"floor": 0.05}})
    assert run == Run("here", "fast", Rate(0.3, 0.0), Rate(0.2, 0.05))
    assert build(Run, {}, {"folder": "x", "second": Rate(0.7)}).second == Rate(0.7)


@pytest.mark.parametrize(
    ("values", "message", "flags"),
    [
        ({"mode": "x"}, "Expected mode to be one of fast, slow, received 'x'", ("mode",)),
        ({"rate": 0}, "a finite start above 0, received 0", ("rate",)),
        ({"first_rate": float("nan")}, "received nan", ("first_rate",)),
        ({"floor": -1}, "floor of at least 0, received -1", ("floor",)),
        ({"mode": "slow"}, "a low rate", ("mode",)),
    ],
)
def test_mistakes_know_their_flags(values, message, flags):
    with pytest.raises(InputError, match=message) as caught:
        build(Run, values, {"folder": "x"})
    assert caught.value.flags == flags


def test_mistake_found_later_is_told_with_every_flag_that_may_mend_it():
    with (
        pytest.raises(InputError) as caught,
        name_flags({"start": " first_rate rate", "mode": "m"}),
    ):
        raise InputError("Expected less.").about("start", "way")
    assert caught.value.flags == ("first_rate", "rate")


@pytest.mark.parametrize(
    "cls", [config.PretrainConfig, config.MetaTrainConfig, config.MetaTestConfig]
)
def test_every_flag_says_what_it_means(cls):
    rows = [row for _, row in walk_flags(cls)]
    assert len(rows) > 10
    for row in rows:
        assert row.flag == "seed" or row.about.endswith("."), row
        assert row.group


def test_docstrings_tell_of_fields_that_there_are():
    todo = [Settings]
    for cls in todo:
        todo += cls.__subclasses__()
        if dataclasses.is_dataclass(cls):
            assert meanings(cls).keys() <= {field.name for field in dataclasses.fields(cls)}, cls
    assert len(todo) > 10


def test_help_names_all_methods():
    about = meanings(config.MetaTestConfig) | meanings(config.InnerLoopConfig)
    assert all(f" {name}," in about["method"] for name in config.METHODS)


def test_values_go_by_the_flags_that_set_them():
    pretraining = config.PretrainConfig("data/x", "run", config.LoopConfig(7, 1, 1, 1))
    found = flag_values(pretraining)
    assert found["pretrain_iterations"] == 7
    assert found["filters"] == "64,128,256,512"
    assert found["pre_lr"] == pretraining.optimizer.initial_lr
    assert "num_steps" not in found
    assert found["data_folder"] == "data/x"
    training = flag_values(config.MetaTrainConfig("run", "start.npz"))
    assert training["train_list.episode.num_distractor_classes"] == 0
    assert training["way_num"] == 5
