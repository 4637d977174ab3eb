"""The losses of pre-training: the class of an image, and what a recipe asks besides."""

from typing import NamedTuple

import tensorflow as tf

from lst_tf2.config import PretrainConfig
from lst_tf2.models.learner import PretrainModel, scale_pixels
from lst_tf2.structures import Examples
from lst_tf2.training import augmentation
from lst_tf2.training.augmentation import NUM_TURNS, Augmentation

# Sharpens cosines before their softmax, which would be almost flat.
COSINE_SCALE = 10.0


class Losses(NamedTuple):
    """Holds the loss, and the share of images whose own class is the likeliest."""

    loss: tf.Tensor
    accuracy: tf.Tensor


class PretrainLosses:
    """Computes the loss of a batch by the recipe of `config`."""

    def __init__(self, config: PretrainConfig):
        self.config, self.recipe = config, config.recipe
        self.augment = Augmentation(config.recipe, config.model.image_size)
        self.num_blocks = len(config.model.filters)

    def __call__(self, model: PretrainModel, batch: Examples, step: tf.Tensor, side: int) -> Losses:
        """Augments a batch and returns its losses.

        All draws depend on the seed and on `step` alone, so that a run that goes on after a
        stop sees the images that it would have seen.

        Args:
            model: Backbone and heads.
            batch: Images `[B, H, W, 3]` uint8 and their classes `[B]` int32.
            step: Number of the step from 0, int32 scalar.
            side: Pixels that height and width are resized to before the network.

        Returns:
            The sum of the losses of all heads, and the accuracy of the first.
        """
        recipe = self.recipe
        seed = tf.stack([self.config.seed + 1, step])  # Dropout draws by the seed itself.
        images = augmentation.resize(self.augment(scale_pixels(batch.inputs), seed), side)
        targets = {"head": tf.one_hot(batch.labels, self.config.num_classes)}
        if recipe.turned_share:
            turns = augmentation.draw_turns(len(images), recipe.turned_share, apart(seed, 1))
            images = augmentation.turn(images, turns)
            targets["turn_head"] = tf.one_hot(turns, NUM_TURNS)
        mix = None
        if recipe.mixup:
            mix = augmentation.draw_mix(recipe.mixup, self.num_blocks, apart(seed, 2))
            targets = {name: mix.of(target) for name, target in targets.items()}
        embeddings = model.embed(images, mix=mix, **self._dropout(step))
        logits = {name: head(embeddings) for name, head in model.heads.items()}
        smoothed = targets | {"head": smooth(targets["head"], recipe.label_smoothing)}
        loss = tf.add_n([cross_entropy(smoothed[name], logits[name]) for name in targets])
        if recipe.episodic_weight:
            loss += recipe.episodic_weight * episodic_loss(embeddings, targets["head"])
        hits = tf.argmax(logits["head"], axis=-1, output_type=tf.int32) == batch.labels
        return Losses(loss, tf.reduce_mean(tf.cast(hits, tf.float32)))

    def _dropout(self, step: tf.Tensor) -> dict:
        # Blocks add their number to the second half, hence the distance.
        seed = tf.stack([self.config.seed, step * self.num_blocks])
        return {"keep_probability": self.config.keep_probability, "seed": seed}


def apart(seed: tf.Tensor, number: int) -> tf.Tensor:
    """Returns the seed of a further kind of draws, away from those of augmentation."""
    return seed + tf.constant([100 * number, 0])


def smooth(targets: tf.Tensor, share: float) -> tf.Tensor:
    """Returns targets `[B, N]` of which a `share` is spread over all classes."""
    return targets * (1 - share) + share / targets.shape[-1] if share else targets


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the mean cross-entropy, a scalar, of `[B, N]` targets and logits."""
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def episodic_loss(embeddings: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Returns the loss of telling each example by the class means of the rest of its batch.

    Every example is a query once, and the others are its support; those alone of their class
    count for nothing.

    Args:
        embeddings: `[B, D]`.
        targets: `[B, N]`, how much each example is of each class.

    Returns:
        Mean cross-entropy of cosines between examples and means, a scalar.
    """
    squares = tf.reduce_sum(embeddings**2, axis=1, keepdims=True)
    sums = tf.matmul(targets, embeddings, transpose_a=True)
    products = tf.matmul(embeddings, sums, transpose_b=True)
    # The sum of a class without the example is `sum - target * embedding`.
    dots = products - targets * squares
    norms = tf.reduce_sum(sums**2, axis=1) - 2 * targets * products + targets**2 * squares
    cosines = dots * tf.math.rsqrt(tf.maximum(norms * squares, 1e-12))
    is_there = tf.reduce_sum(targets, axis=0) - targets > 1e-3
    logits = tf.where(is_there, COSINE_SCALE * cosines, -1e9)
    shares = tf.where(is_there, targets, 0.0)
    losses = tf.nn.softmax_cross_entropy_with_logits(shares, logits)
    return tf.reduce_sum(losses) / tf.maximum(tf.reduce_sum(shares), 1.0)
