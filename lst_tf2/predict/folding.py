"""Our backbone as ordinary Keras layers: scales and statistics folded into the convolutions.

What is built here needs none of this package's classes, wherever it is saved and loaded.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from lst_tf2.config import ModelConfig
from lst_tf2.models.layers import (
    BATCH_NORM_EPSILON,
    LAYER_NORM_EPSILON,
    LEAKY_SLOPE,
    ChannelStats,
    ScaleShiftConv,
)
from lst_tf2.models.resnet12 import CONVS_PER_BLOCK, ResNet12

SLOPES = {"leaky_relu": LEAKY_SLOPE, "relu": 0.0}


def build_plain(config: ModelConfig, image_size: int) -> keras.Model:
    """Returns the backbone without weights: pixels `[B, H, W, 3]` in 0..255 to maps.

    Args:
        config: Filters, activation and norm; a `batch_norm` is one of the convolutions.
        image_size: Side of the images in pixels, H and W.
    """
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    outputs = keras.layers.Rescaling(1 / 255, name="rescaling")(pixels)
    for number, width in enumerate(config.filters, start=1):
        name = f"block{number}"
        shortcut = keras.layers.Conv2D(width, 1, use_bias=False, name=f"{name}_shortcut")(outputs)
        for i in range(1, CONVS_PER_BLOCK + 1):
            conv = keras.layers.Conv2D(width, 3, padding="same", name=f"{name}_conv{i}")
            outputs = _finish(conv(outputs), config, f"{name}_conv{i}")
        outputs = keras.layers.Add(name=f"{name}_sum")([outputs, shortcut])
        outputs = keras.layers.MaxPooling2D(2, name=f"{name}_pool")(outputs)
    return keras.Model(pixels, outputs, name="backbone")


def _finish(outputs, config: ModelConfig, name: str):
    """Returns what a convolution gives after norm and activation."""
    if config.norm == "layer_norm":
        outputs = keras.layers.LayerNormalization(
            axis=(1, 2, 3),
            epsilon=LAYER_NORM_EPSILON,
            center=False,
            scale=False,
            name=f"{name}_norm",
        )(outputs)
    if config.activation in SLOPES:
        # A name and an argument that Keras 2 and 3 share.
        slope = SLOPES[config.activation]
        outputs = keras.layers.ReLU(negative_slope=slope, name=f"{name}_relu")(outputs)
    return outputs


def fold(backbone: ResNet12, stats: Sequence[ChannelStats]) -> dict[str, np.ndarray]:
    """Returns the weights of the layers that `build_plain` makes, `<layer>/kernel` and `/bias`.

    Args:
        backbone: The learned one.
        stats: Of each convolution with batch norm; none for other norms.
    """
    arrays, left = {}, list(stats)
    for number, block in enumerate(backbone.blocks, start=1):
        arrays[f"block{number}_shortcut/kernel"] = block.shortcut.numpy()
        for i, conv in enumerate(block.convs, start=1):
            kernel, bias = _fold_conv(conv, left.pop(0) if left else None)
            arrays |= {
                f"block{number}_conv{i}/kernel": kernel,
                f"block{number}_conv{i}/bias": bias,
            }
    return arrays


def _fold_conv(conv: ScaleShiftConv, stats: ChannelStats | None) -> tuple[np.ndarray, np.ndarray]:
    kernel = conv.kernel.numpy() * conv.scale.numpy()
    if stats is None:
        return kernel, conv.shift.numpy()
    # The shift goes with the mean that is taken out.
    factor = 1 / np.sqrt(stats.variance.numpy() + BATCH_NORM_EPSILON)
    return kernel * factor, -stats.mean.numpy() * factor


def plain_variables(model: keras.Model) -> dict[str, Any]:
    """Returns the variables of what `build_plain` made by the names that `fold` gives."""
    return {
        f"{layer.name}/{part}": variable
        for layer in model.layers
        for part, variable in zip(("kernel", "bias"), layer.weights, strict=False)
    }
