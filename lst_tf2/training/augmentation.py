"""What a training image goes through before the network sees it: the same again for a seed."""

from typing import NamedTuple

import keras
import tensorflow as tf

from lst_tf2.config import RecipeConfig

NUM_TURNS = 4  # Of an image, by quarters of a circle.


class Augmentation:
    """Flips, shifts and tints images by layers of Keras, each image by draws of its own."""

    def __init__(self, config: RecipeConfig, image_size: int):
        """Builds a layer for each kind of change that the recipe has.

        Args:
            config: Whether images are flipped, by how many pixels shifted, how much tinted.
            image_size: Pixels of a side, which the shift is a share of.
        """
        unit = {"value_range": (0.0, 1.0)}
        share, jitter = config.crop_pixels / image_size, config.jitter
        layers = keras.layers
        self.layers = [
            *([layers.RandomFlip("horizontal", seed=0)] if config.is_flipped else []),
            *([layers.RandomTranslation(share, share, "reflect", "nearest", 0)] if share else []),
            *([layers.RandomBrightness(jitter, **unit, seed=0)] if jitter else []),
            *([layers.RandomContrast(jitter, seed=0)] if jitter else []),
        ]

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns images `[B, H, W, 3]` float32 in 0..1, augmented, of the same shape."""
        for number, layer in enumerate(self.layers):
            restart_draws(layer, seed + tf.constant([number, 0]))
            images = layer(images, training=True)
        return tf.clip_by_value(images, 0.0, 1.0) if self.layers else images


def restart_draws(layer: keras.layers.Layer, seed: tf.Tensor) -> None:
    """Makes the next draws of a Keras layer depend on `seed` alone, not on those before.

    A run that was stopped and goes on sees the same images as one that never stopped.
    """
    if hasattr(layer, "generator"):
        layer.generator.state.assign(tf.cast(seed, layer.generator.state.dtype))
        return
    draws = layer._random_generator  # Keras 2 has no public name for it.
    draws._maybe_init()
    draws._generator.reset_from_key_counter(tf.cast(seed[0], tf.int64), tf.cast(seed, tf.int64))


def resize(images: tf.Tensor, side: int) -> tf.Tensor:
    """Returns images `[B, side, side, 3]` float32 of `[B, H, W, 3]`."""
    return images if images.shape[1] == side else tf.image.resize(images, [side, side])


def draw_turns(count: int, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Returns by how many quarters of a circle to turn each image, `[count]` int32 in 0..3.

    A `share` of them is turned at all, by 1, 2 or 3 alike.
    """
    draws = tf.random.stateless_uniform([count], seed)
    return tf.where(draws < share, 1 + tf.cast(draws / share * (NUM_TURNS - 1), tf.int32), 0)


def turn(images: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Returns square images `[B, H, H, 3]`, each turned to the left by as many quarters."""
    turns = turns[:, tf.newaxis, tf.newaxis, tf.newaxis]
    images = tf.where(turns % 2 == 1, tf.transpose(images, [0, 2, 1, 3]), images)
    images = tf.where((turns == 1) | (turns == 2), images[:, ::-1], images)
    return tf.where(turns >= 2, images[:, :, ::-1], images)


class Mix(NamedTuple):
    """Mixes each example of a batch with the one at the mirrored place, before a block.

    Manifold mixup (arXiv:1806.05236): `block` is drawn again for each batch. Block 0 mixes the
    images themselves, a later one the maps that reach it. The targets are mixed alike.
    """

    share: tf.Tensor  # Scalar float32 in 0..1, of the example itself.
    block: tf.Tensor  # Scalar int32.

    def __call__(self, inputs: tf.Tensor, block: int) -> tf.Tensor:
        """Returns the inputs `[B, ...]` of a block, mixed where it is the one."""
        return tf.cond(self.block == block, lambda: self.of(inputs), lambda: inputs)

    def of(self, values: tf.Tensor) -> tf.Tensor:
        """Returns mixed values `[B, ...]`."""
        share = tf.cast(self.share, values.dtype)
        return share * values + (1 - share) * tf.reverse(values, [0])


def draw_mix(strength: float, num_blocks: int, seed: tf.Tensor) -> Mix:
    """Returns a mix before one of the blocks, its share from Beta(`strength`, `strength`)."""
    draws = tf.random.stateless_gamma([2], seed, strength)
    block = tf.random.stateless_uniform([], seed + tf.constant([1, 0]), 0, num_blocks, tf.int32)
    # Both draws may underflow where the strength is small.
    return Mix(tf.math.divide_no_nan(draws[0], tf.reduce_sum(draws)), block)
