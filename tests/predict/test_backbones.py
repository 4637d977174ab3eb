"""Tests of `predict/backbones.py`, `predict/backbone_names.py`, `predict/applications.py`,
`predict/loading.py` and `predict/our_backbones.py`.
"""

import dataclasses
import pickle
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError
from lst_tf2.models.layers import ChannelStats
from lst_tf2.models.learner import Learner
from lst_tf2.models.normalizers import FixedNormalizer
from lst_tf2.predict.applications import list_applications
from lst_tf2.predict.backbones import from_model
from lst_tf2.predict.folding import fold
from lst_tf2.predict.loading import list_backbones, load_backbone
from lst_tf2.predict.our_backbones import from_arrays
from lst_tf2.runs.checkpoints import CheckpointStore
from tests.builders import begin_run, write_data_set

CONFIG = ModelConfig(filters=(3, 4), image_size=16)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 16, 16, 3), np.uint8)


def learner_of(config):
    """A learner whose scales and shifts are learned ones, and statistics for it."""
    learner = Learner(config, way=3)
    for variables, centre in ((learner.backbone.scales, 1), (learner.backbone.shifts, 0)):
        for variable in variables:
            variable.assign(centre + RNG.normal(0, 0.2, variable.shape))
    stats = [
        ChannelStats(
            tf.constant(RNG.normal(0, 0.1, n), tf.float32),
            tf.constant(RNG.uniform(0.5, 2, n), tf.float32),
        )
        for n in (conv.out_channels for conv in learner.backbone.convs)
    ]
    return learner, stats


@dataclasses.dataclass(frozen=True)
class Run:
    """What `config.json` of a run holds of interest here."""

    model: ModelConfig
    data_folder: str


def write_run(folder, config, data_folder=""):
    learner, stats = learner_of(config)
    begin_run(folder, Run(config, str(data_folder)), overwrite=False)
    CheckpointStore(folder, learner.named_variables()).save(7)
    return learner, stats


@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm", "None"])
@pytest.mark.parametrize("activation", ["leaky_relu", "relu", "None"])
def test_a_learner_folds_into_plain_layers(norm, activation, tmp_path):
    config = dataclasses.replace(CONFIG, norm=norm, activation=activation)
    learner, stats = learner_of(config)
    folded = fold(learner.backbone, stats if norm == "batch_norm" else [])
    arrays = {f"backbone/{name}": array for name, array in folded.items()}
    weighing = learner.soft_weighting.named_variables()
    arrays |= {f"soft_weighting/{name}": array.numpy() for name, array in weighing.items()}
    backbone = from_arrays(tmp_path, config, arrays, name="run", statistics="these")
    normalizer = FixedNormalizer(learner.backbone.convs, stats) if norm == "batch_norm" else None
    expected = learner.embed(tf.constant(PIXELS), normalizer)
    found = backbone.embed(tf.constant(PIXELS))
    np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.embeddings, expected.embeddings, rtol=1e-4, atol=1e-4)
    assert {type(layer).__module__.split(".")[0] for layer in backbone.model.layers} == {"keras"}
    for name, variable in backbone.soft_weighting.named_variables().items():
        np.testing.assert_array_equal(variable, weighing[name])


@pytest.mark.slow
def test_statistics_are_those_of_base_classes_where_they_are(tmp_path):
    data = write_data_set(tmp_path / "data", images_per_pool=20)
    write_run(tmp_path / "run", CONFIG, data)
    backbone = load_backbone(tmp_path / "run", own_pixels=lambda _: pytest.fail("not needed"))
    assert backbone.statistics == f"images of the base classes in {data}"


def test_statistics_are_those_of_the_pictures_at_hand_where_there_are_no_others(tmp_path):
    learner, _ = write_run(tmp_path / "run", CONFIG)
    backbone = load_backbone(tmp_path / "run", own_pixels=lambda size: PIXELS[:, :size, :size])
    assert backbone.statistics == "the 5 pictures at hand"
    # The batch at hand is that of the statistics, so both normalize alike.
    expected = learner.embed(tf.constant(PIXELS)).embeddings
    found = backbone.embed(tf.constant(PIXELS)).embeddings
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_another_image_size_leaves_the_soft_weighting_network_out(tmp_path):
    write_run(tmp_path / "run", CONFIG)
    larger = np.tile(PIXELS, (1, 2, 2, 1))
    backbone = load_backbone(tmp_path / "run", 24, own_pixels=lambda side: larger[:, :side, :side])
    assert backbone.image_size == 24
    assert backbone.soft_weighting is None


def plain_model(shape, outputs):
    inputs = keras.Input(shape)
    return keras.Model(inputs, outputs(inputs))


def test_maps_vectors_and_tokens_are_embedded():
    for outputs, shape in (
        (keras.layers.AveragePooling2D(4), (4, 4, 3)),
        (keras.layers.Reshape((256, 3)), (1, 1, 3)),
        (keras.layers.GlobalAveragePooling2D(), (1, 1, 3)),
    ):
        backbone = from_model("any", plain_model((16, 16, 3), outputs))
        features = backbone.embed(tf.constant(PIXELS))
        np.testing.assert_allclose(features.embeddings, PIXELS.mean(axis=(1, 2)), rtol=1e-5)
        assert features.maps.shape == (5, *shape)


def test_channels_may_come_first():
    model = plain_model((3, 16, 16), keras.layers.Permute((1, 3, 2)))
    maps = from_model("any", model).embed(tf.constant(PIXELS)).maps
    np.testing.assert_array_equal(maps, PIXELS.transpose(0, 2, 1, 3))


def test_a_model_of_any_size_gets_the_size_asked_for():
    model = plain_model((None, None, 3), keras.layers.GlobalMaxPooling2D())
    assert from_model("any", model, 20).image_size == 20
    assert from_model("any", model).image_size == 224


@pytest.mark.parametrize(
    ("shape", "outputs", "image_size", "message"),
    [
        (
            (16, 12, 3),
            lambda x: x,
            None,
            "square images as the backbone any, received one of",
        ),
        (
            (16, 16, 3),
            lambda x: x,
            20,
            "image_size=16, which is that of the backbone any",
        ),
        ((16, 16, 4), lambda x: x, None, r"any to take one image, \[B, H, W, 3\] or"),
        ((16, 16, 3), lambda x: [x, x], None, "vectors .* of the backbone any, received list"),
        ((3,), lambda x: x, None, "any to take one image"),
    ],
)
def test_other_models_are_refused(shape, outputs, image_size, message):
    with pytest.raises(InputError, match=message):
        from_model("any", plain_model(shape, outputs), image_size)


@pytest.mark.slow
def test_applications_have_their_own_preprocessing(tmp_path):
    kwargs = {"include_top": False, "input_shape": (32, 32, 3)}
    network = keras.applications.MobileNetV2(weights=None, **kwargs)
    network.save_weights(tmp_path / "own.weights.h5")
    backbone = load_backbone("keras:MobileNetV2", 32, tmp_path / "own.weights.h5")
    pixels = RNG.integers(0, 256, (2, 32, 32, 3), np.uint8)
    scaled = keras.applications.mobilenet_v2.preprocess_input(pixels.astype(np.float32))
    expected = network(scaled, training=False)
    np.testing.assert_allclose(backbone.embed(tf.constant(pixels)).maps, expected, atol=1e-4)


def test_networks_go_by_name():
    assert list_backbones()[:2] == ["cifar_fs", "glyphs"]
    assert {"keras:EfficientNetV2B0", "keras:MobileNetV3Small"} <= set(list_backbones())
    assert len(list_applications()) > 30


def test_what_is_no_backbone_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.keras").write_text("nothing")
    (tmp_path / "text.h5").write_text("nothing")

    for backbone, weights, message in (
        (
            "gliphs",
            None,
            "Expected a backbone: one of cifar_fs, glyphs, .*, received 'gliphs'",
        ),
        (tmp_path / "empty", None, "Expected a run in .*empty, found no config.json"),
        (tmp_path / "text.keras", None, "Expected a Keras model of layers that Keras .*text.keras"),
        ("keras:Glyphs", None, "Expected a network of keras.applications .*, received 'Glyphs'"),
        (
            "keras:MobileNet",
            tmp_path / "text.h5",
            "weights of keras:MobileNet without .*h5",
        ),
        ("keras:VGG19", tmp_path / "gone.h5", "weights of keras:VGG19 without its top layer in"),
        ("glyphs", "text.h5", "weights beside a backbone keras:<network>"),
    ):
        with pytest.raises(InputError, match=message):
            load_backbone(backbone, 32 if weights else None, weights)


def test_weights_that_cannot_be_fetched_are_told(monkeypatch):
    def refuse(*_, **__):
        raise Exception("URL fetch failure on https://...")

    family = sys.modules[keras.applications.VGG16.__module__]
    utils = getattr(family, "file_utils", None) or family.data_utils
    monkeypatch.setattr(utils, "get_file", refuse)
    with pytest.raises(InputError, match=r"received no answer \(URL fetch .* pass weights=<file>"):
        load_backbone("keras:VGG16", 32)


@pytest.mark.slow
def test_a_backbone_can_be_copied():
    backbone = load_backbone("glyphs")
    pixels = tf.constant(RNG.integers(0, 256, (2, 32, 32, 3), np.uint8))
    expected = backbone.embed(pixels).embeddings
    copied = pickle.loads(pickle.dumps(backbone))
    np.testing.assert_allclose(copied.embed(pixels).embeddings, expected, rtol=1e-5)
    assert copied.digest == backbone.digest
