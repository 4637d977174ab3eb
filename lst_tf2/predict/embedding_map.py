"""A map of embeddings in two dimensions, whose points show their pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lst_tf2.predict.page import COLOURS

WIDTH, HEIGHT, MARGIN = 760, 520, 24
LEAST_POINTS = 5
PERPLEXITY = 30
# Shapes around (0, 0), so that classes are told apart without colours too.
SHAPES = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
    "M-4,-4h8v8h-8z",
    "M0,-5l5,9h-10z",
    "M0,5l5,-9h-10z",
    "M0,-6l5,6l-5,6l-5,-6z",
    "M-5,-2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
)
CROSS = "M-4,-4l8,8M4,-4l-8,8"


class Point(NamedTuple):
    """Holds an image on the map."""

    embedding: np.ndarray  # [D]
    label: int  # -1: none.
    is_labeled: bool  # By the user.
    about: str
    image: str  # The id of its picture in the page.


class Place(NamedTuple):
    """Holds a point as it is drawn."""

    x: float
    y: float
    shape: str
    colour: str
    is_labeled: bool
    about: str
    image: str


class Map(NamedTuple):
    """Holds what a template draws."""

    width: int
    height: int
    places: list[Place]
    legend: list[tuple[str, str, str]]  # Name, shape, colour.


def draw_map(points: Sequence[Point], classes: Sequence[str]) -> Map | None:
    """Returns the map; None where there are too few images for one."""
    if len(points) < LEAST_POINTS:
        return None
    spots = embed_in_plane(np.stack([point.embedding for point in points]))
    places = [
        Place(
            *(round(float(value), 1) for value in spot),
            *mark_of(point.label),
            point.is_labeled,
            point.about,
            point.image,
        )
        for spot, point in zip(spots, points, strict=True)
    ]
    # What the user labeled lies on top.
    places.sort(key=lambda place: place.is_labeled)
    legend = [(name, *mark_of(number)) for number, name in enumerate(classes)]
    return Map(WIDTH, HEIGHT, places, [*legend, ("no label", *mark_of(-1))])


def mark_of(label: int) -> tuple[str, str]:
    """Returns the shape and the colour of a class, or of no label."""
    if label < 0:
        return CROSS, "currentColor"
    return SHAPES[label % len(SHAPES)], COLOURS[label % len(COLOURS)]


def embed_in_plane(embeddings: np.ndarray) -> np.ndarray:
    """Returns `[n, 2]` places in the frame, near ones for near directions (t-SNE)."""
    from sklearn.manifold import TSNE  # Takes a second to import.
    from threadpoolctl import threadpool_limits

    directions = embeddings - embeddings.mean(axis=0)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    perplexity = min(PERPLEXITY, (len(embeddings) - 1) / 3)
    settings = {"init": "pca", "random_state": 0, "perplexity": perplexity}
    with threadpool_limits(1):  # More threads give other maps, and wait long for each other.
        spots = TSNE(2, **settings).fit_transform(directions.astype(np.float32))
    low, high = spots.min(axis=0), spots.max(axis=0)
    frame = np.array([WIDTH, HEIGHT]) - 2 * MARGIN
    return MARGIN + frame * (spots - low) / np.maximum(high - low, 1e-12)
