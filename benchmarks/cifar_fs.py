"""The table of CIFAR-FS: `make cifar_fs SOURCE=<folder>` runs what it reads.

    python -m benchmarks.cifar_fs

reads the comparisons of methods below results/cifar_fs/, and writes them as tables beside the
published ones into results/cifar_fs/README.md; some of their rows also into README.md and into
the card of the preset.
"""

import json
import pathlib
import re
import sys
from typing import Any, NamedTuple

from benchmarks import recipe_steps
from lst_tf2.cli.command import Command, run
from lst_tf2.errors import check
from lst_tf2.evaluation.report import describe
from lst_tf2.evaluation.tables import markdown_table

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "results" / "cifar_fs"
FILE = "compare_cifar_fs.json"
# Folders with a comparison for each of 1 and 5 shots, `<name>_<shots>shot`, and their titles.
PARTS = {
    "single": "Each image embedded once",
    "mirrored": "Each image embedded as the mean of it and its mirror image",
    "meta": "After 100 iterations of meta-training (scales, shifts, SWN), each image embedded once",
    "meta_mirrored": "After the same, each image embedded as the mean of it and its mirror image",
}
COLUMNS = [(1, 0), (1, 3), (5, 0), (5, 3)]  # Shots and distractor classes.
# Some rows are in the card and in the README of the project as well: of which part and method.
CARD = ROOT / "lst_tf2" / "predict" / "presets" / "cifar_fs" / "README.md"
SHOWN = (
    ("single", "support"),
    ("single", "lst"),
    ("meta", "lst"),
    ("single", "spherical_kmeans"),
    ("single", "ilpc+cleaning_steps=100"),
    ("single", "ici"),
    ("single", "graph_lst"),
)
# Those that take the classes to be as large as each other.
BALANCED = ("ilpc+cleaning_steps=100", "ici")
CONDITIONS = (
    "600 episodes of the 20 test classes. 30 unlabeled images per class at 1 shot, 50 at 5, and as "
    "many of each distractor class. No method sees a query. `graph_lst` goes by what "
    "`lst tune` chose on validation classes."
)
MARKS = ("<!-- cifar_fs begins -->", "<!-- cifar_fs ends -->")


class PublishedRow(NamedTuple):
    """Holds what a paper gives for ResNet-12 on CIFAR-FS, without distractors."""

    name: str
    source: str
    one_shot: float
    five_shot: float
    sees_queries: str
    is_balanced: str
    unlabeled: str = "30 / 50"


PUBLISHED = (
    PublishedRow("ICI", "arXiv:2003.11853", 76.5, 84.3, "no", "yes"),
    PublishedRow("PLCM", "ICCV 2021", 77.6, 86.1, "no", "not stated"),
    PublishedRow("iLPC", "arXiv:2012.07962", 78.6, 85.8, "no", "yes"),
    PublishedRow("MUSIC", "arXiv:2209.13777", 79.0, 87.3, "no", "not stated"),
    PublishedRow("ICI v2", "arXiv:2007.08461", 80.7, 87.2, "no", "yes"),
)


def read_rows(part: str) -> dict[str, dict[tuple[int, int], Any]]:
    """Returns the rows of a part by method, shots and distractor classes; none if it is missing."""
    rows: dict[str, dict[tuple[int, int], Any]] = {}
    for path in sorted(RESULTS.glob(f"{part}_[0-9]*shot/{FILE}")):
        for row in json.loads(path.read_text())["rows"]:
            cell = (row["shot"], row["distractor_classes"])
            rows.setdefault(row["method"], {})[cell] = row["accuracy"]
    return rows


def part_table(rows: dict[str, dict[tuple[int, int], Any]]) -> str:
    """Returns a part as a table of the columns that it has, the best of each in bold."""
    columns = [c for c in COLUMNS if all(c in found for found in rows.values())]
    best = {c: max(found[c]["mean"] for found in rows.values()) for c in columns}
    titles = (f"{shot}-shot, {dis or 'no'} distractor classes" for shot, dis in columns)
    lines = [["5-way, %", "equal classes assumed", *titles]]
    for name, found in rows.items():
        cells = [
            f"**{describe(found[c])}**" if found[c]["mean"] == best[c] else describe(found[c])
            for c in columns
        ]
        lines.append([name, "yes" if name in BALANCED else "no", *cells])
    return markdown_table(lines)


def published_table() -> str:
    """Returns the published figures, and under what conditions they hold."""
    columns = ("unlabeled per class", "queries seen", "equal classes assumed", "1-shot", "5-shot")
    lines = [["published, ResNet-12", "source", *columns]]
    for p in PUBLISHED:
        conditions = (p.unlabeled, p.sees_queries, p.is_balanced)
        lines.append([p.name, p.source, *conditions, f"{p.one_shot}", f"{p.five_shot}"])
    return markdown_table(lines)


def recipe_table() -> str:
    """Returns what each part of the recipe brought in short runs, on validation classes."""
    cells = [(method, shot) for method in recipe_steps.METHODS for shot in (1, 5)]
    lines = [["pre-training", *(f"{method}, {shot}-shot" for method, shot in cells)]]
    for name, found in json.loads(recipe_steps.FILE.read_text()).items():
        by_cell = {(row["method"], row["shot"]): row["accuracy"] for row in found["rows"]}
        lines.append([name, *(describe(by_cell[cell]) for cell in cells)])
    return markdown_table(lines)


def write_between_marks(path: pathlib.Path, text: str) -> None:
    """Replaces what stands between the marks of a Markdown file."""
    begin, end = MARKS
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    whole, count = pattern.subn(lambda _: f"{begin}\n{text}\n{end}", path.read_text())
    check(count == 1, f"one part between {begin} and {end} in {path}", count, "restore the marks")
    path.write_text(whole)


def main(*_) -> None:
    """Writes the table from what results there are."""
    parts = {part: rows for part in PARTS if (rows := read_rows(part))}
    check(bool(parts), f"comparisons below {RESULTS}", "none", "run `make cifar_fs`")
    tables = [f"{PARTS[part]}:\n\n{part_table(rows)}" for part, rows in parts.items()]
    tables += [f"Published:\n\n{published_table()}"]
    if recipe_steps.FILE.exists():
        tables.append(f"{recipe_steps.TITLE}:\n\n{recipe_table()}\n\n{recipe_steps.NOTE}")
    (RESULTS / "README.md").write_text("\n\n".join(["# CIFAR-FS", CONDITIONS, *tables]) + "\n")
    shown = {
        f"{method} after meta-training" if part == "meta" else method: parts[part][method]
        for part, method in SHOWN
        if method in parts.get(part, {})
    }
    for path in (ROOT / "README.md", CARD):
        write_between_marks(path, part_table(shown))
    print("\n\n".join(tables))


if __name__ == "__main__":
    run(Command("python -m benchmarks.cifar_fs", __doc__, main), sys.argv[1:])
