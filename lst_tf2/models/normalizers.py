"""What may normalize the backbone's convolutions in place of the norm of its config.

A normalizer takes a convolution and its inputs `[B, H, W, in_channels]` and returns normalized
outputs `[B, H, W, out_channels]` in the type of the inputs. Those here are for inference.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from lst_tf2.models.layers import ChannelStats, ScaleShiftConv

Normalizer = Callable[[ScaleShiftConv, tf.Tensor], tf.Tensor]


class RecordingNormalizer:
    """Normalizes by a layer such as `build_norm` gives, and keeps what it saw.

    Attributes:
        stats: Statistics of the outputs of each convolution, in the order of the pass.
    """

    def __init__(self, norm: Callable[[tf.Tensor], tf.Tensor]):
        self.norm = norm
        self.stats: list[ChannelStats] = []

    def __call__(self, conv: ScaleShiftConv, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the outputs of `conv`, normalized by the layer."""
        outputs = conv(inputs)
        moments = tf.nn.moments(tf.cast(outputs, tf.float32), axes=[0, 1, 2])
        self.stats.append(ChannelStats(*moments))
        return self.norm(outputs)


class FixedNormalizer:
    """Normalizes by given statistics: an image's map does not depend on its batch then."""

    def __init__(self, convs: Sequence[ScaleShiftConv], stats: Sequence[ChannelStats]):
        """Takes one of `stats` for each of `convs`.

        Raises:
            ValueError: If there are more of one than of the other.
        """
        if len(convs) != len(stats):
            raise ValueError(
                f"Expected statistics for each of {len(convs)} convolutions, received "
                f"{len(stats)}; take them from a backbone of the same filters."
            )
        self.stats = dict(zip(convs, stats, strict=True))

    def __call__(self, conv: ScaleShiftConv, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the outputs of `conv`, one of those given, normalized by its statistics."""
        return conv.normalized(inputs, self.stats[conv])
