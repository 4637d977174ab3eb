"""A backbone of any kind in place of a run's, for comparisons of methods."""

from typing import NamedTuple

import keras
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.errors import check
from lst_tf2.evaluation.piles import Subject
from lst_tf2.models.learner import LinearHead
from lst_tf2.models.soft_weighting import SoftWeightingNetwork
from lst_tf2.predict.backbone_names import find_folder
from lst_tf2.predict.backbones import Backbone


class Adapted(NamedTuple):
    """Holds what methods read of a learner."""

    classifier: LinearHead
    soft_weighting: SoftWeightingNetwork | None

    def read_inner_rates(self) -> None:
        """Returns None: a backbone comes without learned rates."""


def subject_of(backbone: Backbone, way: int, seed: int) -> Subject:
    """Returns a backbone with a classifier of `way` classes drawn from `seed`.

    Raises:
        InputError: If it gives vectors instead of maps.
    """
    shape = backbone.model.output_shape[1:]
    check(len(shape) == 3, f"maps of the backbone {backbone.name}", shape, "name another")
    keras.utils.set_random_seed(seed)
    learner = Adapted(LinearHead(shape[-1], way, name="classifier"), backbone.soft_weighting)

    def embed(images: tf.Tensor) -> tf.Tensor:
        return backbone.embed(images).maps

    return Subject(learner, embed, shape, 0)


def described_by_config(name: str, backbone: Backbone) -> dict:
    """Returns what `PilesConfig` has to know of a backbone, which goes by `name`."""
    filters = backbone.config.filters if backbone.config else (backbone.model.output_shape[-1],)
    return {
        "model": ModelConfig(filters, backbone.image_size),
        "weighting": "soft" if backbone.soft_weighting else "none",
        "run_folder": str(find_folder(name)),
    }
