"""Renders `glyphs`, the embedded few-shot data set: characters of many scripts as small images.

Each image shows one character in a random font, size, place, rotation, shear and colour over a
random background, at `{labeled,unlabeled}_{train,val,test}/<class>/<class>_<iiii>.png`.
"""

import concurrent.futures.process
import dataclasses
import functools
import json
import multiprocessing
import os
import pathlib
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from lst_tf2.datasets.glyph_drawing import VARIATION, Variation, render_glyph
from lst_tf2.errors import InputError, check, check_at_least
from lst_tf2.progress import Progress
from lst_tf2.settings import SEEDS, SIDES, Settings, setting
from lst_tf2.storage import files

# Latin, Greek, Cyrillic, Armenian, Georgian, digits, symbols. No two classes look alike within
# the variation below, nor is one the mirror image of another (Я is in, R is out), so that
# flipped images keep their class.
SPLITS: dict[str, tuple[str, ...]] = {
    "train": (
        *(*"AEMTWXfmʊʤə", *"ΞΩΘβπϞϠϗα", *"БДИЉЪЫЮЯ", *"ԱԲԵԸԺԽԾՃՔջՂԿյ", *"აგოწჰც", *"279"),
        *"@#§¶€∀≈⊂→⊞∇♣±∩",
    ),
    "val": (*"Gŋ", *"ΔΨξ", *"ЩЭ", *"ԶԹվ", *"უფ", *"4", *"%√⌘"),
    "test": (*"KYæ", *"Σλω", *"ЖФЂ", *"ԳԻՇճ", *"დქ", *"5", *"&∞⊢♪"),
}
FONTS = tuple(
    f"DejaVu{family}{style}.ttf"
    for family, slanted in (("Sans", "Oblique"), ("SansMono", "Oblique"), ("Serif", "Italic"))
    for style in ("", "-Bold", f"-{slanted}", f"-Bold{slanted}")
)
RECORD_NAME = "glyphs.json"


@dataclasses.dataclass(frozen=True)
class GlyphSettings(Settings, group="The data set"):
    """Holds what determines the images, besides the fonts.

    Attributes:
        seed: The same seed gives the same images.
        image_size: Side of an image in pixels.
        images_per_class: Half of them labeled, half unlabeled.
    """

    seed: int = setting(0, flag="seed", **SEEDS)
    image_size: int = setting(32, flag="img_size", **SIDES)
    images_per_class: int = setting(200, flag="images_per_class", at_least=2)
    splits: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=SPLITS.copy)
    variation: Variation = VARIATION

    def check(self) -> None:
        """Raises `InputError` for an odd count or a character that occurs twice."""
        count = self.images_per_class
        expected = "an even images_per_class, as half are labeled"
        check(count % 2 == 0, expected, count, "change it", "images_per_class")
        characters = [character for _, character in self.classes()]
        repeated = {c for c in characters if characters.count(c) > 1}
        check(not repeated, "each character once", f"twice {sorted(repeated)}", "edit the splits")

    def classes(self) -> list[tuple[str, str]]:
        """Returns split and character of every class."""
        return [(split, c) for split, characters in self.splits.items() for c in characters]

    def record(self) -> dict:
        """Returns the contents of `glyphs.json`, in the types that JSON gives back."""
        record = vars(self) | {"variation": vars(self.variation), "fonts": FONTS}
        record["splits"] = {s: {class_name(c): c for c in cs} for s, cs in self.splits.items()}
        return json.loads(json.dumps(record))


DEFAULTS = GlyphSettings()


class RenderedGlyphs(NamedTuple):
    """Says where the data set lies, how many images it has, whether this call rendered them."""

    folder: pathlib.Path
    num_images: int
    is_new: bool


def class_name(character: str) -> str:
    """Returns the folder name of a character, such as `cyrillic_capital_zhe` for Ж."""
    name = unicodedata.name(character).replace(" LETTER ", " ")
    return name.lower().replace(" ", "_").replace("-", "_")


@functools.cache
def font_folder() -> pathlib.Path:
    """Returns the folder of the fonts that come with matplotlib."""
    import matplotlib  # Slow, and not needed to tell what the command can do.

    return pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def image_paths(split: str, character: str, images_per_class: int) -> list[pathlib.PurePath]:
    """Returns where the images of one class lie in the data set, the labeled half first."""
    name = class_name(character)
    pools = ["labeled"] * (images_per_class // 2) + ["unlabeled"] * (images_per_class // 2)
    return [
        pathlib.PurePath(f"{pool}_{split}", name, f"{name}_{index:04d}.png")
        for index, pool in enumerate(pools)
    ]


def render_class(folder: pathlib.Path, settings: GlyphSettings, entry: tuple[str, str]) -> None:
    """Writes every image of one class; `entry` is its split and character."""
    split, character = entry
    for index, path in enumerate(image_paths(split, character, settings.images_per_class)):
        # A stream for each image: its bytes depend on neither the workers nor the other classes.
        rng = np.random.default_rng([settings.seed, ord(character), index])
        font_path = font_folder() / FONTS[rng.integers(len(FONTS))]
        image = render_glyph(
            character, str(font_path), rng, settings.image_size, settings.variation
        )
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / path)


def render_classes(folder: pathlib.Path, settings: GlyphSettings, workers: int) -> None:
    """Renders every class in `workers` processes; with one, in this process."""
    render, classes = functools.partial(render_class, folder, settings), settings.classes()
    with Progress("glyphs", len(classes), print_every=25) as progress:
        if workers == 1:
            for _ in map(render, classes):
                progress.advance()
            return
        # A fork could copy a lock that a thread, such as one of TensorFlow's, holds.
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, context, _end_with_parent) as pool:
            try:
                for _ in pool.map(render, classes):
                    progress.advance()
            except concurrent.futures.process.BrokenProcessPool:
                raise InputError(
                    f"Expected {workers} processes to render the images, received one that was "
                    "killed, as the system does where memory is short; use fewer workers."
                ).about("workers") from None
            except BaseException:  # Else leaving the pool would first render all that is queued.
                pool.shutdown(cancel_futures=True)
                raise


def _end_with_parent() -> None:
    """Lets this process end when the one that started it is killed, and waits no more."""
    parent = multiprocessing.parent_process()

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def has_dataset(folder: pathlib.Path) -> bool:
    """Returns whether `folder` is a data set of this module; False if it is absent or empty.

    Raises:
        InputError: If it is anything else.
    """
    if (folder / RECORD_NAME).is_file():
        return True
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(
            f"Expected nothing, or a data set with its {RECORD_NAME}, at {folder}; received "
            "something else, which is never replaced; choose another folder or move it away."
        ).about("out")
    return False


def find_problem(folder: pathlib.Path, settings: GlyphSettings) -> str:
    """Returns what keeps the data set in `folder` from being that of `settings`, or ""."""
    found, wanted = files.read_json(folder / RECORD_NAME), settings.record()
    changed = [key for key in wanted if found.get(key) != wanted[key]]
    if changed:
        shown = [f"{k}={found.get(k)}" if isinstance(wanted[k], int) else k for k in changed]
        return f"one with other {', '.join(shown)}"
    count = settings.images_per_class
    paths = [path for split, c in settings.classes() for path in image_paths(split, c, count)]
    missing = [path for path in paths if not (folder / path).is_file()]
    return f"one without {len(missing)} of its images, such as {missing[0]}" if missing else ""


def render_dataset(
    out: str | os.PathLike, settings: GlyphSettings = DEFAULTS, workers: int | None = None
) -> RenderedGlyphs:
    """Renders the data set, completely or not at all, unless it is there already.

    A script that lets it use several workers calls it below `if __name__ == "__main__":`.

    Args:
        out: Folder of the data set.
        settings: The same settings give the same bytes.
        workers: Processes, at most one for each processor; None for that many.

    Raises:
        InputError: If there is less than one worker, or something else is at `out`.
    """
    folder = pathlib.Path(out).resolve()
    if not has_dataset(folder):
        return write_glyphs(folder, settings, workers)
    if problem := find_problem(folder, settings):
        raise InputError(
            f"Expected glyphs of seed={settings.seed}, image_size={settings.image_size}, "
            f"images_per_class={settings.images_per_class} at {folder}, received {problem}; "
            "choose another folder or `overwrite` to replace it."
        ).about("out", "overwrite")
    return RenderedGlyphs(folder, settings.images_per_class * len(settings.classes()), is_new=False)


def write_glyphs(
    out: str | os.PathLike, settings: GlyphSettings = DEFAULTS, workers: int | None = None
) -> RenderedGlyphs:
    """Renders the data set, completely or not at all; until then an earlier one stays.

    Raises:
        InputError: If there is less than one worker, or something else than a data set of this
            module at `out`.
    """
    folder, processors = pathlib.Path(out).resolve(), os.cpu_count() or 1
    workers = processors if workers is None else workers
    check_at_least(1, "raise it", workers=workers)
    has_dataset(folder)  # Raises for what nobody asked to replace.
    files.remove_abandoned(folder.parent)
    with files.new_folder(folder) as fresh:
        render_classes(fresh, settings, min(workers, processors, len(settings.classes())))
        files.write_json(fresh / RECORD_NAME, settings.record())
    return RenderedGlyphs(folder, settings.images_per_class * len(settings.classes()), is_new=True)
