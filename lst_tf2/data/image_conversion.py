"""Turns image files of any kind into the RGB squares that the data layout holds."""

import pathlib
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps

from lst_tf2.data import layout

# What Pillow raises for files that it can not decode or should not.
UNREADABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


def is_image_file(path: pathlib.Path) -> bool:
    """Returns whether `path` is named like an image and is a regular file, not a pipe, say."""
    return path.suffix.lower() in layout.IMAGE_SUFFIXES and path.is_file()


def convert_image(path: pathlib.Path, image_size: int) -> Image.Image:
    """Returns an image upright, as RGB, its centre square resized; without metadata.

    Raises:
        ValueError: If it is not named like an image or not a file, besides what Pillow raises
            for files that it can not decode, or that exceed its limit on pixels.
    """
    if not is_image_file(path):
        raise ValueError(f"not a file with suffix {', '.join(layout.IMAGE_SUFFIXES)}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            upright = ImageOps.exif_transpose(image)
    square = ImageOps.fit(convert_to_rgb(upright), (image_size, image_size))
    square.info.clear()  # Else the PNG would carry the colour profile of the source.
    return square


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """Returns `image` as RGB: 16 bits a channel become 8, transparency becomes white."""
    if image.mode.startswith("I"):  # Pillow would clip the values in place of scaling them.
        values = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
