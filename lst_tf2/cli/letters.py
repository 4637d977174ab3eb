"""Draws letters in folders as a person might have them, to try `lst predict` on.

    lst letters

writes letters/labeled/<letter>/, one image of each of five letters; letters/unlabeled/, other
images of them and of three letters more; letters/query/<letter>/, images to test on; and
letters/truth.csv, what is on the unlabeled images.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.datasets.letters import LetterSettings, draw_letters, write_letters
from lst_tf2.settings import Settings, part, setting


@dataclasses.dataclass(frozen=True)
class LettersFlags(Settings, group="The letters"):
    """Holds where to write, and what.

    Attributes:
        out: Folder to write.
    """

    out: str = setting("letters", flag="out")
    letters: LetterSettings = part(LetterSettings())


def run_letters(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Draws what the flags say and tells what to run next."""
    asked = build_from(LettersFlags, values)
    folder = pathlib.Path(asked.out)
    letters = draw_letters(asked.letters)
    write_letters(letters, folder)
    print(
        f"Wrote {len(letters.support_images)} labeled, {len(letters.unlabeled_images)} unlabeled "
        f"and {len(letters.query_images)} query images into {folder}\n"
        f"Next: lst predict --support={folder}/labeled --unlabeled={folder}/unlabeled "
        "--report=report.html"
    )


LETTERS = Command("lst letters", __doc__, run_letters, (LettersFlags,))
