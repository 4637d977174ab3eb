"""Backbones of our own architecture, from folded weights and from the folders of runs."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.evaluation.calibrated import (
    CALIBRATION_BATCH_SIZE,
    CALIBRATION_BATCHES,
    estimate_statistics,
)
from lst_tf2.models.calibration import calibrate
from lst_tf2.models.layers import ChannelStats
from lst_tf2.models.learner import Learner
from lst_tf2.models.soft_weighting import SoftWeightingNetwork
from lst_tf2.predict.backbones import Backbone
from lst_tf2.predict.folding import build_plain, fold, plain_variables
from lst_tf2.runs.checkpoints import assign, find_checkpoint, read_arrays
from lst_tf2.runs.run_folder import read_model
from lst_tf2.runs.tuned import read_tuned
from lst_tf2.storage.files import read_json

# Gives pixels [n, s, s, 3] uint8 of the pictures at hand, by the side s.
OwnPixels = Callable[[int], np.ndarray]
WEIGHING = "soft_weighting/"


def from_arrays(
    path: pathlib.Path,
    config: ModelConfig,
    arrays: dict[str, np.ndarray],
    image_size: int | None = None,
    *,
    name: str,
    statistics: str,
) -> Backbone:
    """Returns the backbone of the folded weights `arrays`, which were read from `path`.

    Args:
        path: For errors.
        config: Filters, activation, norm, and the size that it was trained with.
        arrays: `backbone/<layer>/<kernel or bias>` as `fold` gives them, and `soft_weighting/...`
            or none of these.
        image_size: In pixels; by default that of `config`. Another leaves the soft weighting
            network out, as its size is fixed.
        name: What people call it.
        statistics: Which images the statistics of batch norm are of.

    Raises:
        InputError: If the arrays are not those of `config`; names them all.
    """
    size = image_size or config.image_size
    model = build_plain(config, size)
    variables = {f"backbone/{n}": v for n, v in plain_variables(model).items()}
    soft_weighting = None
    if any(name.startswith(WEIGHING) for name in arrays):
        soft_weighting = SoftWeightingNetwork(config, name="soft_weighting")
        weighing = soft_weighting.named_variables()
        variables |= {f"{WEIGHING}{n}": v for n, v in weighing.items()}
    assign(path, arrays, variables, only_these=True)
    fitting = soft_weighting if size == config.image_size else None
    return Backbone(name, model, size, config, fitting, statistics)


def from_run(
    folder: pathlib.Path, own_pixels: OwnPixels | None, image_size: int | None = None
) -> Backbone:
    """Returns the backbone of the last checkpoint of a run, ours or a converted one.

    The statistics of batch norm are those of its base classes where their images are there, else
    those of the pictures at hand.

    Args:
        folder: Of a meta-trained run, or of pre-trained weights.
        own_pixels: Gives the pixels of the pictures at hand; None: there are none.
        image_size: In pixels; by default that of the run.

    Raises:
        InputError: If there is no such run, it is damaged, or there are no images at all.
    """
    config, path = read_model(folder), find_checkpoint(folder, "last")
    arrays, learner = read_arrays(path), Learner(config, way=1)
    named = {f"backbone/{n}": v for n, v in learner.backbone.named_variables().items()}
    assign(path, arrays, named)
    stats, statistics = [], "its own"
    if config.norm == "batch_norm":
        stats, statistics = _statistics(folder, learner, own_pixels, image_size)
    folded = {f"backbone/{n}": array for n, array in fold(learner.backbone, stats).items()}
    folded |= {n: array for n, array in arrays.items() if n.startswith(WEIGHING)}
    told = {"name": folder.name, "statistics": statistics}
    found = from_arrays(path, config, folded, image_size, **told)
    return dataclasses.replace(found, tuned=read_tuned(folder))


def _statistics(
    folder: pathlib.Path,
    learner: Learner,
    own_pixels: OwnPixels | None,
    image_size: int | None,
) -> tuple[list[ChannelStats], str]:
    """Returns the statistics of each convolution, and which images they are of."""
    settings = read_json(folder / "config.json", settings=dict)["settings"]
    data = settings.get("train_list", settings).get("data_folder", "")
    if own_pixels is None or (data and (pathlib.Path(data) / "labeled_train").is_dir()):
        stats = estimate_statistics(learner, data, learner.config, seed=0)
        return stats, f"images of the base classes in {data}"
    pixels = own_pixels(image_size or learner.config.image_size)
    most = CALIBRATION_BATCHES * CALIBRATION_BATCH_SIZE
    chosen = np.random.default_rng(0).permutation(len(pixels))[:most]
    # Batches of one size; a few pictures are one batch.
    size = min(CALIBRATION_BATCH_SIZE, len(chosen))
    starts = range(0, len(chosen) - size + 1, size)
    batches = (tf.constant(pixels[chosen[start : start + size]]) for start in starts)
    return calibrate(learner.backbone, batches), f"the {size * len(starts)} pictures at hand"
