"""Turns images of any kind into the RGB squares that the data layout holds."""

import io
import pathlib
import struct
import warnings
import zlib
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from lst_tf2.data import layout
from lst_tf2.errors import InputError

# What Pillow raises for files that it cannot decode or should not.
UNREADABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png"}
MAX_FILE_BYTES = 1 << 28


def is_unreadable(error: Exception) -> bool:
    """Returns whether one of `UNREADABLE` tells of the image, not of the system or the source."""
    is_of_system = isinstance(error, OSError) and error.errno is not None
    return not is_of_system and not isinstance(error, InputError)


def one_line(error: Exception) -> str:
    """Returns the message of an error without line breaks."""
    return " ".join(str(error).split())


class ImageFile(NamedTuple):
    """Holds an image as a file: its suffix and its contents."""

    suffix: str
    content: bytes


def is_image_file(path: pathlib.Path) -> bool:
    """Returns whether `path` is named like an image and is a regular file, not a pipe, say."""
    return path.suffix.lower() in layout.IMAGE_SUFFIXES and path.is_file()


def read_image_file(path: pathlib.Path) -> bytes:
    """Returns the contents of an image file.

    Raises:
        ValueError: If it is not named like an image, not a file or too large.
    """
    if not is_image_file(path):
        raise ValueError(f"not a file with suffix {', '.join(layout.IMAGE_SUFFIXES)}")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
    return path.read_bytes()


def fit_file(content: bytes, image_size: int) -> ImageFile:
    """Returns an image file as it is where it fits the layout, else converted to PNG.

    Raises one of `UNREADABLE` if it cannot be decoded or exceeds Pillow's limit on pixels.
    """
    image = open_image(content)
    is_square = image.size == (image_size, image_size)
    # A file of several pictures, as some cameras write, is neither JPEG nor PNG.
    is_rgb = image.format in SUFFIXES and image.mode == "RGB" and "transparency" not in image.info
    is_upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    if is_square and is_rgb and is_upright:
        return ImageFile(SUFFIXES[image.format], content)
    return png_file(convert_image(image, image_size))


def fit_array(pixels: np.ndarray, image_size: int) -> ImageFile:
    """Returns `[H, W, 3]` uint8 RGB pixels as a PNG file that fits the layout."""
    return png_file(convert_image(Image.fromarray(pixels), image_size))


def png_file(image: Image.Image) -> ImageFile:
    """Returns `image` as a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return ImageFile(".png", file.getvalue())


def open_image(content: bytes) -> Image.Image:
    """Returns the image that a JPEG or PNG file holds, decoded.

    Raises one of `UNREADABLE` if it cannot be decoded or exceeds Pillow's limit on pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(content), formats=tuple(SUFFIXES))
        except UnidentifiedImageError:  # It would name an address in memory, never the same.
            raise ValueError("neither a JPEG nor a PNG file") from None
        image.load()
    return image


def convert_image(image: Image.Image, image_size: int) -> Image.Image:
    """Returns an image upright, as RGB, its centre square resized; without metadata."""
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
