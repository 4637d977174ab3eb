"""Graphs of neighbours among embeddings."""

import tensorflow as tf

# Keeps what nothing reaches finite in divisions.
TINY = 1e-12


def cosine_graph(embeddings: tf.Tensor, neighbours: int, power: float) -> tf.Tensor:
    """Returns a symmetric graph `[B, B]` of powers of cosines, 0 but among neighbours.

    Args:
        embeddings: `[B, D]` of norm 1.
        neighbours: How many each example has; it can be the neighbour of more.
        power: That of the cosine; negative ones count as 0.

    Returns:
        0 or more; twice the power where both are neighbours of each other.
    """
    cosines = tf.matmul(embeddings, embeddings, transpose_b=True)
    is_near, _ = nearest(cosines, neighbours)
    return _both_ways(tf.where(is_near, tf.nn.relu(cosines) ** power, 0.0))


def scaled_graph(embeddings: tf.Tensor, neighbours: int, sharpness: float) -> tf.Tensor:
    """Returns a symmetric graph `[B, B]` of similarities by local scale, 0 but among neighbours.

    The similarity is `exp(-sharpness * d / (s t))` of the squared distance `d` (half of it, as
    1 less the cosine) where `s` and `t` are the distances of both ends to the last of their
    neighbours: near is near by the standards of the place (Zelnik-Manor and Perona, 2004).

    Args:
        embeddings: `[B, D]` of norm 1.
        neighbours: How many each example has; it can be the neighbour of more.
        sharpness: How fast similarity falls with distance; 0: not at all.

    Returns:
        In 0..2; twice the similarity where both are neighbours of each other.
    """
    cosines = tf.matmul(embeddings, embeddings, transpose_b=True)
    is_near, last = nearest(cosines, neighbours)
    scales = tf.sqrt(tf.nn.relu(1 - last) + TINY)
    exponents = tf.nn.relu(1 - cosines) / (scales * tf.transpose(scales))
    return _both_ways(tf.where(is_near, tf.exp(-sharpness * exponents), 0.0))


def nearest(cosines: tf.Tensor, neighbours: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns which examples are the neighbours of each, and the cosine to the last of them.

    Args:
        cosines: `[B, B]`.
        neighbours: How many each example has, itself not among them.

    Returns:
        `[B, B]` bool, more where they are equally near, and `[B, 1]`.
    """
    count = cosines.shape[0]
    others = tf.linalg.set_diag(cosines, tf.fill([count], cosines.dtype.min))
    last = tf.math.top_k(others, min(neighbours, count - 1)).values[:, -1:]
    return others >= last, last


def normalize_both_ways(graph: tf.Tensor) -> tf.Tensor:
    """Returns `D^-1/2 W D^-1/2` of a symmetric graph `W` `[B, B]` with degrees `D`."""
    degrees = tf.math.rsqrt(tf.reduce_sum(graph, axis=1) + TINY)
    return graph * (degrees[:, tf.newaxis] * degrees)


def _both_ways(graph: tf.Tensor) -> tf.Tensor:
    return graph + tf.transpose(graph)
