"""ResNet-12 with scaling and shifting, the backbone of arXiv:1906.00562."""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from lst_tf2.backend import has_fast_bfloat16
from lst_tf2.config import ModelConfig
from lst_tf2.models.layers import ScaleShiftConv, UncastLayer, activate, build_norm, convolve
from lst_tf2.models.normalizers import Normalizer
from lst_tf2.models.serializable import Rebuildable, registered

CONVS_PER_BLOCK = 3


@registered
class ResidualBlock(UncastLayer):
    """Applies three convolutions beside a 1x1 shortcut, then halves the side."""

    def __init__(self, in_channels: int, out_channels: int, config: ModelConfig, **kwargs):
        super().__init__(**kwargs)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.config = config
        self.convs = [
            ScaleShiftConv(
                in_channels if i == 0 else out_channels,
                out_channels,
                is_centred=config.norm == "batch_norm",
                name=f"conv{i + 1}",
            )
            for i in range(CONVS_PER_BLOCK)
        ]
        self.norm = build_norm(config.norm)
        self.shortcut = self.add_weight(
            name="shortcut",
            shape=(1, 1, in_channels, out_channels),
            initializer="glorot_uniform",
            trainable=True,
        )

    def call(self, inputs: tf.Tensor, normalizer: Normalizer | None = None) -> tf.Tensor:
        """Returns `[B, H // 2, W // 2, out_channels]` for `inputs` `[B, H, W, in_channels]`.

        Args:
            inputs: In the precision that is computed in.
            normalizer: Normalizes each convolution; by default the norm of the config.
        """
        normalize = normalizer or self._normalize
        outputs = inputs
        for conv in self.convs:
            outputs = activate(normalize(conv, outputs), self.config.activation)
        # The sum passes on as it is: no norm on the shortcut, no activation after it.
        outputs += convolve(inputs, self.shortcut)
        return tf.nn.max_pool2d(outputs, ksize=2, strides=2, padding="VALID")

    def _normalize(self, conv: ScaleShiftConv, inputs: tf.Tensor) -> tf.Tensor:
        return self.norm(conv(inputs))


@registered
class ResNet12(Rebuildable, keras.Model):
    """Turns images into feature maps by four (or as many as filters) residual blocks."""

    def __init__(self, config: ModelConfig, **kwargs):
        super().__init__(**kwargs)
        self.config, self.precision = config, config.precision
        if config.precision == "auto":
            self.precision = "bfloat16" if has_fast_bfloat16() else "float32"
        channels = (3, *config.filters)
        self.blocks = [
            ResidualBlock(channels[i], channels[i + 1], config, name=f"block{i + 1}")
            for i in range(len(config.filters))
        ]

    @property
    def convs(self) -> list[ScaleShiftConv]:
        """The 3x3 convolutions, from the image upwards."""
        return [conv for block in self.blocks for conv in block.convs]

    def named_variables(self) -> dict:
        """Returns all variables by names that do not depend on Keras."""
        names = {}
        for b, block in enumerate(self.blocks, start=1):
            names[f"block{b}/shortcut"] = block.shortcut
            for i, conv in enumerate(block.convs, start=1):
                for part in ("kernel", "scale", "shift"):
                    names[f"block{b}/conv{i}/{part}"] = getattr(conv, part)
        return names

    @property
    def kernels(self) -> list:
        """Variables that pre-training learns and meta-training freezes."""
        return [conv.kernel for conv in self.convs] + [block.shortcut for block in self.blocks]

    @property
    def scales(self) -> list:
        """Scaling variables, `[1, 1, C_in, C_out]` each; meta-training learns them."""
        return [conv.scale for conv in self.convs]

    @property
    def shifts(self) -> list:
        """Shifting variables, `[C_out]` each; pre-training learns them as biases."""
        return [conv.shift for conv in self.convs]

    def call(
        self,
        images: tf.Tensor,
        keep_probability: float = 1.0,
        seed: tf.Tensor | None = None,
        normalizer: Normalizer | None = None,
        mix: Callable[[tf.Tensor, int], tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """Returns the feature maps of a batch.

        Args:
            images: `[B, H, W, 3]` float32 in 0..1.
            keep_probability: Share of each block's outputs that dropout keeps.
            seed: `[2]` int32, of the dropout masks; needed where that share is below 1.
            normalizer: Normalizes each convolution, in inference; by default the norm of the
                config.
            mix: Changes what goes into a block, by the block's number from 0.

        Returns:
            `[B, H / 16, W / 16, D]` float32 for four blocks.
        """
        outputs = tf.cast(images, self.precision)
        for index, run_block in enumerate(self._block_runs(normalizer)):
            outputs = run_block(mix(outputs, index) if mix else outputs)
            if keep_probability < 1:
                outputs = tf.nn.experimental.stateless_dropout(
                    outputs, rate=1 - keep_probability, seed=tf.stack([seed[0], seed[1] + index])
                )
        return tf.cast(outputs, tf.float32)

    def _block_runs(self, normalizer: Normalizer | None) -> list[Callable[[tf.Tensor], tf.Tensor]]:
        if normalizer is None and self.config.recompute:
            return [tf.recompute_grad(block) for block in self.blocks]
        # No recomputation: a normalizer that keeps what it sees has to see it once.
        return [functools.partial(block, normalizer=normalizer) for block in self.blocks]
