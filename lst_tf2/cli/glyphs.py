"""Renders `glyphs`, the embedded few-shot data set: small images of characters.

    lst glyphs

writes data/glyphs/{labeled,unlabeled}_{train,val,test}/<class>/<image>.png, each image one
character in a random font, size, place, rotation, shear and colour over a random background. The
same seed gives the same images; what is there already is not rendered again.
"""

import dataclasses
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.datasets.glyphs import GlyphSettings, render_dataset, write_glyphs
from lst_tf2.settings import Settings, part, setting


@dataclasses.dataclass(frozen=True)
class GlyphFlags(Settings, group="The data set"):
    """Holds where to render, and how.

    Attributes:
        out: Folder of the data set.
        overwrite: Replace an earlier data set in --out.
        workers: Processes; one for each processor by default.
    """

    out: str = setting("data/glyphs", flag="out")
    glyphs: GlyphSettings = part(GlyphSettings())
    overwrite: bool = setting(False, flag="overwrite")
    workers: int | None = setting(None, flag="workers", kind=int, at_least=1)


def run_glyphs(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Renders what the flags say and tells what to run next."""
    asked = build_from(GlyphFlags, values)
    write = write_glyphs if asked.overwrite else render_dataset
    report = write(asked.out, asked.glyphs, asked.workers)
    state = "Wrote" if report.is_new else "Nothing to do, found"
    print(f"{state} {report.num_images} images in {report.folder}")
    print("Next: lst pretrain --flagfile=configs/demo_pretrain.flags")


GLYPHS = Command("lst glyphs", __doc__, run_glyphs, (GlyphFlags,))
