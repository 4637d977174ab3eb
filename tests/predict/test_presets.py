"""Tests of `predict/presets.py` and `storage/packing.py`."""

import json
import shutil

import keras
import numpy as np
import pytest

from lst_tf2 import LSTClassifier
from lst_tf2.errors import InputError
from lst_tf2.predict.backbone_names import PRESETS
from lst_tf2.predict.loading import load_backbone
from lst_tf2.predict.presets import MODEL, WEIGHTS
from lst_tf2.runs.tuned import write_tuned
from lst_tf2.storage.files import read_json
from lst_tf2.storage.packing import pack, unpack
from tests.faults import flip_bit


@pytest.fixture(name="fitted", scope="module")
def fixture_fitted(letters):
    return LSTClassifier(cache=False).fit(letters.images, letters.labels)


def test_presets_are_small_and_say_what_they_are():
    for folder in PRESETS.iterdir():
        most = {"glyphs": 1e6, "cifar_fs": 18e6}[folder.name]
        assert sum(path.stat().st_size for path in folder.iterdir()) < most
        assert f"# {folder.name}\n" in (folder / "README.md").read_text()
        assert load_backbone(folder.name).name == folder.name


@pytest.mark.slow
def test_a_fitted_classifier_comes_back(fitted, letters, tmp_path):
    fitted.save_pretrained(tmp_path / "kept")
    again = LSTClassifier.from_pretrained(tmp_path / "kept", cache=False)
    for ask in ("predict_proba", "none_proba", "transform"):
        expected = getattr(fitted, ask)(letters.query_images)
        np.testing.assert_allclose(getattr(again, ask)(letters.query_images), expected, atol=1e-6)
    np.testing.assert_array_equal(
        again.predict(letters.query_images), fitted.predict(letters.query_images)
    )
    assert again.accuracy_estimate_ == fitted.accuracy_estimate_
    assert (again.method, again.reject) == ("graph_lst", True)
    assert {path.suffix for path in (tmp_path / "kept").iterdir()} == {".json", ".npz", ".md"}


def test_a_folder_that_is_written_again_is_read_again(tmp_path):
    for size in (20, 28):
        network = keras.Sequential([keras.Input((size, size, 3)), keras.layers.Conv2D(5, 5, 5)])
        LSTClassifier(network).save_pretrained(tmp_path / "kept", overwrite=True)
        assert load_backbone(tmp_path / "kept").image_size == size
        assert load_backbone(tmp_path / "kept") is load_backbone(tmp_path / "kept")


@pytest.mark.slow
def test_a_backbone_without_a_fit_is_kept_too(letters, tmp_path):
    LSTClassifier().save_pretrained(tmp_path / "kept", precision="int8")
    classifier = LSTClassifier.from_pretrained(tmp_path / "kept", reject=False)
    classifier.fit(letters.images, letters.labels)
    expected = LSTClassifier(reject=False).fit(letters.images, letters.labels)
    found = classifier.predict_proba(letters.query_images)
    np.testing.assert_allclose(found, expected.predict_proba(letters.query_images), atol=1e-5)


@pytest.mark.slow
def test_other_networks_are_kept_whole(letters, tmp_path):
    inputs = keras.Input((20, 20, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(5, 5, 5)(inputs))
    fitted = LSTClassifier(network).fit(letters.support_images, letters.support_labels)
    fitted.save_pretrained(tmp_path / "kept")
    again = LSTClassifier.from_pretrained(tmp_path / "kept")
    expected = fitted.predict_proba(letters.query_images)
    np.testing.assert_allclose(again.predict_proba(letters.query_images), expected, atol=1e-6)
    path = tmp_path / "kept" / MODEL
    flip_bit(path, 4 * path.stat().st_size)
    with pytest.raises(InputError, match=r"backbone.keras as it was written, received other"):
        LSTClassifier.from_pretrained(tmp_path / "kept")


@pytest.mark.slow
def test_embeddings_need_no_backbone(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 6)) + np.repeat([[3.0], [-3.0]], 10, axis=0)
    fitted = LSTClassifier(None).fit(points, np.repeat(["up", "down"], 10))
    fitted.save_pretrained(tmp_path / "kept")
    again = LSTClassifier.from_pretrained(tmp_path / "kept")
    np.testing.assert_array_equal(again.predict(points), fitted.predict(points))


def test_nothing_is_written_over_unasked(fitted, tmp_path):
    fitted.save_pretrained(tmp_path / "kept")
    with pytest.raises(InputError, match="received an earlier one; pass overwrite"):
        fitted.save_pretrained(tmp_path / "kept")
    fitted.save_pretrained(tmp_path / "kept", overwrite=True)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="received something else; name another folder"):
        fitted.save_pretrained(tmp_path / "other", overwrite=True)


def test_what_is_replaced_stays_until_the_new_is_whole(fitted, tmp_path, monkeypatch):
    fitted.save_pretrained(tmp_path / "kept")
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fitted.save_pretrained(tmp_path / "kept", overwrite=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_a_folder_does_not_say_where_to_write_or_what_to_load(fitted, tmp_path):
    fitted.save_pretrained(tmp_path / "kept")
    parameters = {
        "cache": str(tmp_path / "there"),
        "backbone": "x",
        "weights": "y",
        "reject": False,
    }
    edit(tmp_path / "kept" / "classifier.json", parameters=parameters)
    again = LSTClassifier.from_pretrained(tmp_path / "kept")
    assert (again.cache, again.weights, again.reject) == (True, None, False)
    assert again.backbone == str(tmp_path / "kept")


def edit(path, **values):
    path.write_text(json.dumps(read_json(path) | values))


def edit_arrays(path, change=None, **values):
    with np.load(path) as file:
        arrays = dict(file)
    arrays |= values
    arrays.pop(change, None)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: edit(f / "config.json", format="lst_tf2 backbone 9"),
            "use the version of",
        ),
        (lambda f: edit(f / "config.json", kind="resnet"), "Expected kind to be one of"),
        (lambda f: edit(f / "config.json", model={"layers": 3}), "Expected a model in"),
        (lambda f: edit(f / "config.json", model=None), "Expected JSON in"),
        (lambda f: (f / "config.json").write_text("{"), "Expected JSON in"),
        (lambda f: (f / "weights.npz").unlink(), "Expected a checkpoint at .*found none"),
        (lambda f: (f / "weights.npz").write_bytes(b"PK"), "received a damaged file"),
        (
            lambda f: edit_arrays(f / "weights.npz", "backbone/block1_conv1/bias"),
            "backbone/block1_conv1/bias is missing",
        ),
        (
            lambda f: edit_arrays(f / "weights.npz", extra=np.ones(2)),
            "extra is unknown",
        ),
        (
            lambda f: edit_arrays(
                f / "weights.npz",
                **{"backbone/block1_conv1/bias": np.array("x")},
            ),
            "Expected numbers as backbone/block1_conv1/bias",
        ),
        (
            lambda f: edit_arrays(f / "classifier.npz", "kernel"),
            "that fit together",
        ),
        (
            lambda f: edit_arrays(f / "classifier.npz", bias=np.ones(3)),
            "that fit together",
        ),
        (
            lambda f: edit_arrays(f / "classifier.npz", classes=np.array([{}] * 5)),
            "received a damaged file",
        ),
        (lambda f: edit(f / "classifier.json", estimate={}), "Expected an estimate in"),
        (lambda f: edit(f / "classifier.json", temperature="warm"), "Expected JSON in"),
    ],
)
def test_damaged_folders_are_refused(damage, message, fitted, tmp_path):
    fitted.save_pretrained(tmp_path / "kept")
    damage(tmp_path / "kept")
    with pytest.raises(InputError, match=message):
        LSTClassifier.from_pretrained(tmp_path / "kept")


def test_code_in_a_network_is_refused(tmp_path):
    inputs = keras.Input((20, 20, 3))
    outputs = keras.layers.Lambda(lambda x: x)(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "lambda.keras")
    with pytest.raises(InputError, match=r"Expected a Keras model .* in .*lambda.keras"):
        load_backbone(tmp_path / "lambda.keras")


def test_packing_is_off_by_half_a_level():
    rng = np.random.default_rng(0)
    arrays = {
        "kernel": rng.normal(size=(3, 3, 4, 5)).astype(np.float32),
        "bias": np.float32([1, 2]),
    }
    packed = pack(arrays, "int8")
    assert packed["kernel"].dtype == np.int8
    whole = unpack(packed, "here")
    assert whole.keys() == arrays.keys()
    largest = np.abs(arrays["kernel"]).max(axis=(0, 1, 2))
    assert (np.abs(whole["kernel"] - arrays["kernel"]) <= 0.5001 * largest / 127).all()
    del packed["kernel:factor"]
    with pytest.raises(InputError, match="a factor for each channel of kernel in here"):
        unpack(packed, "here")


@pytest.mark.slow
def test_half_precision_is_half_of_the_bytes(letters, tmp_path):
    LSTClassifier().save_pretrained(tmp_path / "whole")
    LSTClassifier().save_pretrained(tmp_path / "half", precision="float16")
    whole, half = ((tmp_path / name / WEIGHTS).stat().st_size for name in ("whole", "half"))
    assert half < 0.7 * whole  # Of kernels that are 8-bit numbers already, packed.
    pixels = letters.query_images
    found, expected = (
        LSTClassifier(tmp_path / name).fit(letters.images, letters.labels).transform(pixels)
        for name in ("half", "whole")
    )
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())
    with pytest.raises(InputError, match="precision to be one of float32, float16, int8"):
        LSTClassifier().save_pretrained(tmp_path / "other", precision="int4")
    assert not (tmp_path / "other").exists()


def test_a_preset_can_be_copied_and_named_by_its_folder(tmp_path):
    shutil.copytree(PRESETS / "glyphs", tmp_path / "mine")
    assert load_backbone(tmp_path / "mine").digest == load_backbone("glyphs").digest


@pytest.mark.slow
def test_what_was_tuned_for_a_backbone_counts_and_is_kept(letters, tmp_path):
    shutil.copytree(PRESETS / "glyphs", tmp_path / "mine")
    write_tuned(tmp_path / "mine", "graph_lst", {"keep_above": 0.999999, "rounds": 2})
    classifier = LSTClassifier(tmp_path / "mine").fit(letters.images, letters.labels)
    assert not classifier.stages_[0].weights.any()  # Nothing is that sure.
    given = LSTClassifier(tmp_path / "mine", method_settings={"keep_above": 0.5})
    assert given.fit(letters.images, letters.labels).stages_[0].weights.any()
    classifier.save_pretrained(tmp_path / "kept")
    kept = load_backbone(tmp_path / "kept")
    assert kept.tuned == {"graph_lst": {"keep_above": 0.999999, "rounds": 2}}
    write_tuned(tmp_path / "mine", "graph_lst", {"keep_over": 0.9})
    with pytest.raises(InputError, match=r"graph_lst .* in tuned\.json of the backbone glyphs"):
        LSTClassifier(tmp_path / "mine").fit(letters.images, letters.labels)
