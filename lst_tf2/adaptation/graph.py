"""Graphs of neighbours among embeddings."""

import tensorflow as tf

# Keeps what nothing reaches finite in divisions.
TINY = 1e-12


def nearest_graph(embeddings: tf.Tensor, neighbours: int, power: float) -> tf.Tensor:
    """Returns a symmetric graph `[B, B]` of similarities, 0 but among neighbours.

    Args:
        embeddings: `[B, D]` of norm 1.
        neighbours: How many each example has; it can be the neighbour of more.
        power: That of the cosine; negative ones count as 0.

    Returns:
        0 or more; twice the similarity where both are neighbours of each other.
    """
    similarities = tf.nn.relu(tf.matmul(embeddings, embeddings, transpose_b=True)) ** power
    count = embeddings.shape[0]
    similarities = tf.linalg.set_diag(similarities, tf.zeros([count]))  # Nobody's own neighbour.
    nearest = tf.math.top_k(similarities, min(neighbours, count - 1)).values
    graph = tf.where(similarities >= nearest[:, -1:], similarities, 0.0)
    return graph + tf.transpose(graph)
