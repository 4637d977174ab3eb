"""The structures that travel between the parts, and the glossary of shape letters.

Shape letters, used in every docstring:

    T  episodes in a meta-batch      S  support examples, N * K
    N  way, classes per episode      Q  query examples
    K  shot, labeled per class       U  unlabeled examples
    D  width of an embedding         X  distractor examples kept apart from U
    B  any batch                     H, W, C  height, width, channels

Sets: *support* (labeled), *query* (judged), *unlabeled* (self-trained on), *distractor*
(unlabeled images of classes outside the episode). "val" names a split of the classes.
"""

from typing import Any, NamedTuple

# Tensors, arrays and nested specs all travel in these structures.
Array = Any

DISTRACTOR_LABEL = -1


class Episode(NamedTuple):
    """Holds one few-shot problem; with a leading `T` axis, a meta-batch of them.

    Images are uint8 in 0..255 or float32 in 0..1. Labels are int32 in 0..N-1;
    `unlabeled_labels` serve reporting only and hold -1 where the image is of none of
    the N classes.
    """

    support_images: Array  # [S, H, W, 3]
    support_labels: Array  # [S]
    query_images: Array  # [Q, H, W, 3]
    query_labels: Array  # [Q]
    unlabeled_images: Array  # [U, H, W, 3]
    unlabeled_labels: Array  # [U]
    distractor_images: Array  # [X, H, W, 3]; X is 0 where there are none


class Features(NamedTuple):
    """Holds what the backbone makes of a batch of images, float32."""

    maps: Array  # [B, H, W, D], the last block's output
    embeddings: Array  # [B, D], its mean over the map


class Classifier(NamedTuple):
    """Holds the last, linear layer, the only part that adapts inside an episode."""

    kernel: Array  # [D, N] float32
    bias: Array  # [N] float32


class Examples(NamedTuple):
    """Holds embeddings with the labels to learn or to judge them by."""

    embeddings: Array  # [B, D] float32
    labels: Array  # [B] int32
