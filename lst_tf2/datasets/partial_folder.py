"""A data set in the making: a hidden folder beside its place, which a later run can go on with.

Each class that is complete has one line in `classes.jsonl`; what else lies there is written again.
The line holds what the folder of the class alone would not tell: the files that were skipped, and
the sizes by which files show that a power cut left empty.
The folder takes its place when every class is complete, so what is in place is never partial.
"""

import contextlib
import json
import pathlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lst_tf2.data.layout import POOLS
from lst_tf2.errors import InputError
from lst_tf2.storage import files
from lst_tf2.storage.locks import HOLDER_NAME, LOCK_NAME, held

PLAN_NAME = "plan.json"
CLASSES_NAME = "classes.jsonl"


class ClassRecord(NamedTuple):
    """Says what was written of one class.

    `sha256` is over the sorted lines `<sha256>  <pool>_<split>/<class>/<file>` of its images,
    `num_images` by pool, `skipped` pairs of a file and the reason.
    """

    name: str
    split: str
    sha256: str
    num_bytes: int
    num_images: Mapping[str, int]
    skipped: list[list[str]]


class PartialFolder:
    """Keeps account of the classes that are complete."""

    def __init__(self, path: pathlib.Path):
        self.path = path

    def class_folders(self, split: str, name: str) -> dict[str, pathlib.Path]:
        """Returns where the images of a class go, by pool."""
        return {pool: self.path / f"{pool}_{split}" / name for pool in POOLS}

    def clear(self, split: str, name: str) -> None:
        """Makes the folders of a class, empty."""
        for folder in self.class_folders(split, name).values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def finish(self, record: ClassRecord) -> None:
        """Notes that a class is complete."""
        with (self.path / CLASSES_NAME).open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(record))  # First ends a line that was cut.

    def finished(self) -> dict[tuple[str, str], ClassRecord]:
        """Returns the classes that are complete, by split and name, as far as sizes can tell."""
        path, found = self.path / CLASSES_NAME, {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            with contextlib.suppress(ValueError, TypeError):  # An interruption can cut a line.
                record = ClassRecord(*json.loads(line))
                found[record.split, record.name] = record
        return {key: record for key, record in found.items() if self._is_whole(record)}

    def _is_whole(self, record: ClassRecord) -> bool:
        num_bytes = 0
        for pool, folder in self.class_folders(record.split, record.name).items():
            sizes = [path.stat().st_size for path in folder.iterdir()] if folder.is_dir() else []
            if len(sizes) != record.num_images[pool]:
                return False
            num_bytes += sum(sizes)
        return num_bytes == record.num_bytes


@contextlib.contextmanager
def resume_folder(path: pathlib.Path, plan: Mapping[str, Any]) -> Iterator[PartialFolder]:
    """Gives the partial folder that becomes `path` when the body ends without an error.

    It stays for a later run after an interruption or an error of the system; an `InputError`
    removes it, as what was read has to change.

    Args:
        path: Where the data set will lie.
        plan: What determines its contents, as JSON holds it.

    Raises:
        InputError: If a partial folder of another plan is there, or another run writes to it.
    """
    is_in_place = (path / PLAN_NAME).is_file()  # An interruption came right at the end.
    folder = path if is_in_place else path.with_name(f".{path.name}.partial")
    with held(folder):
        _write_or_compare_plan(folder, plan)
        try:
            yield PartialFolder(folder)
        except InputError:
            if not is_in_place:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        if not is_in_place:
            files.place_folder(folder, path)
        for name in (CLASSES_NAME, HOLDER_NAME, LOCK_NAME, PLAN_NAME):
            (path / name).unlink(missing_ok=True)


def _write_or_compare_plan(folder: pathlib.Path, plan: Mapping[str, Any]) -> None:
    """Writes the plan, or compares it with the one that is there."""
    if not (folder / PLAN_NAME).exists():
        files.write_json(folder / PLAN_NAME, plan)
        return
    former = files.read_json(folder / PLAN_NAME)
    # Hours of work may lie there: only the user can tell whether they are still wanted.
    if others := sorted(k for k in {*plan, *former} if plan.get(k) != former.get(k)):
        raise InputError(
            f"Expected to go on with what an interrupted run left in {folder}, received another "
            f"{', '.join(others)}; give the same command and source again, or remove that folder."
        )
    print(f"Going on with {folder}", file=sys.stderr)
