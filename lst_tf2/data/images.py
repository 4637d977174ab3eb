"""Where the pixels of a split come from: files decoded at each use, or an array of them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from lst_tf2.data.layout import Catalogue, check_image
from lst_tf2.errors import InputError

# Bounds the memory of reading a whole split: 5 MB of 84x84 pixels.
CHUNK = 256


class ImageSource(Protocol):
    """Gives the images of a catalogue by their rows."""

    def load(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the images in `rows` `[B]` as `[B, H, W, 3]` uint8."""

    def check(self, rows: np.ndarray) -> None:
        """Raises `InputError` for the first image in `rows` that cannot be loaded."""


class ImageFiles:
    """Decodes the files of a catalogue whenever they are asked for."""

    def __init__(self, catalogue: Catalogue, image_size: int):
        self.catalogue, self.image_size = catalogue, image_size
        self.paths = tf.constant([catalogue.path(row) for row in range(len(catalogue.names))])

    def load(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the images in `rows` `[B]` as `[B, H, W, 3]` uint8."""
        return decode_images(tf.gather(self.paths, rows), self.image_size)

    def check(self, rows: np.ndarray) -> None:
        """Raises `InputError` for the first image in `rows` that cannot be decoded."""
        for row in rows:
            check_decodes(self.catalogue.path(row), self.image_size)


class ImageArray:
    """Holds the images of a catalogue in an array `[row, H, W, 3]` uint8."""

    def __init__(self, images: np.ndarray):
        self.images, self.image_shape = images, images.shape[1:]

    def load(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the images in `rows` `[B]` as `[B, H, W, 3]` uint8."""
        images = tf.numpy_function(self.gather, [rows], tf.uint8)
        return tf.ensure_shape(images, [*rows.shape, *self.image_shape])

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns a copy of the images in `rows`."""
        return np.take(self.images, rows, axis=0)

    def check(self, rows: np.ndarray) -> None:
        """Raises nothing: what is in memory can be loaded."""


def decode_image(path: tf.Tensor, image_size: int) -> tf.Tensor:
    """Returns the image at `path` as `[image_size, image_size, 3]` uint8."""
    # The default transform of TensorFlow is fast and up to nine levels of 255 off; this
    # one gives the pixels that Pillow gives, hence the original. It decodes PNG as well.
    image = tf.io.decode_jpeg(tf.io.read_file(path), dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(image, [image_size, image_size, 3])


def decode_images(paths: tf.Tensor, image_size: int) -> tf.Tensor:
    """Returns the images at `paths` `[B]` as `[B, image_size, image_size, 3]` uint8."""
    signature = tf.TensorSpec([image_size, image_size, 3], tf.uint8)
    return tf.map_fn(
        lambda path: decode_image(path, image_size), paths, fn_output_signature=signature
    )


def decode_all(paths: Sequence[str], image_size: int) -> Iterator[np.ndarray]:
    """Yields the images at `paths` in order, `[B, H, W, 3]` uint8 at a time.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """
    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(paths)).map(
        lambda path: decode_image(path, image_size),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    dataset = dataset.batch(CHUNK).prefetch(2)
    iterator = iter(dataset)
    for start in range(0, len(paths), CHUNK):
        try:
            images = next(iterator)
        except tf.errors.OpError:
            for path in paths[start : start + CHUNK]:
                check_decodes(path, image_size)
            raise  # Every image is sound: not the user's mistake.
        yield images.numpy()


def check_decodes(path: str, image_size: int) -> None:
    """Raises `InputError` unless the image at `path` can be decoded, and says why not."""
    check_image(path, image_size)
    try:  # TensorFlow's decoders refuse some files that Pillow lets pass.
        decode_image(path, image_size)
    except tf.errors.OpError:
        raise InputError(
            f"Expected an RGB image at {path}, received a file that cannot be decoded; "
            "save it again or remove it."
        ) from None
