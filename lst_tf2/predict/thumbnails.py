"""Small copies of pictures inside a page."""

import base64
import io

import numpy as np
from PIL import Image

from lst_tf2.predict.pictures import Picture, UnreadableImageError, fit_pixels, read_content

SIDE = 56
QUALITY = 60


def thumbnail(picture: Picture) -> str:
    """Returns the centre square of a picture as a `data:` address; "" where it cannot be read."""
    try:
        pixels = fit_pixels(read_content(picture), SIDE, picture)
    except UnreadableImageError:
        return ""
    return encode(pixels)


def encode(pixels: np.ndarray) -> str:
    """Returns `[H, W, 3]` uint8 pixels as a `data:` address."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
