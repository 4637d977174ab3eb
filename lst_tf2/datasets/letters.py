"""Draws letters as a person's own images might be: other fonts, sizes and hand than `glyphs`.

The fonts are STIX and Computer Modern, which come with matplotlib, which draws them; `glyphs` has
DejaVu alone, and the letters are none of its training classes. Each draw has a few classes with
one labeled image or more, an uneven pile with distractors in it, and queries.
"""

import dataclasses
import functools
import pathlib

import numpy as np
from PIL import Image

from lst_tf2.datasets.glyph_drawing import LUMA
from lst_tf2.errors import check
from lst_tf2.settings import SEEDS, Settings, setting
from lst_tf2.storage.files import new_folder

LETTERS = "BCDFGHJKLNPQRSUVYZ"
FONTS = (
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10", "cmmi10"),
)
MIN_CONTRAST = 0.25
UNLABELED = -1


@dataclasses.dataclass(frozen=True, kw_only=True)
class LetterSettings(Settings, group="The letters"):
    """Describes one draw.

    Attributes:
        seed: The same seed gives the same images.
        way: Classes.
        shot: Labeled images per class.
        num_distractor_classes: Classes of the pile that no labeled image is of.
        least: Least images of a class in the pile.
        most: Most images of a class in the pile.
        queries_per_class: Query images per class.
    """

    seed: int = setting(0, flag="seed", **SEEDS)
    way: int = setting(5, flag="way_num", at_least=2, at_most=12)
    shot: int = setting(1, flag="shot_num", at_least=1)
    num_distractor_classes: int = setting(3, flag="num_dis", at_least=0, at_most=6)
    least: int = setting(15, flag="least", at_least=0)
    most: int = setting(60, flag="most", at_least=1)
    queries_per_class: int = setting(30, flag="queries", at_least=0)


@dataclasses.dataclass(frozen=True)
class Letters:
    """Holds a draw: images `[H, W, 3]` uint8 of 36 to 90 pixels a side, and their letters."""

    support_images: list[np.ndarray]
    support_labels: np.ndarray
    unlabeled_images: list[np.ndarray]
    unlabeled_truth: np.ndarray  # Those of distractors among them.
    query_images: list[np.ndarray]
    query_labels: np.ndarray

    @property
    def images(self) -> list[np.ndarray]:
        """Labeled and unlabeled images, as `LSTClassifier.fit` takes them."""
        return [*self.support_images, *self.unlabeled_images]

    @property
    def labels(self) -> np.ndarray:
        """Their letters, -1 for unlabeled ones."""
        nothing = np.full(len(self.unlabeled_images), UNLABELED, object)
        return np.concatenate([self.support_labels.astype(object), nothing])


def draw_letters(settings: LetterSettings | None = None) -> Letters:
    """Returns the draw that `settings` describe, by default that of seed 0."""
    settings = settings or LetterSettings()
    rng = np.random.default_rng(settings.seed)
    classes = rng.permutation(list(LETTERS))[: settings.way + settings.num_distractor_classes]
    own = classes[: settings.way]
    counts = rng.integers(settings.least, settings.most, len(classes), endpoint=True)
    support = np.repeat(own, settings.shot)
    unlabeled = rng.permutation(np.repeat(classes, counts))
    query = np.repeat(own, settings.queries_per_class)
    parts = []
    for labels in (support, unlabeled, query):
        parts += [[draw_letter(letter, rng) for letter in labels], labels]
    return Letters(*parts)


def write_letters(letters: Letters, folder: pathlib.Path) -> None:
    """Writes a draw as `labeled/<letter>/`, `unlabeled/`, `query/<letter>/` and `truth.csv`.

    Raises:
        InputError: If there is such a folder.
    """
    check(not folder.exists(), f"no {folder} yet", "an earlier one", "name another", "out")
    with new_folder(folder) as new:
        for part, images, labels in (
            ("labeled", letters.support_images, letters.support_labels),
            ("query", letters.query_images, letters.query_labels),
        ):
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                save_image(image, new / part / label / f"{number:04d}.png")
        lines = ["path,letter"]
        for number, label in enumerate(letters.unlabeled_truth):
            save_image(letters.unlabeled_images[number], new / "unlabeled" / f"{number:04d}.png")
            lines.append(f"unlabeled/{number:04d}.png,{label}")
        (new / "truth.csv").write_text("\n".join(lines) + "\n")


def save_image(image: np.ndarray, path: pathlib.Path) -> None:
    """Writes an image, its folder made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def draw_letter(letter: str, rng: np.random.Generator) -> np.ndarray:
    """Returns an image `[H, W, 3]` uint8, sides of 36 to 90 pixels, of one letter."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # Takes half a second to import.
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D

    width, height = (int(side) for side in rng.integers(36, 90, 2, endpoint=True))
    ink, ground = rng.random((2, 3))
    while abs((ink - ground) @ LUMA) < MIN_CONTRAST:
        ink, ground = rng.random((2, 3))
    figure = Figure(figsize=(width, height), dpi=1, facecolor=ground)
    canvas = FigureCanvasAgg(figure)
    outline = outline_of(letter, FONTS[rng.integers(len(FONTS))])
    size = rng.uniform(0.5, 0.85) * min(width, height) / max(np.ptp(outline.vertices, axis=0))
    place = np.array([width, height]) / 2 + rng.uniform(-0.08, 0.08, 2) * min(width, height)
    pose = Affine2D().rotate_deg(rng.uniform(-18, 18)).skew(rng.uniform(-0.2, 0.2), 0)
    pose = pose.scale(size).translate(*place)
    figure.add_artist(PathPatch(outline, color=ink, linewidth=0, transform=pose))
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(np.float64)
    pixels += rng.normal(0, rng.uniform(2, 20), pixels.shape)
    return np.uint8(np.rint(np.clip(pixels, 0, 255)))


@functools.lru_cache(maxsize=len(LETTERS) * len(FONTS))
def outline_of(letter: str, font: str):
    """Returns the outline of a letter around the origin, a path of matplotlib."""
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    file = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    path = TextPath((0, 0), letter, size=100, prop=FontProperties(fname=file))
    centre = (path.vertices.min(axis=0) + path.vertices.max(axis=0)) / 2
    return Path(path.vertices - centre, path.codes)
