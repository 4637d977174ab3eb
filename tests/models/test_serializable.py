"""Configs, weight files and summaries: the ways of Keras beside our own checkpoints."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError
from lst_tf2.models.layers import BatchStatsNorm, ExampleNorm, ScaleShiftConv
from lst_tf2.models.learner import InnerRates, Learner, LinearHead, PretrainModel
from lst_tf2.models.resnet12 import ResidualBlock, ResNet12
from lst_tf2.models.soft_weighting import SoftWeightingNetwork

SMALL = ModelConfig(filters=(4, 8), image_size=16)
OTHER = ModelConfig(
    (3, 5, 7), 8, "relu", "layer_norm", "bfloat16", recompute=True, learn_inner_lr=True
)
RATES = ModelConfig(filters=(4, 8), image_size=16, learn_inner_lr=True)
MODELS = {
    "learner": lambda config=SMALL: Learner(config, way=3),
    "learner with rates": lambda config=RATES: Learner(config, way=3),
    "pretrain": lambda config=SMALL: PretrainModel(config, num_classes=6),
}
PARTS = {
    "backbone": lambda: ResNet12(OTHER, name="backbone"),
    "soft_weighting": lambda: SoftWeightingNetwork(OTHER),
    "block": lambda: ResidualBlock(4, 8, OTHER, name="block7"),
    "convolution": lambda: ScaleShiftConv(4, 8, is_centred=True),
    "rates": lambda: InnerRates(8, 3),
    "head": lambda: LinearHead(8, 3, trainable=False),
    "batch_norm": BatchStatsNorm,
    "layer_norm": ExampleNorm,
}


def random_images(count=5):
    return np.random.default_rng(0).random((count, 16, 16, 3), np.float32)


def shapes(layer):
    return [tuple(variable.shape) for variable in layer.weights]


def sizes(model, prefix=""):
    named = model.named_variables().items()
    return sum(int(np.prod(v.shape)) for name, v in named if name.startswith(prefix))


def assert_same_but_for_values(actual, expected):
    assert type(actual) is type(expected)
    assert actual.get_config() == expected.get_config()
    assert shapes(actual) == shapes(expected)
    assert actual.built


def scramble(model):
    rng = np.random.default_rng(1)
    for variable in model.named_variables().values():
        variable.assign(rng.normal(size=variable.shape))


@pytest.fixture(name="model", params=MODELS)
def fixture_model(request):
    model = MODELS[request.param]()
    scramble(model)
    return model


@pytest.mark.parametrize("build", (MODELS | PARTS).values(), ids=MODELS | PARTS)
def test_configs_are_plain_and_enough_to_build_again(build):
    made = build()
    config = made.get_config()
    assert json.loads(json.dumps(config)) == config
    assert_same_but_for_values(type(made).from_config(config), made)
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    assert stored["registered_name"] == f"lst_tf2>{type(made).__name__}"
    assert_same_but_for_values(keras.saving.deserialize_keras_object(stored), made)


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_every_setting_of_the_model_comes_back(build):
    made = build(OTHER)
    again = type(made).from_config(made.get_config())
    assert again.config == again.backbone.config == OTHER
    assert hash(again.config) == hash(OTHER)  # Tuples are tuples again.


def test_settings_out_of_bounds_are_refused():
    config = MODELS["learner"]().get_config()
    config["config"]["image_size"] = 3
    with pytest.raises(InputError, match="image size of at least 4 pixels"):
        Learner.from_config(config)


def test_model_of_the_same_config_and_weights_is_the_same(model):
    expected = model(random_images())
    # What a call leaves behind in a model changes nothing either.
    stored = keras.saving.serialize_keras_object(model)
    again = keras.saving.deserialize_keras_object(stored)
    assert not np.array_equal(again(random_images()), expected)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(random_images()), expected)


def test_weight_files_of_keras_hold_every_variable(model, tmp_path):
    path = str(tmp_path / "x.weights.h5")
    expected = model(random_images())
    values = {name: variable.numpy() for name, variable in model.named_variables().items()}
    model.save_weights(path)
    for variable in model.named_variables().values():
        variable.assign(tf.zeros_like(variable))
    model.load_weights(path)
    for name, variable in model.named_variables().items():
        np.testing.assert_array_equal(variable.numpy(), values[name], err_msg=name)
    np.testing.assert_array_equal(model(random_images()), expected)
    fresh = type(model).from_config(model.get_config())
    fresh.load_weights(path)
    np.testing.assert_array_equal(fresh(random_images()), expected)


def test_weight_files_of_other_models_are_refused(tmp_path):
    path = str(tmp_path / "x.weights.h5")
    MODELS["learner"](ModelConfig(filters=(4, 9), image_size=16)).save_weights(path)
    with pytest.raises(ValueError, match=r"could not be loaded|Shape mismatch"):
        MODELS["learner"]().load_weights(path)


def test_files_of_whole_models_give_the_same_model(model, tmp_path):
    model.save(tmp_path / "x.keras")
    again = keras.saving.load_model(tmp_path / "x.keras")
    assert_same_but_for_values(again, model)
    np.testing.assert_array_equal(again(random_images()), model(random_images()))


@pytest.mark.parametrize("is_called", [False, True])
def test_summaries_count_all_parameters(model, is_called):
    if is_called:
        model(random_images())
    texts = []
    model.summary(expand_nested=True, print_fn=lambda text, **_: texts.append(text))
    lines = "\n".join(texts).splitlines()

    def shown(name):
        line = next(line for line in lines if re.search(rf"\b{name}\b", line))
        *_, count = re.findall(r"\b[\d,]+\b", re.sub(r"\([\d.]+ K?B\)", "", line))
        return int(count.replace(",", ""))

    assert shown("Total params") == shown("Trainable params") == sizes(model)
    for part in {name.split("/")[0] for name in model.named_variables()}:
        assert shown(part) == sizes(model, f"{part}/")
    for block in ("block1", "block2"):
        assert shown(block) == sizes(model, f"backbone/{block}/")
    assert not [line for line in lines if "unbuilt" in line]
