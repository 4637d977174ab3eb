"""Tests of `datasets/glyphs.py` and `datasets/glyph_drawing.py`."""

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib import ft2font
from PIL import Image

from lst_tf2.datasets import glyph_drawing, glyphs
from lst_tf2.errors import InputError, MissingInputError
from tests.builders import read_files
from tests.command_line import run
from tests.faults import InterruptingText

FEW_SPLITS = {"train": ("A", "Ж"), "val": ("Ξ",), "test": ("დ",)}
FONT_PATHS = [str(glyphs.font_folder() / font) for font in glyphs.FONTS]


def render_few(out, **changes):
    settings = {"images_per_class": 4, "splits": FEW_SPLITS, "workers": 1} | changes
    workers = settings.pop("workers")
    return glyphs.render_dataset(out, glyphs.GlyphSettings(**settings), workers)


def test_splits_are_disjoint_mixes_of_scripts():
    counts = {split: len(set(characters)) for split, characters in glyphs.SPLITS.items()}
    assert counts == {"train": 64, "val": 16, "test": 20}
    assert len({c for characters in glyphs.SPLITS.values() for c in characters}) == 100
    scripts = ("latin", "greek", "cyrillic", "armenian", "georgian", "digit")
    for characters in glyphs.SPLITS.values():
        assert {glyphs.class_name(c).split("_")[0] for c in characters} > set(scripts)


def test_class_names_are_plain_and_distinct():
    names = {glyphs.class_name(c) for _, c in glyphs.GlyphSettings().classes()}
    assert len(names) == 100
    assert all(re.fullmatch("[a-z][a-z_]*", name) for name in names)
    assert glyphs.class_name("Ж") == "cyrillic_capital_zhe"
    assert glyphs.class_name("±") == "plus_minus_sign"


@pytest.mark.parametrize("font_path", FONT_PATHS, ids=glyphs.FONTS)
def test_every_glyph_exists_in_every_font(font_path):
    covered = ft2font.FT2Font(font_path).get_charmap()
    assert [c for _, c in glyphs.GlyphSettings().classes() if ord(c) not in covered] == []


def shapes(characters, font_path, *, mirrored):
    """Returns `[classes, 24 * 24]`: the ink stretched to a square, of mean 0 and deviation 1."""
    masks = [
        glyph_drawing.draw_mask(character, font_path, 64).resize((24, 24))
        for character in characters
    ]
    if mirrored:
        masks = [mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for mask in masks]
    rows = np.stack([np.asarray(mask, dtype=float).ravel() for mask in masks])
    return (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)


def correlations(characters, *, mirrored):
    """Returns the correlation of each pair, mean over the upright fonts, 0 on the diagonal."""
    upright = [path for path in FONT_PATHS if "Oblique" not in path and "Italic" not in path]
    pairs = [
        shapes(characters, path, mirrored=False) @ shapes(characters, path, mirrored=mirrored).T
        for path in upright
    ]
    return np.mean(pairs, axis=0) / 24**2 * (1 - np.eye(len(characters)))


@pytest.mark.parametrize(
    ("mirrored", "look_alikes"),
    [(False, ["O0", "AΛ", "ЭƆ"]), (True, ["RЯ", "NИ", "EƎ"])],
    ids=["as they are", "mirrored"],
)
def test_no_two_classes_look_alike(mirrored, look_alikes):
    for pair in look_alikes:  # The measure must find what it is to find.
        assert correlations(pair, mirrored=mirrored).max() > 0.8
    characters = [c for _, c in glyphs.GlyphSettings().classes()]
    found = correlations(characters, mirrored=mirrored)
    first, second = np.unravel_index(found.argmax(), found.shape)
    assert found.max() < 0.8, characters[first] + characters[second]


@pytest.mark.parametrize("image_size", [16, 32, 84])
def test_image_is_rgb_and_depends_on_the_generator_alone(image_size):
    first, again, other = (
        glyphs.render_glyph("Ж", FONT_PATHS[0], np.random.default_rng(seed), image_size)
        for seed in (1, 1, 2)
    )
    assert first.shape == (image_size, image_size, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_plain_recipe_shows_an_upright_centred_glyph():
    # Without any variation the ink of an H spans exactly half the image, in its middle.
    plain = glyphs.Variation(
        glyph_side=(0.5, 0.5),
        shift=0,
        rotation_degrees=0,
        shear=0,
        stretch=0,
        gradient=0,
        texture=0,
        max_strokes=0,
        noise=(0, 0),
    )
    image = glyphs.render_glyph("H", FONT_PATHS[0], np.random.default_rng(0), 32, plain)
    is_ink = np.any(image != image[0, 0], axis=-1)
    rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    assert (rows.min(), rows.max()) == (8, 23)
    assert columns.min() + columns.max() == 31
    assert is_ink[12].sum() < is_ink[15:17].any(axis=0).sum()  # The bar is wider than the stems.


def test_ink_and_ground_contrast():
    variation = dataclasses.replace(
        glyphs.VARIATION, min_contrast=0.6, gradient=0, texture=0, max_strokes=0, noise=(0, 0)
    )
    for seed in range(10):
        image = glyphs.render_glyph("A", FONT_PATHS[1], np.random.default_rng(seed), 32, variation)
        luma = image @ glyph_drawing.LUMA / 255
        assert np.ptp(luma) > 0.59  # Colours are rounded to 1/255.


@pytest.mark.parametrize("character", ["\u4e2d", " "], ids=["not in the font", "no ink"])
def test_character_that_shows_nothing_is_refused(character):
    with pytest.raises(InputError, match=r"a character that DejaVuSans\.ttf can draw, received"):
        glyphs.render_glyph(character, FONT_PATHS[0], np.random.default_rng(0), 32)


def test_missing_font_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"a font at .*none\.ttf.*install matplotlib"):
        glyph_drawing.draw_mask("A", str(tmp_path / "none.ttf"), 32)


def test_layout(tmp_path):
    report = render_few(tmp_path / "glyphs")
    assert report == (tmp_path / "glyphs", 16, True)
    expected = {
        f"{pool}_{split}/{name}/{name}_{index:04d}.png"
        for split, name in [
            ("train", "latin_capital_a"),
            ("train", "cyrillic_capital_zhe"),
            ("val", "greek_capital_xi"),
            ("test", "georgian_don"),
        ]
        for pool, indices in [("labeled", (0, 1)), ("unlabeled", (2, 3))]
        for index in indices
    }
    found = read_files(tmp_path / "glyphs")
    assert set(found) == expected | {"glyphs.json"}
    assert len(set(found.values())) == 17
    for path in expected:
        with Image.open(tmp_path / "glyphs" / path) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (32, 32))
    record = json.loads(found["glyphs.json"])
    assert record["splits"]["val"] == {"greek_capital_xi": "Ξ"}
    assert (record["seed"], record["image_size"], record["images_per_class"]) == (0, 32, 4)


def test_bytes_depend_on_the_seed_and_not_on_the_workers(tmp_path):
    render_few(tmp_path / "one", seed=5)
    render_few(tmp_path / "two", seed=5, workers=2)
    render_few(tmp_path / "other", seed=6)
    one, two, other = (read_files(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert set(one) == set(other)
    assert all(one[name] != other[name] for name in one)


def test_each_class_has_a_stream_of_its_own(tmp_path):
    render_few(tmp_path / "all")
    render_few(tmp_path / "one", splits={"train": ("Ж",)})
    path = "labeled_train/cyrillic_capital_zhe/cyrillic_capital_zhe_0001.png"
    assert read_files(tmp_path / "all")[path] == read_files(tmp_path / "one")[path]
    folder = tmp_path / "all" / "labeled_train"
    top_rows = [
        np.asarray(Image.open(folder / name / f"{name}_0001.png"))[0]
        for name in ("cyrillic_capital_zhe", "latin_capital_a")
    ]
    assert np.any(top_rows[0] != top_rows[1])  # Backgrounds differ, not the characters alone.


def test_complete_dataset_is_left_alone(tmp_path):
    render_few(tmp_path)  # An empty folder is as good as none.
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert render_few(tmp_path) == (tmp_path, 16, False)
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, r"glyphs of seed=1, .* received one with other seed=0; .*`overwrite`"),
        ({"image_size": 16}, "received one with other image_size=32"),
        ({"splits": {"train": ("A",)}}, "received one with other splits"),
    ],
)
def test_other_dataset_is_refused(tmp_path, changes, message):
    render_few(tmp_path)
    before = read_files(tmp_path)
    with pytest.raises(InputError, match=message):
        render_few(tmp_path, **changes)
    assert read_files(tmp_path) == before


def test_incomplete_dataset_is_refused(tmp_path):
    render_few(tmp_path)
    (tmp_path / "labeled_val/greek_capital_xi/greek_capital_xi_0001.png").unlink()
    with pytest.raises(InputError, match=r"without 1 of its images, such as .*xi_0001\.png"):
        render_few(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [("[]", "list in place of an object"), ("{", "Expected JSON in")]
)
def test_damaged_record_is_refused(tmp_path, content, message):
    (tmp_path / "glyphs.json").write_text(content)
    with pytest.raises(InputError, match=message):
        render_few(tmp_path)


def test_foreign_folder_is_neither_filled_nor_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"received something else.*choose another folder"):
        render_few(tmp_path)
    with pytest.raises(InputError, match="which is never replaced"):
        glyphs.write_glyphs(tmp_path, glyphs.GlyphSettings(splits=FEW_SPLITS), workers=1)
    with pytest.raises(InputError, match="received something else"):
        render_few(tmp_path / "thesis.txt")
    assert read_files(tmp_path) == {"thesis.txt": b"years of work"}


def test_write_dataset_replaces_an_earlier_one(tmp_path):
    render_few(tmp_path / "glyphs")
    (tmp_path / "glyphs" / "cache.bin").write_bytes(b"of the earlier images")
    settings = glyphs.GlyphSettings(seed=1, images_per_class=2, splits={"test": ("Σ",)})
    assert glyphs.write_glyphs(tmp_path / "glyphs", settings, workers=1).is_new
    render_few(tmp_path / "fresh", seed=1, images_per_class=2, splits={"test": ("Σ",)})
    assert read_files(tmp_path / "glyphs") == read_files(tmp_path / "fresh")
    assert {path.name for path in tmp_path.iterdir()} == {"glyphs", "fresh"}


@pytest.mark.parametrize("had_dataset", [False, True])
def test_interruption_leaves_the_folder_as_it_was(tmp_path, monkeypatch, had_dataset):
    if had_dataset:
        render_few(tmp_path / "glyphs")
    before = read_files(tmp_path)
    monkeypatch.setattr(sys, "stderr", InterruptingText("glyphs "))
    settings = glyphs.GlyphSettings(seed=1, images_per_class=2, splits=FEW_SPLITS)
    with pytest.raises(KeyboardInterrupt):
        glyphs.write_glyphs(tmp_path / "glyphs", settings, workers=1)
    assert read_files(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["glyphs"] * had_dataset


def test_error_in_a_worker_process_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="can draw"):
        render_few(tmp_path / "glyphs", splits={"train": ("A", "\u4e2d")}, workers=2)
    assert list(tmp_path.iterdir()) == []


def workers_of(pid):
    """Returns the processes that render for the process `pid`."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in map(int, children)}
    return [pid for pid, line in lines.items() if b"spawn_main" in line]


@pytest.fixture(name="rendering")
def fixture_rendering(tmp_path):
    """A command that renders for minutes, with its two workers at work."""
    command = [sys.executable, "-m", "lst_tf2.cli.main", "glyphs", f"--out={tmp_path / 'glyphs'}"]
    process = subprocess.Popen(
        [*command, "--images_per_class=20000", "--workers=2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob(".glyphs.*/*/*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which processes there are")
def test_killed_worker_is_told_in_a_line(rendering, tmp_path):
    os.kill(workers_of(rendering.pid)[0], signal.SIGKILL)
    _, told = rendering.communicate(timeout=30)
    assert rendering.returncode == 1
    assert told.startswith("error: Expected 2 processes to render the images, received one that")
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which processes there are")
def test_workers_end_with_a_killed_command_and_the_next_clears_up(rendering, tmp_path):
    workers = workers_of(rendering.pid)
    assert len(workers) == 2
    rendering.kill()
    rendering.wait()
    deadline = time.monotonic() + 30
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, workers))
    assert len(list(tmp_path.iterdir())) == 1
    render_few(tmp_path / "glyphs")
    assert [path.name for path in tmp_path.iterdir()] == ["glyphs"]


def is_running(pid):
    try:
        return b"spawn_main" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed of at least 0, received -1"),
        ({"image_size": 7}, "image_size of at least 8, received 7"),
        ({"images_per_class": 0}, "images_per_class of at least 2, received 0"),
        ({"images_per_class": 3}, "an even images_per_class, .* received 3"),
        ({"splits": {"train": ("A", "Ж"), "val": ("A",)}}, r"received twice \['A'\]"),
        ({"workers": 0}, "workers of at least 1, received 0"),
    ],
)
def test_argument_out_of_range_is_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        render_few(tmp_path / "glyphs", **changes)
    assert list(tmp_path.iterdir()) == []


def run_python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_command_renders_says_so_and_reports_errors_in_one_line(tmp_path):
    out = tmp_path / "glyphs"
    command = [f"--out={out}", "--images_per_class=2", "--img_size=16", "--workers=1"]
    first, again, refused, replaced = (
        run("lst", "glyphs", *command, *extra, cwd=tmp_path)
        for extra in ([], [], ["--seed=1"], ["--seed=1", "--overwrite"])
    )
    assert first.returncode == again.returncode == replaced.returncode == 0
    assert first.stdout.splitlines() == [
        f"Wrote 200 images in {out}",
        "Next: lst pretrain --flagfile=configs/demo_pretrain.flags",
    ]
    assert again.stdout.startswith(f"Nothing to do, found 200 images in {out}\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    (line,) = [text for text in refused.stderr.splitlines() if text.startswith("error: ")]
    assert re.fullmatch(r"error: Expected glyphs of seed=1, .* \(--out, --overwrite\)\.", line)
    assert json.loads((out / "glyphs.json").read_text())["seed"] == 1
    assert replaced.stdout.startswith("Wrote")


def test_import_defines_no_flags_and_loads_no_tensorflow():
    code = (
        "import sys; from absl import app, flags; before = set(flags.FLAGS); "
        "import lst_tf2.datasets.glyphs; print(set(flags.FLAGS) - before, "
        "{'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    assert run_python("-c", code).stdout == "set() set()\n"
