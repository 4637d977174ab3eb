"""From episode lists to `tf.data`: loaded in parallel, prefetched, in a fixed order."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from lst_tf2.data.feeding_order import Arrangement, episode_rows
from lst_tf2.data.images import ImageSource
from lst_tf2.data.layout import Catalogue
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.structures import Episode, Examples

# Steps loaded ahead. Left to itself, tf.data may fill half of the machine's memory.
PREFETCHED = 4


def stream_episodes(
    lists: EpisodeLists, arrange: Arrangement, indices: Sequence[int], source: ImageSource
) -> Iterator[Episode]:
    """Returns the episodes of `indices` one after another.

    Args:
        lists: Which images make up each episode.
        arrange: Puts its rows in the order in which the program is fed, with labels.
        indices: Places in `lists`.
        source: The images.

    Returns:
        Episodes whose sets hold images `[B, H, W, 3]` uint8 and labels `[B]` int32.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """

    def rows_of(index: int) -> Episode:
        return episode_rows(lists, index, arrange)

    return itertools.starmap(Episode, _stream(rows_of, indices, source))


def stream_meta_batches(
    lists: EpisodeLists,
    arrange: Arrangement,
    steps: range,
    size: int,
    source: ImageSource,
    share: range | None = None,
) -> Iterator[Episode]:
    """Returns a meta-batch of `size` episodes for each of `steps`.

    Step n takes episodes n * size and following, whichever step the stream starts at;
    the list begins again where it ends.

    Args:
        lists: Which images make up each episode.
        arrange: Puts its rows in the order in which the program is fed, with labels.
        steps: Numbers of the steps from 0.
        size: Episodes of a meta-batch.
        source: The images.
        share: Places of each meta-batch to load; None: all.

    Returns:
        Episodes along a new first axis: images `[M, B, H, W, 3]` uint8, labels `[M, B]` int32.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """
    places = range(size) if share is None else share

    def rows_of(step: int) -> Episode:
        indices = meta_batch_indices(step, size, places, len(lists))
        members = [episode_rows(lists, i, arrange) for i in indices]
        return tf.nest.map_structure(lambda *arrays: np.stack(arrays), *members)

    return itertools.starmap(Episode, _stream(rows_of, steps, source))


def meta_batch_indices(step: int, size: int, places: Sequence[int], length: int) -> list[int]:
    """Returns which episodes of a list of `length` are at `places` of the meta-batch of a step."""
    return [(step * size + place) % length for place in places]


def stream_image_batches(
    catalogue: Catalogue, steps: range, batch_size: int, source: ImageSource, seed: int
) -> Iterator[Examples]:
    """Returns a batch of labeled and unlabeled images for each of `steps`.

    The images pass in a new order in each epoch, and batches run across the border of
    two epochs, so that every step has `batch_size` images.

    Args:
        catalogue: The split.
        steps: Numbers of the steps from 0.
        batch_size: Images of a batch, `B`.
        source: The images.
        seed: What the orders depend on.

    Returns:
        Images `[B, H, W, 3]` uint8 and the index of their class in the split, `[B]` int32.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """
    labels = catalogue.labels()

    def rows_of(step: int) -> list[Examples]:
        rows = shuffled_rows(len(labels), range(step * batch_size, (step + 1) * batch_size), seed)
        return [Examples(rows.astype(np.int32), labels[rows])]

    return (batch for (batch,) in _stream(rows_of, steps, source))


def stream_images(rows: np.ndarray, batch_size: int, source: ImageSource) -> Iterator[tf.Tensor]:
    """Yields the images in `rows` in order, `[B, H, W, 3]` uint8; the last batch may be smaller.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """
    starts = range(0, len(rows), batch_size)
    # All of one shape: what is too much of the last is cut off.
    filled = np.append(rows, np.full(len(starts) * batch_size - len(rows), rows[-1]))

    def rows_of(start: int) -> list[Examples]:
        batch = filled[start : start + batch_size].astype(np.int32)
        return [Examples(batch, np.zeros(batch_size, np.int32))]

    for start, (batch,) in zip(starts, _stream(rows_of, starts, source), strict=True):
        yield batch.inputs[: len(rows) - start]


def shuffled_rows(count: int, places: range, seed: int) -> np.ndarray:
    """Returns the rows at `places` of an endless stream of shuffles of `range(count)`."""
    epochs = range(places.start // count, (places.stop - 1) // count + 1)
    orders = [_epoch_order(count, seed, epoch) for epoch in epochs]
    first = places.start - epochs.start * count
    return np.concatenate(orders)[first : first + len(places)]


# A batch needs one order or two, and the next batch the same.
@functools.lru_cache(maxsize=2)
def _epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _stream(
    rows_of: Callable[[int], Sequence[Examples]], keys: Sequence[int], source: ImageSource
) -> Iterator[tuple[Examples, ...]]:
    """Yields for each of `keys` the sets whose rows `rows_of` gives, with images for rows.

    A failure names the image behind it instead of an op.
    """
    shapes = [array.shape for examples in rows_of(keys[0]) for array in examples]

    def find_rows(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        arrays = tf.numpy_function(
            lambda i: list(itertools.chain.from_iterable(rows_of(keys[i]))),
            [number],
            [tf.int32] * len(shapes),
        )
        return tuple(map(tf.ensure_shape, arrays, shapes))

    def load(*arrays: tf.Tensor) -> tuple[Examples, ...]:
        images = _load_sets(source, list(arrays[::2]))
        return tuple(map(Examples, images, arrays[1::2]))

    dataset = tf.data.Dataset.range(len(keys)).map(find_rows)
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    iterator = iter(dataset.prefetch(PREFETCHED))
    for key in keys:
        try:
            element = next(iterator)
        except tf.errors.OpError:
            for rows, _ in rows_of(key):
                source.check(rows.ravel())
            raise  # Every image is sound: not the user's mistake.
        yield element


def _load_sets(source: ImageSource, sets: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns images `[..., H, W, 3]` for each array `[...]` of rows."""
    # In one call: one for each set would take longer.
    flat = [tf.reshape(rows, [-1]) for rows in sets]
    images = source.load(tf.concat(flat, 0))
    parts = tf.split(images, [rows.shape[0] for rows in flat])
    return [
        tf.reshape(part, [*rows.shape, *images.shape[1:]])
        for part, rows in zip(parts, sets, strict=True)
    ]
