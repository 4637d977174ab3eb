"""Draws one image of `glyphs`: a character on a random background, with random variation."""

import dataclasses
import functools
import math
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lst_tf2.errors import MissingInputError, check

LUMA = np.array([0.299, 0.587, 0.114])
SUPERSAMPLING = 2  # Shapes are drawn this many times larger, then averaged: smooth edges.


@dataclasses.dataclass(frozen=True)
class Variation:
    """Holds the strength of each variation; lengths in image sides, colours in 0..1.

    A pair is the range of a uniform draw. A single number bounds a draw on both sides of zero,
    unless its comment says otherwise.
    """

    version: int = 1  # Raise it when the drawing changes by more than a number below.
    glyph_side: tuple[float, float] = (0.45, 0.85)  # The longer side of the ink.
    shift: float = 0.1
    rotation_degrees: float = 18.0
    shear: float = 0.25
    stretch: float = 0.2  # Logarithm of the factor on width over height.
    min_contrast: float = 0.18  # Least difference in luma of ink and ground, well below 1.
    gradient: float = 0.3
    texture: float = 0.3
    max_strokes: int = 4  # Distractor lines behind the glyph: 0 to this many.
    stroke_opacity: tuple[float, float] = (0.1, 0.45)
    noise: tuple[float, float] = (0.03, 0.15)  # Standard deviation per pixel and channel.


VARIATION = Variation()


@functools.lru_cache(maxsize=64)
def draw_mask(character: str, font_path: str, pixels: int) -> Image.Image:
    """Draws a character without any variation, cropped to its ink.

    Args:
        character: One character.
        font_path: TrueType file.
        pixels: Size of the em square.

    Returns:
        Greyscale image: 255 is ink.

    Raises:
        MissingInputError: If there is no such font.
        InputError: If the font has no such character, or it has no ink.
    """
    try:  # The basic layout is the one that every build of Pillow has.
        font = ImageFont.truetype(font_path, pixels, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise MissingInputError(
            f"Expected a font at {font_path}, received {error}; install matplotlib with its fonts."
        ) from None
    masks = []
    for text in (character, "\uffff"):  # No font has U+FFFF: shows the box for what it lacks.
        left, top, right, bottom = font.getbbox(text)
        mask = Image.new("L", (max(1, right - left), max(1, bottom - top)))
        ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font)
        masks.append(mask.crop(mask.getbbox()))
    check(
        masks[0].getbbox() is not None and masks[0] != masks[1],
        f"a character that {pathlib.Path(font_path).name} can draw",
        f"{character!r} (U+{ord(character):04X})",
        "choose another",
    )
    return masks[0]


def draw_coverage(
    mask: Image.Image, rng: np.random.Generator, image_size: int, variation: Variation
) -> np.ndarray:
    """Draws `mask` at a random size, place, rotation and shear.

    Returns:
        `[H, W, 1]` float64 share of ink in each pixel, 0..1.
    """
    side = image_size * SUPERSAMPLING
    angle = math.radians(rng.uniform(-1, 1) * variation.rotation_degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    stretch = math.exp(rng.uniform(-1, 1) * variation.stretch / 2)
    size = rng.uniform(*variation.glyph_side) * side / max(mask.size)
    forward = np.array([[cos, -sin], [sin, cos]]) @ [
        [1, rng.uniform(-1, 1) * variation.shear],
        [0, 1],
    ]
    forward = forward @ np.diag([stretch, 1 / stretch]) * size
    # Pillow asks where in the mask each pixel of the image comes from.
    inverse = np.linalg.inv(forward)
    centre = side * (0.5 + rng.uniform(-1, 1, 2) * variation.shift)
    offset = np.array(mask.size) / 2 - inverse @ centre
    matrix = np.column_stack([inverse, offset]).ravel().tolist()
    drawn = mask.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(drawn.reduce(SUPERSAMPLING))[..., None] / 255.0


def draw_background(
    ground: np.ndarray, rng: np.random.Generator, image_size: int, variation: Variation
) -> np.ndarray:
    """Draws a gradient, blotches and faint lines around the colour `ground` (`[3]`, 0..1).

    Returns:
        `[H, W, 3]` float64 colours, about 0..1.
    """
    slope = rng.uniform(-1, 1, 2)
    ramp = np.linspace(-0.5, 0.5, image_size)
    ramp = slope[0] * ramp[:, None, None] + slope[1] * ramp[None, :, None]
    scene = ground + ramp * rng.uniform(-1, 1, 3) * variation.gradient
    cells = int(rng.integers(3, 9))
    blotches = rng.uniform(-1, 1, (cells, cells)) * rng.uniform(0, variation.texture)
    smooth = Image.fromarray(np.float32(blotches)).resize((image_size, image_size))
    scene = scene + np.asarray(smooth)[..., None]
    side = image_size * SUPERSAMPLING
    lines = Image.new("L", (side, side))
    for _ in range(rng.integers(variation.max_strokes + 1)):
        ends = rng.uniform(0, side, 4).tolist()
        width = rng.uniform(0.02, 0.08) * side
        ImageDraw.Draw(lines).line(ends, fill=255, width=max(1, round(width)))
    share = np.asarray(lines.reduce(SUPERSAMPLING))[..., None] / 255.0
    return scene + share * rng.uniform(*variation.stroke_opacity) * (rng.random(3) - scene)


def render_glyph(
    character: str,
    font_path: str,
    rng: np.random.Generator,
    image_size: int,
    variation: Variation = VARIATION,
) -> np.ndarray:
    """Renders one image.

    Args:
        character: One character.
        font_path: TrueType file.
        rng: Source of all randomness; the same state gives the same image.
        image_size: Side in pixels.
        variation: Strengths of the variations.

    Returns:
        `[H, W, 3]` uint8 RGB.

    Raises:
        MissingInputError: If there is no such font.
        InputError: If the font has no such character.
    """
    ink, ground = rng.random((2, 3))
    while abs((ink - ground) @ LUMA) < variation.min_contrast:
        ink, ground = rng.random((2, 3))
    # Three times the image, so that no drawing enlarges the mask, whatever the character.
    mask = draw_mask(character, font_path, 3 * image_size)
    coverage = draw_coverage(mask, rng, image_size, variation)
    scene = draw_background(ground, rng, image_size, variation)
    scene = scene + coverage * (ink - scene)
    scene = scene + rng.normal(0, rng.uniform(*variation.noise), scene.shape)
    return np.uint8(np.rint(np.clip(scene, 0, 1) * 255))
