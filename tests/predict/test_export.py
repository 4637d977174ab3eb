"""Tests of `predict/export.py` and `predict/folding.py`."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from lst_tf2 import LSTClassifier
from lst_tf2.errors import InputError
from lst_tf2.predict.pictures import fit_pixels

# Run where this package cannot be imported, from the model and the pixels to the probabilities.
ELSEWHERE = """
import sys
sys.modules["lst_tf2"] = None
import numpy as np
pixels = np.load("pixels.npy")
if sys.argv[1].endswith(".keras"):
    import keras
    probs = keras.saving.load_model(sys.argv[1], compile=False).predict(pixels, verbose=0)
else:
    import tensorflow as tf
    model = tf.saved_model.load(sys.argv[1])
    probs = model.serve(tf.constant(pixels)).numpy()
np.save("probs.npy", probs)
"""


@pytest.mark.large
@pytest.mark.parametrize("name", ["model.keras", "model"])
@pytest.mark.parametrize("method", ["graph_lst", "lst"])
def test_a_classifier_works_without_this_package(name, method, letters, tmp_path):
    fitted = LSTClassifier(method=method).fit(letters.images, letters.labels)
    fitted.export(tmp_path / name)
    pixels = [fit_pixels(image, 32, "") for image in letters.query_images]
    np.save(tmp_path / "pixels.npy", np.float32(pixels))
    subprocess.run([sys.executable, "-c", ELSEWHERE, name], cwd=tmp_path, check=True)
    expected = fitted.predict_proba(letters.query_images)
    np.testing.assert_allclose(np.load(tmp_path / "probs.npy"), expected, atol=1e-5)
    labels = tmp_path / ("model.labels.txt" if "." in name else "model/labels.txt")
    assert labels.read_text().split() == list(fitted.classes_)


@pytest.mark.slow
def test_all_layers_are_those_of_keras(letters, tmp_path):
    fitted = LSTClassifier().fit(letters.support_images, letters.support_labels)
    fitted.export(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    layers = [*model.layers, *model.get_layer("backbone").layers]
    assert {type(layer).__module__.split(".")[0] for layer in layers} == {"keras"}
    assert "Conv2D" in {type(layer).__name__ for layer in layers}


@pytest.mark.slow
def test_any_network_can_be_exported(letters, tmp_path):
    inputs = keras.Input((3, 20, 20))
    outputs = keras.layers.Permute((2, 3, 1))(inputs)
    outputs = keras.layers.Flatten()(keras.layers.AveragePooling2D(5)(outputs))
    fitted = LSTClassifier(keras.Model(inputs, outputs)).fit(letters.images, letters.labels)
    fitted.export(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    pixels = np.float32([fit_pixels(image, 20, "") for image in letters.query_images])
    expected = fitted.predict_proba(letters.query_images)
    np.testing.assert_allclose(model(tf.constant(pixels)), expected, atol=1e-5)


@pytest.mark.slow
def test_nothing_is_written_over_unasked(letters, tmp_path):
    fitted = LSTClassifier().fit(letters.support_images, letters.support_labels)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="received something; name another"):
        fitted.export(tmp_path / "other", overwrite=True)
    for name in ("model.keras", "model"):
        fitted.export(tmp_path / name)
        with pytest.raises(InputError, match="received something; pass overwrite"):
            fitted.export(tmp_path / name)
        fitted.export(tmp_path / name, overwrite=True)
    points = np.array([[1.0, 0], [0, 1]])
    with pytest.raises(InputError, match="a classifier of images to export"):
        LSTClassifier(None).fit(points, [0, 1]).export(tmp_path / "points")
