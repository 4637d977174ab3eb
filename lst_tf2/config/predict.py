"""Settings of predictions on people's own images."""

import dataclasses

from lst_tf2.config.headings import METHOD, RUNNING
from lst_tf2.config.method import SelfTrainingConfig
from lst_tf2.errors import check
from lst_tf2.settings import SEEDS, SIDES, Settings, setting

IMAGES, OUTPUT = "The images", "What is written"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(Settings, group=IMAGES):
    """Describes what to learn from, what to label, and what to write.

    Attributes:
        support: Folder of labeled images, a folder for each class in it.
        unlabeled: Folders or files of unlabeled images to learn from, comma-separated; images of
            other classes may be among them.
        query: Folders or files to label, comma-separated; without it the unlabeled images get
            labels.
        classifier: Folder of a saved classifier: label queries with it, learn nothing.
        backbone: What embeds the images: a preset (glyphs; cifar_fs for photographs),
            keras:<network of keras.applications> such as keras:EfficientNetV2B0, a .keras file, or
            the folder of a preset or of a run.
        weights: File of weights for a keras:<network>; without it Keras fetches them.
        image_size: Side in pixels that images are resized to; by default that of the backbone.
        method: How it learns from unlabeled images: as in `lst test`.
        method_settings: Settings of the method as key=value,key=value.
        reject: Whether images may be of none of the classes.
        abstain: Least probability that a label is right; less sure images get the status abstained.
        max_pile: Most unlabeled images to learn from, a random choice; the others are labeled by
            their neighbours. By default 60 for each class where there are more than 100.
        out: File of labels: one row for each image.
        report: File of a page to look at, e.g. report.html.
        save: Folder to keep the classifier in, for later queries.
        export: File <name>.keras, or folder of a SavedModel, for the classifier as a plain Keras
            model.
        top: How many unlabeled images to propose for labeling, as links in <out>_to_label/.
        overwrite: Replace what an earlier command wrote.
        cache: Folder that keeps embeddings, by default of this user; none: they are not kept.
        seed: Seed of the random choice.
    """

    support: str = setting("", flag="support")
    unlabeled: tuple[str, ...] = setting((), flag="unlabeled", kind=str)
    query: tuple[str, ...] = setting((), flag="query", kind=str)
    classifier: str = setting("", flag="classifier")
    backbone: str = setting("glyphs", flag="backbone", group=METHOD)
    weights: str = setting("", flag="weights", group=METHOD)
    image_size: int | None = setting(
        None, flag="img_size", group=METHOD, kind=int, at_least=1, at_most=SIDES["at_most"]
    )
    method: str = setting("graph_lst", flag="method", group=METHOD)
    method_settings: tuple[str, ...] = setting((), flag="method_settings", group=METHOD)
    reject: bool = setting(True, flag="reject", group=METHOD)
    abstain: float = setting(0.92, flag="abstain", group=METHOD, at_least=0, at_most=1)
    max_pile: int | None = setting(None, flag="max_pile", group=METHOD, kind=int, at_least=1)
    out: str = setting("predictions.csv", flag="out", group=OUTPUT)
    report: str = setting("", flag="report", group=OUTPUT)
    save: str = setting("", flag="save", group=OUTPUT)
    export: str = setting("", flag="export", group=OUTPUT)
    top: int = setting(0, flag="top", group=OUTPUT, at_least=0)
    overwrite: bool = setting(False, flag="overwrite", group=OUTPUT)
    cache: str = setting("", flag="cache", group=RUNNING)
    seed: int = setting(0, flag="seed", group=RUNNING, **SEEDS)

    def check(self) -> None:
        """Raises `InputError` where there is nothing to learn from, or nothing to label."""
        SelfTrainingConfig(method=self.method, method_settings=self.method_settings)
        check(
            bool(self.support) != bool(self.classifier),
            "either labeled images or a saved classifier",
            "both" if self.support else "neither",
            "pass one of them",
            *("support", "classifier"),
        )
        check(
            not self.classifier or not (self.unlabeled or self.top or self.save),
            "nothing but queries beside a saved classifier, which has learned already",
            "more",
            "leave it out, or pass labeled images in place of the classifier",
            *("unlabeled", "top", "save"),
        )
        check(
            bool(self.query) or bool(self.unlabeled and self.support),
            "images to label, queries or unlabeled ones beside labeled ones",
            "none",
            "pass a folder",
            *("query", "unlabeled"),
        )
        check(
            not self.top or bool(self.unlabeled),
            "unlabeled images, among which to choose those to label next",
            "none",
            "pass a folder of them",
            *("top", "unlabeled"),
        )
