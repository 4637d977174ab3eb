"""Statistics of batch norm that do not depend on the batch.

The backbone normalizes by the batch at hand. Averaged over many batches of base-class images,
these statistics serve any image, whose features are then its own: each image of a test is
embedded once, whatever episodes and windows it is in.
"""

from collections.abc import Iterable

import tensorflow as tf

from lst_tf2.models.layers import ChannelStats
from lst_tf2.models.learner import scale_pixels
from lst_tf2.models.normalizers import RecordingNormalizer
from lst_tf2.models.resnet12 import ResNet12


def calibrate(backbone: ResNet12, batches: Iterable[tf.Tensor]) -> list[ChannelStats]:
    """Returns the statistics of all images of `batches`, one for each convolution.

    Args:
        backbone: With batch norm.
        batches: Images `[B, H, W, 3]`, uint8 in 0..255, all of one size `B`.

    Raises:
        ValueError: If there are no batches.
    """

    @tf.function
    def channel_stats(images: tf.Tensor) -> list[ChannelStats]:
        recorder = RecordingNormalizer(backbone.blocks[0].norm)
        backbone(scale_pixels(images), normalizer=recorder)
        return recorder.stats

    stats = [channel_stats(images) for images in batches]
    if not stats:
        raise ValueError("Expected one batch of images or more, received none; pass some.")
    return [_pool(layer) for layer in zip(*stats, strict=True)]


def _pool(batches: tuple[ChannelStats, ...]) -> ChannelStats:
    """Returns the statistics of several batches of one size taken together."""
    means = tf.stack([stats.mean for stats in batches])
    variances = tf.stack([stats.variance for stats in batches])
    mean, spread = tf.nn.moments(means, axes=[0])
    return ChannelStats(mean, tf.reduce_mean(variances, axis=0) + spread)
