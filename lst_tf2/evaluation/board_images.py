"""Pseudo-labeled images of a stage in one picture, and thumbnails side by side."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from lst_tf2.adaptation.method import PseudoLabeled
from lst_tf2.structures import DISTRACTOR_LABEL

SIDE, FRAME, LINE = 56, 4, 13
MOST_SHOWN = 8
# Of a label that is right, wrong, or given to what is of no class: told apart by mark and colour.
RIGHT, WRONG, DISTRACTOR, LABELED = (
    *(("right", "#0072B2"), ("wrong", "#D55E00"), ("other", "#CC79A7")),
    ("labeled", "#000000"),
)


class Shown(NamedTuple):
    """Holds an image with its frame and what is written below it."""

    image: np.ndarray  # [H, W, 3] uint8
    mark: tuple[str, str]
    told: str = ""


def stage_picture(
    support: tuple[np.ndarray, np.ndarray],
    window: tuple[np.ndarray, np.ndarray],
    chosen: PseudoLabeled,
    probs: np.ndarray,
) -> np.ndarray:
    """Returns a line for each class: its support images, then what was taken for it.

    Args:
        support: Images `[S, H, W, 3]` uint8 and labels `[S]` of the support set.
        window: Those of the unlabeled images that the stage looked at; labels are the true ones.
        chosen: What the stage learned from.
        probs: `[U, N]` of these unlabeled images, in 0..1.

    Returns:
        `[H, W, 3]` uint8.
    """
    lines = []
    for label in range(chosen.targets.shape[1]):
        own = support[0][support[1] == label][:MOST_SHOWN]
        line = [Shown(image, LABELED) for image in own]
        lines.append(line + taken_for(label, window, chosen, probs))
    return draw_grid(lines)


def taken_for(
    label: int,
    window: tuple[np.ndarray, np.ndarray],
    chosen: PseudoLabeled,
    probs: np.ndarray,
) -> list[Shown]:
    """Returns the unlabeled images that a stage took for a class, the heaviest first."""
    images, truth = window
    rows, targets = chosen.rows.numpy(), chosen.targets.numpy().argmax(axis=1)
    weights = chosen.logit_weights.numpy()[:, label]
    if chosen.loss_weights is not None:
        weights = weights * chosen.loss_weights.numpy()
    is_taken = (targets == label) & (rows < len(images)) & (weights > 0)
    places = np.flatnonzero(is_taken)
    shown = []
    for place in places[np.argsort(-weights[places], kind="stable")][:MOST_SHOWN]:
        row = rows[place]
        known = truth[row]
        mark = RIGHT if known == label else DISTRACTOR if known == DISTRACTOR_LABEL else WRONG
        shown.append(Shown(images[row], mark, f"p{probs[row, label]:.2f} w{weights[place]:.1f}"))
    return shown


def draw_grid(lines: list[list[Shown]]) -> np.ndarray:
    """Returns images in lines, each in a frame above its mark, confidence and weight."""
    width, height = SIDE + 2 * FRAME, SIDE + 2 * FRAME + 2 * LINE
    canvas = Image.new("RGB", (width * max(map(len, lines)), height * len(lines)), "white")
    pen = ImageDraw.Draw(canvas)
    for y, line in enumerate(lines):
        for x, one in enumerate(line):
            left, top = x * width, y * height
            word, colour = one.mark
            pen.rectangle((left + 1, top + 1, left + width - 2, top + width - 2), fill=colour)
            thumb = Image.fromarray(one.image).resize((SIDE, SIDE))
            canvas.paste(thumb, (left + FRAME, top + FRAME))
            pen.text((left + FRAME, top + width - 2), f"{word}\n{one.told}", fill="black")
    return np.asarray(canvas)


def sprite(images: np.ndarray, side: int) -> Image.Image:
    """Returns images `[n, H, W, 3]` line by line in a square, as the projector asks for."""
    columns = int(np.ceil(np.sqrt(len(images))))
    canvas = Image.new("RGB", (columns * side, columns * side), "white")
    for place, image in enumerate(images):
        spot = (place % columns * side, place // columns * side)
        canvas.paste(Image.fromarray(image).resize((side, side)), spot)
    return canvas
