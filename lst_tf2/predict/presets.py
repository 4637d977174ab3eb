"""Folders that hold a backbone: `config.json`, weights, and a model card.

Arrays are in `.npz` files, other networks than ours in `.keras` files; nothing in them is run.
"""

import dataclasses
import pathlib
from typing import Any

import keras
import numpy as np

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError, check
from lst_tf2.predict.backbone_names import CONFIG
from lst_tf2.predict.backbones import Backbone, from_model
from lst_tf2.predict.folding import plain_variables
from lst_tf2.predict.our_backbones import WEIGHING, from_arrays
from lst_tf2.runs.checkpoints import read_arrays
from lst_tf2.runs.run_folder import COMPUTE_SETTINGS, LEARNER_SETTINGS
from lst_tf2.runs.tuned import read_tuned, write_tuned
from lst_tf2.storage.arrays import write_arrays
from lst_tf2.storage.files import checksum_of, read_json, write_bytes, write_json
from lst_tf2.storage.packing import pack, unpack

FORMAT = "lst_tf2 backbone 1"
WEIGHTS, MODEL, CARD = "weights.npz", "backbone.keras", "README.md"
# Our architecture, any Keras model, or none: embeddings are passed.
OURS, KERAS, NONE = KINDS = ("resnet12", "keras", "none")
# How a run computed, and what is no part of a backbone.
LEFT_OUT = (*COMPUTE_SETTINGS, *LEARNER_SETTINGS)


def is_preset(folder: pathlib.Path) -> bool:
    """Returns whether a folder says that it holds a backbone, not a run."""
    path = folder / CONFIG
    return path.is_file() and "format" in read_json(path)


def read_config(folder: pathlib.Path) -> dict[str, Any]:
    """Returns what `config.json` says.

    Raises:
        InputError: If it is of another version or damaged.
    """
    path = folder / CONFIG
    config = read_json(path, format=str)
    received, remedy = repr(config["format"]), "use the version of lst_tf2 that made the folder"
    check(config["format"] == FORMAT, f"the format {FORMAT!r} in {path}", received, remedy)
    kind = config.get("kind")
    check(
        kind in KINDS, f"kind to be one of {', '.join(KINDS)} in {path}", repr(kind), "restore it"
    )
    types = {"name": str, "statistics": str} | ({"model": dict} if kind == OURS else {})
    return read_json(path, **types)


def read_backbone(folder: pathlib.Path, image_size: int | None = None) -> Backbone:
    """Returns the backbone that `write_backbone` kept.

    Raises:
        InputError: If the folder is of another version, damaged, or lacks a file.
    """
    config, path = read_config(folder), folder / WEIGHTS
    name, statistics, tuned = config["name"], config["statistics"], read_tuned(folder)
    if config["kind"] != OURS:
        found = from_model(name, _read_model(folder, config), image_size)
        return dataclasses.replace(found, statistics=statistics, tuned=tuned)
    try:
        model = ModelConfig.from_plain(config["model"])
    except (TypeError, ValueError) as error:
        check(False, f"a model in {folder / CONFIG}", f"{config['model']} ({error})", "restore it")
    arrays = unpack(read_arrays(path), path)
    found = from_arrays(path, model, arrays, image_size, name=name, statistics=statistics)
    return dataclasses.replace(found, tuned=tuned)


def _read_model(folder: pathlib.Path, config: dict) -> keras.Model:
    path, expected = folder / MODEL, config.get("sha256")  # Earlier versions kept none.
    found = checksum_of(path) if expected and path.is_file() else expected
    check(found == expected, f"{path} as it was written", "other content", "restore it")
    return read_keras_model(path)


def write_backbone(folder: pathlib.Path, backbone: Backbone | None, precision: str) -> None:
    """Writes a backbone into an existing folder.

    Args:
        folder: Gets `config.json`, the weights and a model card.
        backbone: None: there is none.
        precision: Of our kernels, one of `lst_tf2.storage.packing.PRECISIONS`.

    Raises:
        InputError: If it is none of these.
    """
    config = {"format": FORMAT, "kind": NONE, "name": "none", "statistics": "none"}
    if backbone is not None:
        told = {"name": backbone.name, "statistics": backbone.statistics}
        config |= {"kind": KERAS, **told, "image_size": backbone.image_size}
        write_bytes(folder / CARD, model_card(backbone).encode())
        for method, values in backbone.tuned.items():
            write_tuned(folder, method, values)
    if backbone is not None and backbone.config is None:
        backbone.model.save(folder / MODEL)
        config["sha256"] = checksum_of(folder / MODEL)
    elif backbone is not None:
        settings = dataclasses.asdict(backbone.config)
        settings["image_size"] = backbone.image_size
        config |= {"kind": OURS, "model": {k: settings[k] for k in settings if k not in LEFT_OUT}}
        write_arrays(folder / WEIGHTS, pack(weights_of(backbone), precision), is_packed=True)
    write_json(folder / CONFIG, config, sealed=True)


def weights_of(backbone: Backbone) -> dict[str, np.ndarray]:
    """Returns the arrays of a backbone of our architecture by name."""
    variables = {f"backbone/{n}": v for n, v in plain_variables(backbone.model).items()}
    if backbone.soft_weighting is not None:
        named = backbone.soft_weighting.named_variables()
        variables |= {f"{WEIGHING}{n}": v for n, v in named.items()}
    return {name: variable.numpy() for name, variable in variables.items()}


def model_card(backbone: Backbone) -> str:
    """Returns what there is to say of a backbone, as Markdown."""
    weights = sum(int(np.prod(weight.shape)) for weight in backbone.model.weights)
    *grid, width = backbone.model.output_shape[1:]
    return f"""# {backbone.name}

A backbone for `lst_tf2.LSTClassifier(backbone="<this folder>")`.

- Input: RGB images of {backbone.image_size}x{backbone.image_size} pixels, values 0..255.
- Output: embeddings of {width} numbers{f", from maps of {grid[0]}x{grid[1]}" if grid else ""}.
- Weights: {weights:,}; statistics of batch norm: {backbone.statistics}.
- Soft weighting network of `lst`: {"yes" if backbone.soft_weighting else "no"}.
"""


def read_keras_model(path: pathlib.Path) -> keras.Model:
    """Returns the model that a `.keras` file holds; code in it is refused, not run.

    Raises:
        InputError: If it is no such file, or needs layers that are not there.
    """
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything.
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"Expected a Keras model of layers that Keras {keras.__version__} knows in {path}, "
            f"received something else ({reason}); save it as .keras with this version."
        ) from error
    check(isinstance(model, keras.Model), f"a Keras model in {path}", type(model), "save one")
    return model
