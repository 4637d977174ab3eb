"""From filename lists to `tf.data`: decoded in parallel, prefetched, in a fixed order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lst_tf2.data.arrangement import Arrangement, EpisodeFiles, episode_files
from lst_tf2.data.layout import Catalogue, check_image
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.errors import InputError
from lst_tf2.structures import Episode


class ImageBatch(NamedTuple):
    """Holds images with the index of their class in the split."""

    images: Any  # [B, H, W, 3] uint8
    labels: Any  # [B] int32


def decode_images(paths: tf.Tensor, image_size: int) -> tf.Tensor:
    """Returns the images at `paths` `[B]` as `[B, image_size, image_size, 3]` uint8."""

    def decode(path: tf.Tensor) -> tf.Tensor:
        # The default transform of TensorFlow is fast and up to nine levels of 255 off; this
        # one gives the pixels that Pillow gives, hence the original. It decodes PNG as well.
        image = tf.io.decode_jpeg(tf.io.read_file(path), dct_method="INTEGER_ACCURATE")
        return tf.ensure_shape(image, [image_size, image_size, 3])

    signature = tf.TensorSpec([image_size, image_size, 3], tf.uint8)
    return tf.map_fn(decode, paths, fn_output_signature=signature)


def stream_episodes(
    lists: EpisodeLists, arrange: Arrangement, indices: Sequence[int], image_size: int
) -> Iterator[Episode]:
    """Returns the episodes of `indices` one after another.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """

    def load(files: EpisodeFiles) -> Episode:
        return Episode(*(_load_field(field, image_size) for field in files))

    def files_of(index: int) -> EpisodeFiles:
        return episode_files(lists, index, arrange)

    dataset = _from_files(files_of, indices, load)
    return _name_broken_images(dataset, lambda n: paths_of(files_of(indices[n])), image_size)


def stream_meta_batches(
    lists: EpisodeLists, arrange: Arrangement, steps: range, size: int, image_size: int
) -> Iterator[Episode]:
    """Returns a meta-batch of `size` episodes for each of `steps`.

    Step n takes episodes n * size and following, whichever step the stream starts at;
    the list begins anew where it ends.
    """

    def files_of(step: int) -> EpisodeFiles:
        indices = [i % len(lists) for i in range(step * size, (step + 1) * size)]
        members = [episode_files(lists, i, arrange) for i in indices]
        return EpisodeFiles(*(np.stack(field) for field in zip(*members, strict=True)))

    def load(files: EpisodeFiles) -> Episode:
        return Episode(*(_load_field(field, image_size) for field in files))

    dataset = _from_files(files_of, steps, load)
    return _name_broken_images(dataset, lambda n: paths_of(files_of(steps[n])), image_size)


def stream_image_batches(
    catalogue: Catalogue, steps: range, batch_size: int, image_size: int, seed: int
) -> Iterator[ImageBatch]:
    """Returns a batch of labeled and unlabeled images for each of `steps`.

    The images pass in a new order in each epoch, and batches run across the border of
    two epochs, so that every step has `batch_size` images.
    """
    items = [
        (path, label)
        for label, entry in enumerate(catalogue.classes)
        for path in (
            [catalogue.labeled_path(label, i) for i in range(len(entry.labeled))]
            + [catalogue.unlabeled_path(label, i) for i in range(len(entry.unlabeled))]
        )
    ]
    paths = np.array([path for path, _ in items])
    labels = np.array([label for _, label in items], np.int32)

    def files_of(step: int) -> ImageBatch:
        rows = shuffled_rows(len(paths), range(step * batch_size, (step + 1) * batch_size), seed)
        return ImageBatch(paths[rows], labels[rows])

    def load(files: ImageBatch) -> ImageBatch:
        return ImageBatch(decode_images(files.images, image_size), files.labels)

    dataset = _from_files(files_of, steps, load)
    return _name_broken_images(dataset, lambda n: map(str, files_of(steps[n]).images), image_size)


def stream_images(paths: Sequence[str], batch_size: int, image_size: int) -> Iterator[np.ndarray]:
    """Returns the images at `paths` in order, `[B, H, W, 3]` uint8; the last batch may be smaller.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """
    batches = [paths[i : i + batch_size] for i in range(0, len(paths), batch_size)]
    dataset = tf.data.Dataset.from_tensor_slices(tf.ragged.constant(batches))
    dataset = dataset.map(
        lambda batch: decode_images(batch, image_size),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(tf.data.AUTOTUNE)
    return _name_broken_images(dataset, lambda n: batches[n], image_size)


def shuffled_rows(count: int, places: range, seed: int) -> np.ndarray:
    """Returns the rows at `places` of an endless stream of shuffles of `range(count)`."""
    epochs = range(places.start // count, (places.stop - 1) // count + 1)
    orders = [np.random.default_rng([seed, epoch]).permutation(count) for epoch in epochs]
    first = places.start - epochs.start * count
    return np.concatenate(orders)[first : first + len(places)]


def paths_of(files: EpisodeFiles) -> list[str]:
    """Returns all image paths of an episode or of a meta-batch of them."""
    return [
        str(path)
        for name, field in files._asdict().items()
        if name.endswith("_paths")
        for path in np.ravel(field)
    ]


def _load_field(field: tf.Tensor, image_size: int) -> tf.Tensor:
    """Returns labels as they are, and paths `[..., B]` as images `[..., B, H, W, 3]`."""
    if field.dtype != tf.string:
        return field
    images = decode_images(tf.reshape(field, [-1]), image_size)
    return tf.reshape(images, [*field.shape, image_size, image_size, 3])


def _from_files(files_of: Callable, keys: Sequence[int], load: Callable) -> tf.data.Dataset:
    """Returns the loaded files of every key; `files_of` gives a tuple of arrays."""

    def generate() -> Iterator[tuple]:
        for key in keys:
            yield tuple(np.asarray(field) for field in files_of(key))

    example = files_of(keys[0])
    signature = tuple(
        tf.TensorSpec(np.shape(f), tf.string if _holds_text(f) else tf.int32) for f in example
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return dataset.map(
        lambda *fields: load(type(example)(*fields)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(tf.data.AUTOTUNE)


def _holds_text(field: Any) -> bool:
    return np.asarray(field).dtype.kind != "i"


def _name_broken_images(dataset: tf.data.Dataset, paths_of_element: Callable, image_size: int):
    """Yields the elements; a failure names the image behind it instead of an op."""
    iterator = iter(dataset)
    for number in range(np.iinfo(np.int64).max):
        try:
            element = next(iterator)
        except StopIteration:
            return
        except tf.errors.OpError:
            for path in paths_of_element(number):
                _check_loads(path, image_size)
            raise  # Every image is sound: not the user's mistake.
        yield element


def _check_loads(path: str, image_size: int) -> None:
    """Raises `InputError` unless the image at `path` can be loaded, and says why not."""
    check_image(path, image_size)
    try:  # TensorFlow's decoders refuse some files that Pillow lets pass.
        decode_images(tf.constant([path]), image_size)
    except tf.errors.OpError:
        raise InputError(
            f"Expected an RGB image at {path}, received a file that can not be decoded; "
            "save it anew or remove it."
        ) from None
