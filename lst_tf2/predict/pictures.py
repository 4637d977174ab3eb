"""Reads what people call an image: arrays, Pillow images, and files of any size and kind."""

import hashlib
import io
import os
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from lst_tf2.datasets.fit_images import (
    MAX_FILE_BYTES,
    UNREADABLE,
    convert_image,
    is_unreadable,
    one_line,
)
from lst_tf2.errors import InputError, check

# Of a file, told by its header before anything is decoded; that of Pillow, 89 megapixels.
PIXEL_LIMIT = int(Image.MAX_IMAGE_PIXELS or 1 << 27)
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".gif", ".webp", ".bmp"),
    *(".tif", ".tiff", ".ppm", ".pgm"),
)
DIGEST_BYTES = 16
CHANNELS = (1, 3, 4)

# An array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], a Pillow image, or the path of a file.
Picture = np.ndarray | Image.Image | str | os.PathLike


class UnreadableImageError(InputError):
    """Signals an image that cannot be read; others may be."""


def read_content(picture: Picture) -> bytes | np.ndarray | Image.Image:
    """Returns the bytes of a file, other pictures as they are.

    Raises:
        UnreadableImageError: If there is no such file, or it is none, or too large.
    """
    if not isinstance(picture, str | os.PathLike):
        return picture if isinstance(picture, Image.Image) else np.asarray(picture)
    try:
        if not os.path.isfile(picture):  # A folder, or a pipe that would never end.
            raise ValueError("not a file" if os.path.exists(picture) else "no such file")
        if os.path.getsize(picture) > MAX_FILE_BYTES:
            raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
        with open(picture, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise _unreadable(picture, error) from None


def digest_of(content: bytes | np.ndarray | Image.Image) -> bytes:
    """Returns what tells the content of one picture from that of another."""
    if isinstance(content, bytes):
        parts = [content]
    elif isinstance(content, Image.Image):
        parts = [f"{content.mode} {content.size}".encode(), content.tobytes()]
    else:
        parts = [f"{content.dtype} {content.shape}".encode(), np.ascontiguousarray(content)]
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()


def fit_pixels(content: bytes | np.ndarray | Image.Image, image_size: int, name: Any) -> np.ndarray:
    """Returns the centre square of a picture, upright, `[image_size, image_size, 3]` uint8 RGB.

    Transparency becomes white, 16 bits a channel become 8, of an animation the first frame
    counts.

    Args:
        content: As `read_content` returns it.
        image_size: In pixels.
        name: Of the picture, for errors.

    Raises:
        UnreadableImageError: If it cannot be decoded, or exceeds `PIXEL_LIMIT`.
    """
    try:
        image = _open(content, image_size)
        if image.width * image.height > PIXEL_LIMIT:
            raise ValueError(f"{image.width}x{image.height}, above {PIXEL_LIMIT:,} pixels")
        image.load()
        return np.asarray(convert_image(image, image_size))
    except (*UNREADABLE, MemoryError) as error:
        if isinstance(error, OSError) and not is_unreadable(error):
            raise
        raise _unreadable(name, error) from None


def _unreadable(name: Any, error: Exception) -> UnreadableImageError:
    text = str(error) if isinstance(error, ValueError) else one_line(error)
    return UnreadableImageError(
        f"Expected an image ({', '.join(FORMATS)}), received {str(name)!r}, which cannot be read "
        f"({text or type(error).__name__}); replace it or leave it out."
    )


def _open(content: bytes | np.ndarray | Image.Image, image_size: int) -> Image.Image:
    if isinstance(content, Image.Image):
        return content
    if isinstance(content, np.ndarray):
        return Image.fromarray(_bytes_of(content))
    if not content:
        raise ValueError("an empty file")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError("no image, whatever its name") from None
    except Image.DecompressionBombError:
        raise ValueError(f"above {PIXEL_LIMIT:,} pixels") from None
    # JPEG can be decoded at half or an eighth of its side: twice what is needed is enough.
    image.draft(None, (2 * image_size, 2 * image_size))
    return image


def _bytes_of(pixels: np.ndarray) -> np.ndarray:
    """Returns an array of pixels as uint8, `[H, W]`, `[H, W, 3]` or `[H, W, 4]`."""
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    is_image = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] in CHANNELS)
    if not is_image or not pixels.size:
        raise ValueError(f"an array of shape {pixels.shape}, not [H, W, 3]")
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return np.uint8(pixels >> 8)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise ValueError(f"an array of {pixels.dtype}, not uint8 or floats in 0..1")
    if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
        raise ValueError(f"floats in {pixels.min():.4g}..{pixels.max():.4g}, not in 0..1")
    return np.uint8(np.rint(255 * pixels))


def check_pictures(pictures: Any) -> None:
    """Raises `InputError` unless `pictures` are several: an array `[n, H, W, 3]`, or a list."""
    received = getattr(pictures, "shape", type(pictures).__name__)
    is_several = not isinstance(pictures, str | bytes | os.PathLike | Image.Image)
    is_several = is_several and hasattr(pictures, "__len__") and hasattr(pictures, "__getitem__")
    if isinstance(pictures, np.ndarray):
        is_several = pictures.ndim in (1, 3, 4)
    expected = "images as an array [n, H, W, 3], or a list of arrays, paths or Pillow images"
    check(is_several, expected, received, "pass several, or one in a list")
