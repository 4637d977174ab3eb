"""The limit: the backbone's convolutions alone, forward and backward as a step needs them.

Nothing lies between them: no norm, no activation, no pooling. They run one after another on
tensors that are there already, in the layout and the kernels that TensorFlow takes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import tensorflow as tf

from lst_tf2.config import ModelConfig

STRIDES = [1, 1, 1, 1]


class Convolution(NamedTuple):
    """Describes one convolution of the backbone."""

    side: int
    in_channels: int
    out_channels: int
    window: int
    is_first: bool  # Reads the image, which needs no gradient.


def convolutions(model: ModelConfig) -> Iterator[Convolution]:
    """Yields the convolutions of the backbone, shortcuts included."""
    side, channels = model.image_size, 3
    for index, width in enumerate(model.filters):
        is_first = index == 0
        yield Convolution(side, channels, width, 3, is_first)
        yield Convolution(side, width, width, 3, is_first=False)
        yield Convolution(side, width, width, 3, is_first=False)
        yield Convolution(side, channels, width, 1, is_first)
        side, channels = side // 2, width


class Tensors:
    """Makes tensors of given shapes once: inputs that are there before the clock runs."""

    def __init__(self, precision: str):
        self.precision, self.made = precision, {}

    def __call__(self, *shape: int) -> tf.Tensor:
        """Returns the tensor of `shape`."""
        if shape not in self.made:
            self.made[shape] = tf.cast(tf.random.normal(shape), self.precision)
        return self.made[shape]


class Run(NamedTuple):
    """Holds the tensors of one convolution of one batch."""

    conv: Convolution
    inputs: tf.Tensor
    kernel: tf.Tensor
    gradient: tf.Tensor  # of the outputs
    is_backward: bool
    learns_shortcuts: bool

    def outputs(self) -> list[tf.Tensor]:
        """Returns what the convolution, and its gradients where they are needed, give."""
        conv, options = self.conv, {"strides": STRIDES, "padding": "SAME"}
        outputs = [tf.nn.conv2d(self.inputs, self.kernel, **options)]
        if self.is_backward and not conv.is_first:
            outputs.append(
                tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=self.inputs.shape,
                    filter=self.kernel,
                    out_backprop=self.gradient,
                    **options,
                )
            )
        if self.is_backward and (conv.window > 1 or self.learns_shortcuts):
            outputs.append(
                tf.raw_ops.Conv2DBackpropFilter(
                    input=self.inputs,
                    filter_sizes=self.kernel.shape,
                    out_backprop=self.gradient,
                    **options,
                )
            )
        return outputs


def limit(
    model: ModelConfig,
    forward: list[int],
    backward: list[int],
    *,
    learns_shortcuts: bool = False,
) -> Callable[[], object]:
    """Returns a call that runs all convolutions of some batches.

    Args:
        model: With the precision to compute in.
        forward: Sizes of the batches that are embedded only.
        backward: Sizes of the batches whose loss is differentiated by the kernels too.
        learns_shortcuts: Whether also by those of the shortcuts, as in pre-training alone.
    """
    tensor = Tensors(model.precision)
    runs = [
        Run(
            conv,
            tensor(batch, conv.side, conv.side, conv.in_channels),
            tensor(conv.window, conv.window, conv.in_channels, conv.out_channels),
            tensor(batch, conv.side, conv.side, conv.out_channels),
            is_backward,
            learns_shortcuts,
        )
        for batches, is_backward in ((forward, False), (backward, True))
        for batch in batches
        for conv in convolutions(model)
    ]

    @tf.function
    def compiled() -> tf.Tensor:
        total = tf.constant(0.0, model.precision)
        for run in runs:
            with tf.control_dependencies([total]):  # One after another.
                for output in run.outputs():
                    total += output[0, 0, 0, 0]
        return total

    return lambda: compiled().numpy()
