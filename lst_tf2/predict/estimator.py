"""A classifier for people's own images, in the way of scikit-learn."""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from lst_tf2.config import SelfTrainingConfig
from lst_tf2.errors import check
from lst_tf2.predict.backbone_names import find_folder
from lst_tf2.predict.embedding import Embedded, Gathered
from lst_tf2.predict.estimate import UNKNOWN, Estimate, leave_one_out, thresholded_confidence
from lst_tf2.predict.export import build_classifier, export_classifier
from lst_tf2.predict.fitted import FitData, fit_head
from lst_tf2.predict.inputs import name_in_row, open_inputs
from lst_tf2.predict.labels import UNLABELED, encode_labels
from lst_tf2.predict.loading import load_backbone
from lst_tf2.predict.pictures import Picture
from lst_tf2.predict.piles import (
    check_one_class_each,
    label_pile,
    most_of,
    sort_out,
    take_rows,
)
from lst_tf2.predict.presets import NONE, read_config, write_backbone
from lst_tf2.predict.saving import KEPT, Kept, check_folder, read_kept, write_kept
from lst_tf2.predict.training import looks_at_maps, stages_of
from lst_tf2.storage.files import new_folder
from lst_tf2.structures import Features

PathLike = str | os.PathLike
TINY = 1e-12


class LSTClassifier(ClassifierMixin, TransformerMixin, BaseEstimator):
    """Learns classes from few labeled images and a pile of unlabeled ones.

    The pile may hold images of none of the classes, and unlike numbers of each class. It is
    embedded by a backbone and self-trained on (arXiv:1906.00562 and `graph_lst`, which is this
    package's own). An image's prediction depends on nothing but the image.

        classifier = LSTClassifier().fit(images, labels)  # -1: unlabeled
        classifier.predict(others)

    Args:
        backbone: `glyphs` or another of `list_backbones()`, the folder of a preset or of a run, a
            `keras.Model` from pixels in 0..255 to maps or vectors, or None: what is passed are
            embeddings `[n, D]` already.
        method: One of `lst_tf2.METHODS`, or `package.module:factory`.
        method_settings: Settings of the method by name. For others what `lst tune` chose for the
            backbone counts, else the defaults.
        image_size: Side in pixels that images are resized to; by default the backbone's.
        weights: A file of weights, for a backbone `keras:<network>`.
        reject: Whether images may be of none of the classes.
        max_pile: Most unlabeled images to self-train on, a random choice of them; the others get
            the labels of their neighbours. By default 60 for each class of more than 100.
        cache: Whether to keep embeddings on disk, or in which folder.
        random_state: Seed of that choice.
        verbose: Whether to show a bar while images are embedded.

    Attributes:
        classes_: `[N]`, the classes in order.
        unlabeled_proba_: `[U, N]` float32, how likely each unlabeled image is of each class; what a
            row lacks of 1 is for none of them.
        stages_: A `StageRecord` for each stage; none without a pile.
        head_: The `FittedHead`.
        fit_data_: The `FitData` that it was fitted to; not after `from_pretrained`.
        pile_: The `Pile`, which images are labeled and which were self-trained on.
        backbone_: The `Backbone`; None for embeddings.
        n_features_in_: D, the width of an embedding; of embeddings passed, their width.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn asks for all parameters here
        self,
        backbone: Any = "glyphs",
        *,
        method: str = "graph_lst",
        method_settings: Mapping[str, Any] | None = None,
        image_size: int | None = None,
        weights: PathLike | None = None,
        reject: bool = True,
        max_pile: int | None = None,
        cache: bool | PathLike = True,
        random_state: int | None = 0,
        verbose: bool = False,
    ):
        self.backbone = backbone
        self.method = method
        self.method_settings = method_settings
        self.image_size = image_size
        self.weights = weights
        self.reject = reject
        self.max_pile = max_pile
        self.cache = cache
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> "LSTClassifier":  # noqa: N803 - the name of scikit-learn
        """Learns from labeled and unlabeled images.

        Args:
            X: `[n, H, W, 3]` uint8, or floats in 0..1, or a list of arrays of any sizes, paths or
                Pillow images; with `backbone=None` embeddings `[n, D]`.
            y: `[n]`, classes as numbers or texts; -1: unlabeled.

        Returns:
            Itself.

        Raises:
            InputError: If images cannot be read, there are less than two classes, or an image is
                labeled as two.
        """
        self._inputs = open_inputs(self, X)
        features, digests = self._inputs.features(X, with_maps=looks_at_maps(self._stages()))
        check_consistent_length(features.embeddings, y)
        return self.fit_features(features, digests, y, name_in_row(X))

    def gather(self, pictures: Sequence[Picture]) -> Gathered:
        """Embeds the pictures that can be read, for `fit_features`, and shows a bar."""
        self._inputs = open_inputs(self, pictures)
        needs_maps = looks_at_maps(self._stages())
        return self._inputs.gather(pictures, "embedding", with_maps=needs_maps)

    def stream_groups(self, pictures: Iterable[Picture]) -> Iterator[list[Embedded]]:
        """Embeds any number of pictures in constant memory; those that cannot be read say so."""
        check_is_fitted(self)
        return self._inputs.embedder().stream_groups(pictures)

    def fit_features(
        self,
        features: Features,
        digests: Sequence[bytes],
        labels: Any,
        name_of: Callable[[int], str],
    ) -> "LSTClassifier":
        """Learns from images whose features are known; `fit` finds them first.

        Args:
            features: Of n images, from the backbone of this classifier.
            digests: `[n]`, of their contents; none where the same may come twice.
            labels: `[n]`, as in `fit`.
            name_of: What errors call the image in a row.

        Raises:
            InputError: As in `fit`.
        """
        self.classes_, encoded = encode_labels(labels)
        most = self.max_pile
        if most is None:
            most = most_of(int(np.sum(encoded == UNLABELED)), len(self.classes_))
        check(most >= 0, "max_pile of at least 0", most, "raise it", "max_pile")
        check_one_class_each(encoded, digests, name_of, self.classes_)
        self.pile_ = sort_out(encoded, digests, most, self.random_state)
        self.backbone_ = self._inputs.backbone
        self.fit_data_ = FitData(
            support=take_rows(features, self.pile_.support),
            labels=self.pile_.labels,
            pile=take_rows(features, self.pile_.chosen),
            stages=self._stages(),
            backbone=self.backbone_,
            reject=self.reject,
        )
        self.head_, self.stages_ = fit_head(self.fit_data_)
        probs = label_pile(self.head_, self.stages_, self.pile_, features.embeddings)
        if not self.reject:
            probs /= np.maximum(probs.sum(axis=1, keepdims=True), TINY)
        self.unlabeled_proba_ = probs
        self.n_features_in_ = features.embeddings.shape[1]
        self._estimate = None
        return self

    def _stages(self) -> SelfTrainingConfig:
        return stages_of(self.method, self.method_settings or {}, self._inputs.backbone)

    @property
    def rejected_(self) -> np.ndarray:
        """`[U]` bool, whether none of the classes is more likely than any for an image."""
        probs = self.unlabeled_proba_
        return 1 - probs.sum(axis=1) > probs.max(axis=1)

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the embeddings of images, `[n, D]` float32."""
        check_is_fitted(self)
        return self._inputs.embeddings(X)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns how likely each image is of each class, if it is of one of them.

        Args:
            X: As in `fit`.

        Returns:
            `[n, N]` float32 in the order of `classes_`; rows sum to 1.
        """
        embeddings = self.transform(X)
        return self.head_.probs(embeddings)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the most probable class of each image, `[n]`."""
        probs = self.predict_proba(X)
        return self.classes_[probs.argmax(axis=1)]

    def none_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns how likely each image is of none of the classes, `[n]` in 0..1.

        It is known from the neighbours in the pile: 0 without one.
        """
        embeddings = self.transform(X)
        return self.head_.none_probs(embeddings)

    @property
    def estimated_accuracy_(self) -> float:
        """The accuracy to expect on images of the classes, in 0..1."""
        return self.accuracy_estimate_.accuracy

    @property
    def accuracy_estimate_(self) -> Estimate:
        """The same with its 95 % interval, and how it was found.

        That is done at the first use: on labeled images left out, where classes have two or more;
        else by the confidence on what of the pile fits a class; without that it is NaN.
        """
        check_is_fitted(self)
        if self._estimate is None:
            self._estimate = leave_one_out(self.fit_data_) or self._by_confidence()
        return self._estimate

    def _by_confidence(self) -> Estimate:
        pile = self.fit_data_.pile.embeddings
        if len(pile):
            pile = pile[self.head_.none_probs(pile) < 0.5]
        if not len(pile):
            return UNKNOWN
        return thresholded_confidence(self.head_.probs(pile).max(axis=1))

    def save_pretrained(
        self, folder: PathLike, *, precision: str = "float32", overwrite: bool = False
    ) -> None:
        """Writes the backbone, and what a fit found, into a folder for `from_pretrained`.

        Such a folder can be named as a `backbone` too.

        Args:
            folder: Where to write.
            precision: Of our kernels: `float32`; `float16`, half of the bytes; or `int8`, a
                quarter of them.
            overwrite: Whether an earlier one may be replaced.

        Raises:
            InputError: If there is something else already, or no such precision.
        """
        kept, backbone = None, getattr(self, "backbone_", None)
        if hasattr(self, "head_"):
            parameters = {name: getattr(self, name) for name in KEPT}
            kept = Kept(self.classes_, self.head_, self.accuracy_estimate_, parameters)
        elif self.backbone is not None:
            backbone = load_backbone(self.backbone, self.image_size, self.weights)
        folder = pathlib.Path(folder)
        check_folder(folder, overwrite=overwrite)
        with new_folder(folder) as new:
            write_backbone(new, backbone, precision)
            if kept is not None:
                write_kept(new, kept)

    def export(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Writes one plain Keras model, which needs nothing of this package.

        It takes pixels `[B, s, s, 3]`, float32 in 0..255, of squares of the backbone's image size,
        and gives what `predict_proba` does.

        Args:
            path: `<name>.keras`, beside which `<name>.labels.txt` names the classes; else the
                folder of a SavedModel, which gets `labels.txt`.
            overwrite: Whether an earlier one may be replaced.

        Raises:
            InputError: If there is something already, or the classifier has no backbone.
        """
        check_is_fitted(self)
        expected, remedy = "a classifier of images to export", "fit one with a backbone"
        check(self.backbone_ is not None, expected, "one of embeddings", remedy)
        model = build_classifier(self.backbone_, self.head_)
        labels = [str(name) for name in self.classes_]
        export_classifier(pathlib.Path(path), model, labels, overwrite=overwrite)

    @classmethod
    def from_pretrained(cls, folder: PathLike, **parameters: Any) -> "LSTClassifier":
        """Returns the classifier of a folder, fitted where it was when it was saved.

        Args:
            folder: What `save_pretrained` wrote, or the name of a preset.
            **parameters: Of the classifier, in place of the saved ones.

        Raises:
            InputError: If there is no such folder, or it is of another version or damaged.
        """
        found = find_folder(folder)
        config, kept = read_config(found), read_kept(found)
        backbone = None if config["kind"] == NONE else str(found)
        made = cls(backbone, **{**(kept.parameters if kept else {}), **parameters})
        if kept:
            made._inputs = open_inputs(made)
            made.backbone_, made.classes_ = made._inputs.backbone, kept.classes
            made.head_, made._estimate = kept.head, kept.estimate
            made.n_features_in_ = len(kept.head.kernel)
        return made

    def __sklearn_tags__(self):
        """Returns what scikit-learn's checks go by: rows of numbers can only be embeddings."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.backbone is None
        tags.transformer_tags.preserves_dtype = []  # Embeddings are float32.
        return tags
