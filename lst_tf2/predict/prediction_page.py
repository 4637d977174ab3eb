"""The page about a prediction: what was learned from, what was made of it, how sure it is."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from lst_tf2.config import PredictConfig
from lst_tf2.predict.embedding_map import Point, draw_map
from lst_tf2.predict.estimate import Estimate
from lst_tf2.predict.estimator import LSTClassifier
from lst_tf2.predict.gallery import Gallery, Shelf, Tile
from lst_tf2.predict.page import render
from lst_tf2.predict.prediction_figures import confusion, stage_figures, truth_figures
from lst_tf2.predict.rows import ABSTAINED, OK, REJECTED, UNREADABLE, Row
from lst_tf2.predict.training import StageRecord

# Of a larger pile a random choice is shown; a page of so many is one or two megabytes.
MOST_SHOWN = 1000
MOST_A_STAGE = 100
NONE = "none of these"
STATUS_TITLES = {
    ABSTAINED: "Abstained: not sure enough",
    REJECTED: "Rejected: of none of the classes",
    UNREADABLE: "Unreadable",
}


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Holds what a page tells of.

    Attributes:
        config: What was asked for.
        classifier: The fitted one.
        support: Paths of the labeled images; none of a saved classifier.
        pile: Paths of the unlabeled images that can be read.
        rows: What was said of each image.
        embeddings: By path, of images that may be on the map.
        counts: How many images have which status.
        estimate: Of the accuracy.
        proposed: Paths of the images to label next, best first.
    """

    config: PredictConfig
    classifier: LSTClassifier
    support: Sequence[str]
    pile: Sequence[str]
    rows: Sequence[Row]
    embeddings: dict[str, np.ndarray]
    counts: dict[str, int]
    estimate: Estimate
    proposed: Sequence[str]


def render_prediction(prediction: Prediction) -> str:
    """Returns the page as HTML."""
    gallery, rows = Gallery(), choose_shown(prediction.rows)
    classes = [str(name) for name in prediction.classifier.classes_]
    truth = truths(prediction.rows, classes)
    values = {
        "facts": facts(prediction),
        "support": support_shelves(prediction, gallery),
        "results": result_shelves(classes, rows, gallery),
        "shown": len(rows),
        "total": len(prediction.rows),
        "stages": stage_shelves(prediction, gallery),
        "proposed": [gallery.tile(path, f"{i}") for i, path in enumerate(prediction.proposed, 1)],
        "figures": stage_figures(prediction.classifier) + truth_figures(prediction.rows, truth),
        "confusion": confusion(prediction.rows, truth, classes, NONE),
        "map": draw_map(map_points(prediction, rows, gallery), classes),
        "settings": {k: v for k, v in dataclasses.asdict(prediction.config).items() if v},
        "backbone": prediction.classifier.backbone_,
    }
    return render("prediction.html.j2", images=gallery.sources, **values)


def choose_shown(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows that are shown, in order."""
    if len(rows) <= MOST_SHOWN:
        return list(rows)
    chosen = np.random.default_rng(0).choice(len(rows), MOST_SHOWN, replace=False)
    return [rows[place] for place in np.sort(chosen)]


def facts(prediction: Prediction) -> list[tuple[str, str]]:
    """Returns the numbers at the head of the page."""
    counts = prediction.counts
    return [
        ("classes", str(len(prediction.classifier.classes_))),
        ("labeled images", str(len(prediction.support))),
        ("unlabeled images", str(len(prediction.pile))),
        ("estimated accuracy", prediction.estimate.describe()),
        ("got a label", str(counts[OK])),
        ("abstained", str(counts[ABSTAINED])),
        ("of none of the classes", str(counts[REJECTED])),
        ("unreadable", str(counts[UNREADABLE])),
    ]


def truths(rows: Sequence[Row], classes: Sequence[str]) -> list[str] | None:
    """Returns what images are of, where the folders that they lie in are named like classes.

    What lies in another folder is of none of the classes. None where no folder is.
    """
    folders = [pathlib.Path(row.path).parent.name for row in rows]
    if not set(folders) & set(classes):
        return None
    return [folder if folder in classes else "" for folder in folders]


def support_shelves(prediction: Prediction, gallery: Gallery) -> list[Shelf]:
    """Returns the labeled images by class."""
    if not prediction.support:
        return []
    labels = prediction.classifier.fit_data_.labels
    shelves = []
    for number, name in enumerate(prediction.classifier.classes_):
        rows = np.flatnonzero(labels == number)
        tiles = [gallery.tile(prediction.support[row], str(name)) for row in rows[:MOST_A_STAGE]]
        shelves.append(Shelf(str(name), tiles, len(rows)))
    return shelves


def result_shelves(classes: Sequence[str], rows: Sequence[Row], gallery: Gallery) -> list[Shelf]:
    """Returns the images by label, then those without one, the surest first."""
    shelves = []
    for name in classes:
        shelves.append((name, [r for r in rows if r.status == OK and r.label == name]))
    for status, title in STATUS_TITLES.items():
        shelves.append((title, [row for row in rows if row.status == status]))
    found = []
    for title, members in shelves:
        members.sort(key=lambda row: -(row.confidence or 0))
        tiles = [gallery.tile(row.path, caption(row)) for row in members]
        found.append(Shelf(title, tiles, len(members)))
    return found


def caption(row: Row) -> str:
    """Returns what stands below the image of a row."""
    if row.status == UNREADABLE:
        return os.path.basename(row.path)
    confidence = f"{100 * row.confidence:.0f} %"
    if row.status == REJECTED:
        return f"{confidence}; {row.second_label}?"
    return confidence if row.status == OK else f"{row.label or NONE}? {confidence}"


def stage_shelves(prediction: Prediction, gallery: Gallery) -> list[Shelf]:
    """Returns the pseudo-labeled images that each stage learned from, with their weights."""
    shelves = []
    for number, stage in enumerate(getattr(prediction.classifier, "stages_", []), start=1):
        # Rows beyond the pile are those of labeled images.
        is_kept = (stage.weights > 0) & (stage.rows < len(stage.probs))
        tiles = stage_tiles(prediction, stage, np.flatnonzero(is_kept), gallery)
        shelves.append(Shelf(f"Stage {number}", tiles, int(is_kept.sum())))
    return shelves


def stage_tiles(
    prediction: Prediction, stage: StageRecord, kept: np.ndarray, gallery: Gallery
) -> list[Tile]:
    """Returns the surest of the `kept` images of each class."""
    classifier, tiles = prediction.classifier, []
    paths = classifier.pile_.chosen - len(prediction.support)
    confidence = stage.probs[stage.rows[kept], stage.labels[kept]]
    for label, name in enumerate(classifier.classes_):
        members = np.flatnonzero(stage.labels[kept] == label)
        order = members[np.argsort(-confidence[members], kind="stable")]
        for place in order[: MOST_A_STAGE // len(classifier.classes_) + 1]:
            row = kept[place]
            weight = stage.weights[row] * stage.soft_weights[row, label]
            text = f"{name} {100 * confidence[place]:.0f} %, weight {weight:.2f}"
            tiles.append(gallery.tile(prediction.pile[paths[stage.rows[row]]], text))
    return tiles


def map_points(prediction: Prediction, rows: Sequence[Row], gallery: Gallery) -> list[Point]:
    """Returns what is on the map: labeled images, and those shown."""
    points = []
    classes = [str(name) for name in prediction.classifier.classes_]
    if prediction.support:
        data = prediction.classifier.fit_data_
        for path, label, embedding in zip(
            prediction.support, data.labels, data.support.embeddings, strict=True
        ):
            about = f"{os.path.basename(path)}, labeled {classes[label]}"
            points.append(Point(embedding, int(label), True, about, gallery.add(path)))
    for row in rows:
        if row.path in prediction.embeddings:
            label = classes.index(row.label) if row.label and row.status == OK else -1
            about = f"{os.path.basename(row.path)}, {row.status}, {row.label or NONE}"
            about += f" {100 * row.confidence:.0f} %"
            embedding = prediction.embeddings[row.path]
            points.append(Point(embedding, label, False, about, gallery.add(row.path)))
    return points
