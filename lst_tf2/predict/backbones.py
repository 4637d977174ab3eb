"""What a backbone is here: a Keras model from pixels to maps or vectors."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.errors import check
from lst_tf2.models.soft_weighting import SoftWeightingNetwork
from lst_tf2.structures import Features

# Where a network takes any size and none is asked for.
DEFAULT_SIZE = 224
RANKS = (2, 3, 4)


@dataclasses.dataclass(frozen=True)
class Backbone:
    """Holds a network that embeds pictures.

    Attributes:
        name: What people call it.
        model: From pixels `[B, s, s, 3]` float32 in 0..255 to maps `[B, H, W, D]`, or to vectors
            `[B, D]`; each picture's are its own, whatever the batch.
        image_size: Side `s` in pixels.
        config: Of our own architecture; None: any other.
        soft_weighting: The network of `lst` that weighs pseudo-labels, where there is one.
        statistics: Which images the statistics of batch norm are of.
        tuned: What `lst tune` chose for it: settings by name, by method.
    """

    name: str
    model: keras.Model
    image_size: int
    config: ModelConfig | None = None
    soft_weighting: SoftWeightingNetwork | None = None
    statistics: str = "its own"
    tuned: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def digest(self) -> str:
        """What tells its embeddings from those of another."""
        digest = hashlib.blake2b(f"{self.image_size}".encode(), digest_size=8)
        for weight in self.model.get_weights():
            digest.update(f"{weight.shape}".encode() + np.ascontiguousarray(weight).tobytes())
        return digest.hexdigest()

    @functools.cached_property
    def embed(self) -> Callable[[tf.Tensor], Features]:
        """The graph from pixels `[B, s, s, 3]` uint8 to maps and embeddings `[B, D]`."""

        @tf.function(reduce_retracing=True)
        def embed(pixels: tf.Tensor) -> Features:
            outputs = tf.cast(self.model(tf.cast(pixels, tf.float32), training=False), tf.float32)
            if outputs.shape.rank == 4:
                return Features(outputs, tf.reduce_mean(outputs, axis=[1, 2]))
            return Features(outputs[:, tf.newaxis, tf.newaxis], outputs)

        return embed

    def __getstate__(self) -> dict:
        """Returns what can be copied and pickled: all but the traced graph."""
        return {name: value for name, value in vars(self).items() if name != "embed"}


def from_model(name: str, model: keras.Model, image_size: int | None = None) -> Backbone:
    """Returns any Keras model as a backbone.

    Args:
        name: What people call it.
        model: From one batch of pixels, float32 in 0..255, `[B, H, W, 3]` or `[B, 3, H, W]`, to
            one tensor: maps, in the same order, or tokens `[B, T, D]`, or vectors `[B, D]`.
        image_size: Side of the images in pixels, where the model takes any.

    Raises:
        InputError: If it has other inputs or outputs.
    """
    shape, is_channels_first = _input_of(name, model)
    size = shape[0] or image_size or DEFAULT_SIZE
    check(
        size == shape[1] or not shape[1],
        f"a network of square images as the backbone {name}",
        f"one of {shape[0]}x{shape[1]}",
        "pass another",
    )
    check(
        image_size in (None, size),
        f"image_size={size}, which is that of the backbone {name}",
        image_size,
        "leave image_size out or build the network for yours",
        "image_size",
    )
    pixels = keras.Input((size, size, 3), name="pixels")
    inputs = keras.layers.Permute((3, 1, 2))(pixels) if is_channels_first else pixels
    outputs = model(inputs)
    check(
        hasattr(outputs, "shape") and len(outputs.shape) in RANKS,
        f"maps [B, H, W, D] or vectors [B, D] of the backbone {name}",
        getattr(outputs, "shape", type(outputs).__name__),
        "cut the network where it gives one of these",
    )
    if len(outputs.shape) == 3:
        outputs = keras.layers.GlobalAveragePooling1D()(outputs)
    elif len(outputs.shape) == 4 and is_channels_first:
        outputs = keras.layers.Permute((2, 3, 1))(outputs)
    return Backbone(name, keras.Model(pixels, outputs, name="backbone"), size)


def _input_of(name: str, model: keras.Model) -> tuple[tuple[int | None, int | None], bool]:
    """Returns height and width that a model takes, and whether channels come before them."""
    shape = getattr(model, "input_shape", None)
    is_image = isinstance(shape, tuple) and len(shape) == 4 and 3 in (shape[1], shape[3])
    expected = f"the backbone {name} to take one image, [B, H, W, 3] or [B, 3, H, W]"
    check(is_image, expected, shape, "build the network for that")
    is_channels_first = shape[3] != 3
    return (shape[2:] if is_channels_first else shape[1:3]), is_channels_first
