"""From folders of images to labels of each: what `lst predict` does."""

import array
import dataclasses
import math
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lst_tf2.config import PredictConfig
from lst_tf2.errors import check
from lst_tf2.predict.embedding import Embedded
from lst_tf2.predict.estimate import Estimate, thresholded_confidence
from lst_tf2.predict.estimator import LSTClassifier
from lst_tf2.predict.export import check_export
from lst_tf2.predict.folders import check_places, find_classes, find_pictures
from lst_tf2.predict.labels import UNLABELED
from lst_tf2.predict.pictures import UnreadableImageError
from lst_tf2.predict.prediction_page import MOST_SHOWN, Prediction, render_prediction
from lst_tf2.predict.proposals import check_proposals, link_proposals, propose
from lst_tf2.predict.rows import ABSTAINED, OK, Row, image_rows, write_rows
from lst_tf2.predict.saving import check_folder
from lst_tf2.progress import Progress
from lst_tf2.storage.files import new_text_file, write_bytes


class Learned(NamedTuple):
    """Holds a fitted classifier and which images it learned from."""

    classifier: LSTClassifier
    support: list[str]
    pile: list[str]  # Those that can be read.
    embeddings: np.ndarray  # [len(pile), D]
    faults: dict[str, UnreadableImageError]  # The others, by path.


class Outcome(NamedTuple):
    """Holds what a prediction found and wrote."""

    learned: Learned
    counts: dict[str, int]  # By status.
    estimate: Estimate
    written: list[pathlib.Path]


def predict(config: PredictConfig) -> Outcome:
    """Learns from the labeled images and the pile, labels the images, and writes the table.

    Files that are in the way are found before anything is computed, and the table appears when
    it is complete.

    Args:
        config: Which images, which method, and what to write.

    Raises:
        InputError: If images, settings or what is there already do not fit.
    """
    check_places(config)
    check_targets(config)
    learned = load(config) if config.classifier else learn(config)
    seen = Seen([], {}, array.array("f"), keeps_rows=bool(config.report))
    with new_text_file(pathlib.Path(config.out)) as file:
        rows = predicted_rows(config, learned, seen) if config.query else pile_rows(config, learned)
        counts = write_rows(file, seen.note(rows))
    written = [pathlib.Path(config.out)]
    if config.save:
        learned.classifier.save_pretrained(config.save, overwrite=config.overwrite)
        written.append(pathlib.Path(config.save))
    if config.export:
        learned.classifier.export(config.export, overwrite=config.overwrite)
        written.append(pathlib.Path(config.export))
    proposed = choose_proposals(config, learned)
    if proposed:
        written.append(proposals_folder(config))
        link_proposals(proposed, written[-1], overwrite=config.overwrite)
    estimate = learned.classifier.accuracy_estimate_
    if math.isnan(estimate.accuracy) and seen.confidence:
        estimate = thresholded_confidence(np.array(seen.confidence))
    outcome = Outcome(learned, counts, estimate, written)
    if config.report:
        write_report(config, outcome, seen, proposed)
        written.append(pathlib.Path(config.report))
    return outcome


@dataclasses.dataclass
class Seen:
    """Holds what a report tells of: all rows, and the embeddings of those that may be shown.

    Without one the confidences alone, of images that fit a class.
    """

    rows: list[Row]
    embeddings: dict[str, np.ndarray]  # By path.
    confidence: array.array
    keeps_rows: bool

    def note(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yields `rows` and keeps what there is to keep."""
        for row in rows:
            if row.status in (OK, ABSTAINED):
                self.confidence.append(row.confidence)
            if self.keeps_rows:
                self.rows.append(row)
            yield row


def write_report(
    config: PredictConfig, outcome: Outcome, seen: Seen, proposed: Sequence[str]
) -> None:
    """Writes the page about a prediction."""
    learned = outcome.learned
    embeddings = seen.embeddings or dict(zip(learned.pile, learned.embeddings, strict=True))
    page = render_prediction(
        Prediction(
            config,
            learned.classifier,
            learned.support,
            learned.pile,
            seen.rows,
            embeddings,
            outcome.counts,
            outcome.estimate,
            proposed,
        )
    )
    write_bytes(pathlib.Path(config.report), page.encode(errors="replace"))


def check_targets(config: PredictConfig) -> None:
    """Raises `InputError` where something is in the way of folders that will be written."""
    if config.save:
        check_folder(pathlib.Path(config.save), overwrite=config.overwrite)
    if config.export:
        check_export(pathlib.Path(config.export), overwrite=config.overwrite)
    if config.top:
        check_proposals(proposals_folder(config), overwrite=config.overwrite)


def load(config: PredictConfig) -> Learned:
    """Returns the saved classifier."""
    classifier = LSTClassifier.from_pretrained(config.classifier, cache=cache_of(config))
    check(
        hasattr(classifier, "head_"),
        f"a fitted classifier in {config.classifier}",
        "a backbone alone",
        "name a folder that was saved after learning",
        "classifier",
    )
    return Learned(classifier, [], [], np.zeros((0, 0)), {})


def learn(config: PredictConfig) -> Learned:
    """Fits a classifier to the images that can be read.

    Raises:
        InputError: If a class has none.
    """
    classes = find_classes(config.support)
    support = [path for paths in classes.values() for path in paths]
    pictures = support + list(find_pictures(config.unlabeled))
    classifier = LSTClassifier(
        config.backbone,
        method=config.method,
        method_settings=dict(word.split("=", 1) for word in config.method_settings),
        image_size=config.image_size,
        weights=config.weights or None,
        reject=config.reject,
        max_pile=config.max_pile,
        cache=cache_of(config),
        random_state=config.seed,
    )
    gathered = classifier.gather(pictures)
    labels = [name for name, paths in classes.items() for _ in paths]
    labels += [UNLABELED] * (len(pictures) - len(support))
    check_readable_classes(config.support, classes, {labels[row] for row in gathered.rows})
    readable = [pictures[row] for row in gathered.rows]
    known = np.array([labels[row] for row in gathered.rows], object)
    classifier.fit_features(gathered.features, gathered.digests, known, lambda row: readable[row])
    return Learned(
        classifier,
        [pictures[row] for row in gathered.rows if row < len(support)],
        [pictures[row] for row in gathered.rows if row >= len(support)],
        gathered.features.embeddings[np.array(gathered.rows) >= len(support)],
        {pictures[row]: fault for row, fault in gathered.faults.items()},
    )


def check_readable_classes(folder: str, classes: Sequence[str], readable: set) -> None:
    """Raises `InputError` for classes without an image that can be read."""
    missing = [name for name in classes if name not in readable]
    expected = f"an image that can be read in each class folder of {folder}"
    received = f"none in {', '.join(missing)}"
    check(not missing, expected, received, "replace the images or remove the folder", "support")


def cache_of(config: PredictConfig) -> bool | str:
    """Returns where the classifier keeps embeddings."""
    return config.cache != "none" and (config.cache or True)


def pile_rows(config: PredictConfig, learned: Learned) -> Iterator[Row]:
    """Yields the rows of the pile, unreadable images last."""
    classifier = learned.classifier
    probs = classifier.unlabeled_proba_
    none = np.clip(1 - probs.sum(axis=1), 0, 1)
    yield from image_rows(learned.pile, classifier.classes_, probs, none, config.abstain)
    for path in learned.faults:
        yield Row(path)


def predicted_rows(config: PredictConfig, learned: Learned, seen: Seen) -> Iterator[Row]:
    """Yields the rows of the query images as they are read, and keeps some embeddings."""
    classifier = learned.classifier
    total = sum(1 for _ in find_pictures(config.query))
    with Progress("predicting", total, print_every=max(1, total // 10)) as progress:
        for group in classifier.stream_groups(find_pictures(config.query)):
            yield from group_rows(classifier, group, config.abstain)
            if seen.keeps_rows and len(seen.embeddings) < MOST_SHOWN:
                seen.embeddings.update({o.picture: o.embedding for o in group if not o.fault})
            progress.advance(len(group))


def group_rows(
    classifier: LSTClassifier, group: Sequence[Embedded], abstain: float
) -> Iterator[Row]:
    """Yields the rows of some images in order."""
    readable = [one for one in group if one.fault is None]
    rows: Iterator[Row] = iter(())
    if readable:
        embeddings = np.stack([one.embedding for one in readable])
        none = classifier.head_.none_probs(embeddings)
        probs = classifier.head_.probs(embeddings) * (1 - none[:, np.newaxis])
        paths = [one.picture for one in readable]
        rows = image_rows(paths, classifier.classes_, probs, none, abstain)
    for one in group:
        yield Row(one.picture) if one.fault else next(rows)


def proposals_folder(config: PredictConfig) -> pathlib.Path:
    """Returns where the images to label next are linked."""
    out = pathlib.Path(config.out)
    return out.with_name(f"{out.stem}_to_label")


def choose_proposals(config: PredictConfig, learned: Learned) -> list[str]:
    """Returns the paths of the images to label next, best first; none unless asked for."""
    if not config.top:
        return []
    classifier = learned.classifier
    chosen = classifier.pile_.chosen - len(learned.support)
    probs = classifier.unlabeled_proba_[chosen]
    best = propose(classifier.fit_data_.pile.embeddings, probs, config.top)
    return [learned.pile[chosen[row]] for row in best]
