"""The structures that travel between the parts, and the glossary of shape letters.

Shape letters, used in every docstring:

    T  episodes in a meta-batch      S  support examples, N * K
    N  way, classes per episode      Q  query examples
    K  shot, labeled per class       U  unlabeled examples
    D  width of an embedding         X  distractor examples kept apart from U
    B  any batch                     H, W, C  height, width, channels

Sets: *support* (labeled), *query* (evaluated on), *unlabeled* (self-trained on), *distractor*
(unlabeled images of classes outside the episode). "val" names a split of the classes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

# Tensors, arrays and nested specs all travel in these structures.
Array = Any

DISTRACTOR_LABEL = -1


class Examples(NamedTuple):
    """Holds examples with their labels.

    What an example holds changes along the road: the row of its image in the catalogue
    (int32), the image (`[H, W, 3]`, uint8 in 0..255 or float32 in 0..1), its features.
    """

    inputs: Any  # [B, ...]
    labels: Array  # [B] int32

    def map_inputs(self, fn: Callable[[Any], Any]) -> "Examples":
        """Returns the examples with `fn` applied to what they hold."""
        return Examples(fn(self.inputs), self.labels)


class Episode(NamedTuple):
    """Holds one few-shot problem; with a leading `T` axis, a meta-batch of them.

    Labels are in 0..N-1, and -1 where an example is of none of the N classes. Those of
    unlabeled examples and distractors serve reporting only.
    """

    support: Examples  # S
    query: Examples  # Q
    unlabeled: Examples  # U
    distractors: Examples  # X, kept apart from U; 0 where there are none


def map_inputs(fn: Callable[[Any], Any], episode: Episode) -> Episode:
    """Returns the episode with `fn` applied to what the examples of each set hold."""
    return Episode(*(examples.map_inputs(fn) for examples in episode))


class Features(NamedTuple):
    """Holds what the backbone makes of a batch of images, float32."""

    maps: Array  # [B, H, W, D], the last block's output
    embeddings: Array  # [B, D], its mean over the map


class Classifier(NamedTuple):
    """Holds the last, linear layer, the only part that adapts inside an episode."""

    kernel: Array  # [D, N] float32
    bias: Array  # [N] float32
