import pytest
import tensorflow as tf

from lst_tf2.errors import InputError
from lst_tf2.training.profiling import profile
from tests.cli.flag_values import config_of


@pytest.mark.parametrize("name", ["pretrain", "train"])
def test_flag_counts_iterations_from_1(name):
    assert config_of(name, "--profile_steps=2,3").loop.profiled == range(1, 3)
    assert not config_of(name).loop.profiled


@pytest.mark.parametrize("words", ["3,2", "0,2", "2", "a,b", "1,2,3"])
def test_other_values_are_refused(words):
    with pytest.raises(InputError, match="profile_steps"):
        config_of("train", f"--profile_steps={words}")


def test_steps_asked_for_are_recorded(tmp_path):
    called = []

    @tf.function
    def double(value):
        return {"loss": 2.0 * value}

    def step_fn(step, batch):
        called.append(step)
        return double(batch)

    recorded = profile(step_fn, range(1, 3), tmp_path)
    losses = [float(recorded(step, tf.constant(float(step)))["loss"]) for step in range(4)]
    assert losses == [0, 2, 4, 6]
    assert called == [0, 1, 2, 3]
    assert len(list((tmp_path / "logs" / "plugins" / "profile").rglob("*.xplane.pb"))) == 1
    assert profile(step_fn, range(0), tmp_path) is step_fn
