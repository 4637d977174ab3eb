"""`lst predict` and `lst letters` on real files, as a user gives the commands.

Also of `predict/inputs.py`, `predict/job.py` and `predict/piles.py`.
"""

import csv
import os
import pathlib
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.command_line import assert_refused, run

pytestmark = pytest.mark.slow
COLUMNS = ["path", "label", "confidence", "second_label", "second_confidence", "status"]


@pytest.fixture(name="drawn", scope="module")
def fixture_drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    shown = run(
        "lst", "letters", "--shot_num=2", "--least=8", "--most=20", "--queries=6", cwd=folder
    )
    assert shown.returncode == 0, shown.stderr
    return folder / "letters"


@pytest.fixture(name="folder")
def fixture_folder(drawn, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(drawn.parent / "cache"))
    shutil.copytree(drawn, tmp_path / "letters")
    return tmp_path


SUPPORT = "--support=letters/labeled"
UNLABELED = "--unlabeled=letters/unlabeled"


def predict(folder, *arguments):
    return run("lst", "predict", *arguments, cwd=folder)


def rows_of(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == COLUMNS
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_pile_gets_labels(folder):
    shown = predict(folder, SUPPORT, UNLABELED)
    assert shown.returncode == 0, shown.stderr
    rows = rows_of(folder / "predictions.csv")
    paths = sorted((folder / "letters" / "unlabeled").iterdir())
    assert [folder / row["path"] for row in rows] == paths
    with open(folder / "letters" / "truth.csv", encoding="utf-8") as file:
        truth = {line["path"]: line["letter"] for line in csv.DictReader(file)}
    classes = {path.name for path in (folder / "letters" / "labeled").iterdir()}
    right = [
        row["label"] == truth[row["path"].removeprefix("letters/")]
        for row in rows
        if row["status"] == "ok"
    ]
    assert np.mean(right) > 0.8
    assert {row["status"] for row in rows} <= {"ok", "abstained", "rejected"}
    assert {row["label"] for row in rows} <= {*classes, ""}
    assert f"Learned 5 classes from 10 labeled and {len(paths)} unlabeled images." in shown.stdout
    assert "Estimated accuracy:" in shown.stdout
    assert "by each of 10 labeled images, fitted without it" in shown.stdout
    counts = {s: sum(row["status"] == s for row in rows) for s in ("ok", "rejected")}
    assert f"Labeled: {counts['ok']};" in shown.stdout
    assert f"none of the classes: {counts['rejected']};" in shown.stdout


def test_queries_get_labels_and_a_saved_classifier_gives_the_same(folder):
    query = "--query=letters/query"
    shown = predict(folder, SUPPORT, UNLABELED, query, "--save=kept")
    assert shown.returncode == 0, shown.stderr
    rows = rows_of(folder / "predictions.csv")
    right = [row["label"] == pathlib.Path(row["path"]).parent.name for row in rows]
    assert len(rows) == 30
    assert np.mean(right) > 0.8
    shown = predict(folder, "--classifier=kept", query, "--out=again.csv")
    assert shown.returncode == 0, shown.stderr
    assert (folder / "again.csv").read_bytes() == (folder / "predictions.csv").read_bytes()


def test_words_are_queries_too(folder):
    shown = predict(folder, SUPPORT, "letters/query", "letters/unlabeled/0000.png")
    assert shown.returncode == 0, shown.stderr
    assert len(rows_of(folder / "predictions.csv")) == 31


def test_labeled_images_alone(folder):
    shown = predict(folder, SUPPORT, "--query=letters/query/,letters/unlabeled/0000.png")
    assert shown.returncode == 0, shown.stderr
    rows = rows_of(folder / "predictions.csv")
    assert rows[-1]["path"] == "letters/unlabeled/0000.png"
    assert not [row for row in rows if row["status"] == "rejected"]
    assert "Next: add --unlabeled=<folder>" in shown.stdout


def test_accuracy_of_single_images_is_estimated_on_queries(folder):
    for classes in (folder / "letters" / "labeled").iterdir():
        for path in sorted(classes.iterdir())[1:]:
            path.unlink()
    shown = predict(folder, SUPPORT, "letters/query", "--report=report.html", "--save=kept")
    assert shown.returncode == 0, shown.stderr
    assert "by confidence on 30 images)" in shown.stdout
    shown = predict(folder, "--classifier=kept", "letters/query", "--out=again.csv")
    assert "by confidence on 30 images)" in shown.stdout
    assert "by confidence on 30 images)" in (folder / "report.html").read_text()


def test_images_to_label_next_are_linked(folder):
    shown = predict(folder, SUPPORT, UNLABELED, "--top=3", "--out=out/first.csv")
    assert shown.returncode == 0, shown.stderr
    links = sorted((folder / "out" / "first_to_label").iterdir())
    assert [link.name[:4] for link in links] == ["001_", "002_", "003_"]
    for link in links:
        assert link.resolve().parent == (folder / "letters" / "unlabeled").resolve()
    again = [SUPPORT, UNLABELED, "--top=3", "--out=out/first.csv"]
    assert_refused(predict(folder, *again), "--overwrite")
    assert predict(folder, *again, "--overwrite").returncode == 0


def test_whatever_lies_in_the_pile(folder):
    pile = folder / "letters" / "unlabeled"
    (pile / "text.jpg").write_text("not an image")
    (pile / "empty.png").write_bytes(b"")
    (pile / "circle").symlink_to(pile)
    (pile / "notes.txt").write_text("no image, and not taken for one")
    twin = next((folder / "letters" / "labeled").rglob("*.png"))
    shutil.copy(twin, pile / "a twin, ünd\nmore.png")
    Image.new("RGB", (1, 1)).save(pile / "dot.png")
    Image.new("1", (30000, 30000)).save(pile / "huge.png")
    os.rename(pile / "0003.png", os.fsencode(pile) + b"/\xff.png")
    shown = predict(folder, SUPPORT, UNLABELED)
    assert shown.returncode == 0, shown.stderr
    rows = {os.path.basename(row["path"]): row for row in rows_of(folder / "predictions.csv")}
    unreadable = {name for name, row in rows.items() if row["status"] == "unreadable"}
    assert unreadable == {"text.jpg", "empty.png", "huge.png"}
    assert rows["a twin, ünd\nmore.png"]["label"] == twin.parent.name
    assert rows["a twin, ünd\nmore.png"]["confidence"] == "1.0000"
    assert rows[os.fsdecode(b"\xff.png")]["status"] != "unreadable"
    assert "notes.txt" not in rows
    assert "unreadable: 3" in shown.stdout
    for reason in ("no image, whatever its name", "an empty file", "above 89,478,485 pixels"):
        assert reason in shown.stdout


def test_the_smallest_piles(folder):
    first, *others = sorted((folder / "letters" / "unlabeled").iterdir())
    for path in others:
        path.unlink()
    shown = predict(folder, SUPPORT, UNLABELED)
    assert shown.returncode == 0, shown.stderr
    assert len(rows_of(folder / "predictions.csv")) == 1
    first.unlink()
    shown = predict(folder, SUPPORT, UNLABELED, "letters/query", "--out=queries.csv")
    assert shown.returncode == 0, shown.stderr
    assert len(rows_of(folder / "queries.csv")) == 30
    shown = predict(folder, SUPPORT, UNLABELED, "--out=nothing.csv")
    assert_refused(shown, "Expected images to label in letters/unlabeled, received none", "--unlab")
    assert not (folder / "nothing.csv").exists()


def spoil(folder, how):
    labeled = folder / "letters" / "labeled"
    classes = sorted(labeled.iterdir())
    if how == "unreadable class":
        for path in classes[0].iterdir():
            path.write_bytes(b"")
    elif how == "one class":
        for path in classes[1:]:
            shutil.rmtree(path)
    elif how == "two classes":
        shutil.copy(next(classes[0].iterdir()), classes[1] / "same.png")
    elif how == "file":
        (folder / "predictions.csv").write_text("mine")


@pytest.mark.parametrize(
    ("how", "arguments", "message"),
    [
        ("", [], "either labeled images or a saved classifier"),
        ("", [SUPPORT], "images to label, queries or unlabeled ones"),
        ("", ["--classifier=kept", UNLABELED], "nothing but queries"),
        ("", [SUPPORT, "--query=gone"], "an image at gone, found nothing"),
        ("", ["--support=gone", UNLABELED], "found no such folder"),
        ("", ["--classifier=gone", "--query=letters"], "gone"),
        (
            "",
            [SUPPORT, UNLABELED, "--backbone=gliphs"],
            "Expected a backbone: one of cifar_fs, glyphs",
        ),
        ("", [SUPPORT, UNLABELED, "--method=magic"], "Expected method to be one of"),
        ("", [SUPPORT, UNLABELED, "--method_settings=alpha"], "key=value"),
        ("", [SUPPORT, UNLABELED, "--abstain=2"], "abstain of at most 1"),
        (
            "",
            [SUPPORT, "--query=letters/query", "--top=3"],
            "unlabeled images, among which to choose",
        ),
        (
            "unreadable class",
            [SUPPORT, UNLABELED],
            "an image that can be read in each class folder",
        ),
        ("one class", [SUPPORT, UNLABELED], "folders of two classes or more"),
        ("two classes", [SUPPORT, UNLABELED], "the same image twice"),
        ("file", [SUPPORT, UNLABELED], "no file at predictions.csv yet"),
    ],
)
def test_mistakes_are_told_in_one_line(how, arguments, message, folder):
    spoil(folder, how)
    before = sorted(folder.iterdir())
    assert_refused(predict(folder, *arguments), message)
    assert sorted(folder.iterdir()) == before


def test_the_next_step_of_letters_can_be_taken(drawn, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(drawn.parent / "cache"))
    shown = run("lst", "letters", "--least=2", "--most=4", cwd=tmp_path)
    _, command = shown.stdout.strip().split("Next: lst ")
    finished = run("lst", *shlex.split(command), cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert_refused(run("lst", "letters", cwd=tmp_path), "no letters yet")
