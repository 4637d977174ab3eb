"""Tests of `predict/charts.py`, `predict/embedding_map.py`, `predict/gallery.py`,
`predict/page.py`, `predict/prediction_figures.py`, `predict/prediction_page.py`,
`predict/run_page.py` and `predict/thumbnails.py`.
"""

import re

import numpy as np
import pytest
from PIL import Image

from lst_tf2.config import PredictConfig
from lst_tf2.predict.job import predict
from lst_tf2.predict.page import inline_svg
from lst_tf2.predict.prediction_page import truths
from lst_tf2.predict.rows import Row
from lst_tf2.predict.thumbnails import encode, thumbnail
from tests.browser import DARK, LIGHT, needs_browser, run_in, violations

RNG = np.random.default_rng(0)


@pytest.fixture(name="folder", scope="module")
def fixture_folder(letters, tmp_path_factory):
    """Letters in folders, the pile sorted by what they are."""
    folder = tmp_path_factory.mktemp("letters")
    for i, (image, label) in enumerate(
        zip(letters.support_images, letters.support_labels, strict=True)
    ):
        save(image, folder / "labeled" / label / f"{i}.png")
    for i, (image, label) in enumerate(
        zip(letters.unlabeled_images, letters.unlabeled_truth, strict=True)
    ):
        save(image, folder / "pile" / label / f"{i} <b>&amp;.png")
    (folder / "pile" / "text.jpg").write_text("no image")
    return folder


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def report(folder, name, **settings):
    """The page about labels of the pile."""
    config = PredictConfig(
        support=str(folder / "labeled"),
        unlabeled=(str(folder / "pile"),),
        out=str(folder / f"{name}.csv"),
        report=str(folder / f"{name}.html"),
        overwrite=True,
        **settings,
    )
    predict(config)
    return folder / f"{name}.html"


@pytest.fixture(name="pages", scope="module")
def fixture_pages(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return {
            "graph": report(folder, "graph", top=3),
            "lst": report(folder, "lst", method="lst", reject=False),
            "query": report(folder, "query", query=(str(folder / "pile"),)),
        }


@pytest.mark.slow
def test_a_page_needs_nothing_else(pages):
    for page in pages.values():
        text = page.read_text()
        assert not re.findall(r'(?:src|href)="(?!#|data:image/webp)', text)
        assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"|http-equiv', "", text)
        assert "<b>" not in text


@pytest.mark.slow
def test_a_page_tells_all_that_there_is(pages, letters):
    text = pages["graph"].read_text()
    for heading in (
        *("Labeled images", "Images to label next", "Map of the images", "Stages of self-training"),
        *("How sure the labels are", "Reliability", "Labels beside the folders", "Settings"),
        *("Versions", "Rejected: of none of the classes", "Unreadable (1)"),
    ):
        assert heading in text, heading
    # Each picture is in it once, whatever shows it.
    assert text.count("<image ") == len(letters.support_images) + len(letters.unlabeled_images)
    assert "Soft weights" not in text
    text = pages["lst"].read_text()
    for heading in ("Soft weights of the last stage", "Agreement with the last stage", "Stage 6"):
        assert heading in text


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("name", ["graph", "lst", "query"])
def test_a_page_is_accessible(name, scheme, pages, tmp_path):
    assert violations(pages[name], tmp_path, scheme) == []


@pytest.mark.slow
@needs_browser
def test_the_map_goes_by_keys(pages, tmp_path):
    script = """
    const first = document.querySelector("#map .point[tabindex='0']");
    first.focus();
    const seen = [document.getElementById("spoken").textContent];
    for (const key of ["ArrowRight", "ArrowLeft", "ArrowDown"]) {
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
      seen.push(document.getElementById("spoken").textContent);
    }
    const use = document.querySelector("#tip use").getAttribute("href");
    const tip = document.getElementById("tip").getAttribute("visibility");
    return [seen, document.querySelector(use).tagName, tip];
    """
    seen, tag, visibility = run_in(pages["graph"], script, tmp_path)
    assert len(set(seen)) == 3
    assert seen[0] == seen[2]
    assert (tag, visibility) == ("image", "visible")


@pytest.mark.slow
def test_a_thousand_images_are_a_small_page(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for i in range(1010):
        pattern = np.kron(RNG.integers(0, 256, (4, 4, 3)), np.ones((12, 12, 1)))
        noisy = np.uint8(np.clip(pattern + RNG.normal(0, 25, pattern.shape), 0, 255))
        part = f"labeled/{'ab'[i % 2]}" if i < 10 else "pile"
        save(noisy, tmp_path / part / f"{i}.jpg")
    page = report(tmp_path, "large")
    assert page.read_text().count("<image ") == 1010
    assert page.stat().st_size < 5e6


def test_thumbnails_of_what_cannot_be_read_are_missing(tmp_path):
    assert thumbnail(tmp_path / "gone.png") == ""
    assert encode(np.zeros((8, 8, 3), np.uint8)).startswith("data:image/webp;base64,")


def test_truth_is_known_where_folders_are_named_like_classes():
    rows = [Row("in/cat/1.png"), Row("in/cow/2.png"), Row("3.png")]
    assert truths(rows, ["cat", "dog"]) == ["cat", "", ""]
    assert truths(rows, ["dog", "fox"]) is None


def test_names_in_figures_are_unique():
    def draw():
        from matplotlib.figure import Figure

        figure = Figure()
        figure.subplots().plot([0, 1], [1, 0], color="red")
        return figure

    first, second = inline_svg(draw, 'say "this"'), inline_svg(draw, "that")
    ids = re.findall(r'\bid="([^"]*)"', first + second)
    assert len(set(ids)) == len(ids) > 0
    for target in re.findall(r'(?:href="#|url\(#)([^")]*)', first):
        assert f'id="{target}"' in first
    assert 'aria-label="say &#34;this&#34;"' in first
    assert "currentColor" in first
    assert "#010203" not in first
