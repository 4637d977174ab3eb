"""A fitted classifier as one plain Keras model, for use without this package."""

import contextlib
import io
import pathlib
import tempfile

import keras

from lst_tf2.errors import check
from lst_tf2.predict.backbones import Backbone
from lst_tf2.predict.fitted import FittedHead
from lst_tf2.predict.training import RADIUS
from lst_tf2.storage.files import new_folder, write_bytes

SUFFIX = ".keras"
LABELS, SAVED_MODEL = "labels.txt", "saved_model.pb"


def build_classifier(backbone: Backbone, head: FittedHead) -> keras.Model:
    """Returns a model from pixels `[B, s, s, 3]` in 0..255 to probabilities `[B, N]`.

    It is made of layers of Keras alone.
    """
    pixels = keras.Input((backbone.image_size, backbone.image_size, 3), name="pixels")
    outputs = backbone.model(pixels)
    if len(outputs.shape) == 4:
        outputs = keras.layers.GlobalAveragePooling2D(name="embeddings")(outputs)
    outputs = keras.layers.UnitNormalization(axis=-1, name="directions")(outputs)
    # The length of an embedding and the temperature go into the weights.
    dense = keras.layers.Dense(len(head.bias), activation="softmax", name="probabilities")
    model = keras.Model(pixels, dense(outputs), name="classifier")
    dense.set_weights([head.kernel * RADIUS / head.temperature, head.bias / head.temperature])
    return model


def export_classifier(
    path: pathlib.Path, model: keras.Model, labels: list[str], *, overwrite: bool
) -> None:
    """Writes a model and the names of its outputs, one a line.

    Args:
        path: `<name>.keras`, beside which `<name>.labels.txt` is written; else the folder of a
            SavedModel, which gets `labels.txt`.
        model: Any.
        labels: Of its outputs, in order.
        overwrite: Whether what is there may be replaced.

    Raises:
        InputError: If there is something already.
    """
    check_export(path, overwrite=overwrite)
    text = "".join(f"{label}\n" for label in labels).encode()
    if path.suffix == SUFFIX:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, path.name)
            model.save(file)
            write_bytes(path, file.read_bytes())
        write_bytes(path.with_suffix(f".{LABELS}"), text)
        return
    with new_folder(path) as folder:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras would list all variables.
            model.export(str(folder))
        write_bytes(folder / LABELS, text)


def check_export(path: pathlib.Path, *, overwrite: bool) -> None:
    """Raises `InputError` unless a model can be written to `path`."""
    is_ours = path.is_file() if path.suffix == SUFFIX else (path / SAVED_MODEL).is_file()
    remedy = "pass overwrite, or name another" if is_ours else "name another"
    is_free = not path.exists() or (overwrite and is_ours)
    check(is_free, f"nothing at {path} yet", "something", remedy, "export", "overwrite")
