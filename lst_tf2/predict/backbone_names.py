"""What backbones are called, and where they lie; TensorFlow is not needed to tell."""

import os
import pathlib

from lst_tf2.errors import check

PREFIX = "keras:"
PRESETS = pathlib.Path(__file__).parent / "presets"
CONFIG = "config.json"


def list_presets() -> list[str]:
    """Returns the names of the presets that come with this package."""
    return sorted(path.parent.name for path in PRESETS.glob(f"*/{CONFIG}"))


def find_folder(name: str | os.PathLike) -> pathlib.Path:
    """Returns the folder of a preset of this package, else what `name` is the path of."""
    return PRESETS / name if name in list_presets() else pathlib.Path(name)


def check_name(name: str) -> None:
    """Raises `InputError` where nothing can go by a name: neither a network nor a path."""
    check(
        name.startswith(PREFIX) or find_folder(name).exists(),
        f"a backbone: one of {', '.join(list_presets())}, {PREFIX}<network of keras.applications>, "
        "or the folder of a preset or of a run",
        repr(name),
        "name one of these",
        "backbone",
    )
