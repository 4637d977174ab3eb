import re

import pytest

from lst_tf2.config import SPLITS
from lst_tf2.datasets import published
from lst_tf2.datasets.source import SourceClass
from lst_tf2.errors import InputError
from tests.builders import FakeImages

NUM_CLASSES = {
    "miniImagenet": (64, 16, 20),
    "tieredImagenet": (351, 97, 160),
    "cifar_fs": (64, 16, 20),
    "fc100": (60, 20, 20),
}
NUM_IMAGES = {
    "miniImagenet": (38400, 9600, 12000),
    "tieredImagenet": (448695, 124261, 206209),
    "cifar_fs": (38400, 9600, 12000),
    "fc100": (36000, 12000, 12000),
}


@pytest.mark.parametrize("name", published.NAMES)
def test_lists_have_the_published_counts(name):
    found = published.load_published(name)
    assert tuple(len(found.classes[split]) for split in SPLITS) == NUM_CLASSES[name]
    assert tuple(found.images[split] for split in SPLITS) == NUM_IMAGES[name]
    assert len(set(found.all_classes())) == sum(NUM_CLASSES[name])
    assert all(list(names) == sorted(names) for names in found.classes.values())
    assert re.search(r"arXiv:\d{4}\.\d{5}", found.source)
    assert "https://" in found.where


@pytest.mark.parametrize("name", ["miniImagenet", "tieredImagenet"])
def test_classes_of_imagenet_are_wordnet_numbers(name):
    assert all(re.fullmatch(r"n\d{8}", c) for c in published.load_published(name).all_classes())


def test_both_splits_of_cifar_100_have_its_classes():
    first, second = (published.load_published(name) for name in ("cifar_fs", "fc100"))
    assert set(first.all_classes()) == set(second.all_classes())


def test_superclasses_of_fc100_are_not_split():
    # Five of each superclass: people and insects to test, large carnivores to val, fish to train.
    classes = published.load_published("fc100").classes
    assert {"baby", "boy", "girl", "man", "woman"} <= set(classes["test"])
    assert {"bee", "beetle", "butterfly", "caterpillar", "cockroach"} <= set(classes["test"])
    assert {"bear", "leopard", "lion", "tiger", "wolf"} <= set(classes["val"])
    assert {"aquarium_fish", "flatfish", "ray", "shark", "trout"} <= set(classes["train"])


def test_first_and_last_classes_of_imagenet_lists():
    mini, tiered = (published.load_published(n).classes for n in ("miniImagenet", "tieredImagenet"))
    assert (mini["train"][0], mini["test"][-1]) == ("n01532829", "n07613480")
    assert {"n01855672", "n02174001"} <= set(mini["val"])
    assert (tiered["train"][0], tiered["test"][-1]) == ("n01530575", "n09472597")


def test_classes_that_differ_are_named():
    with pytest.raises(InputError) as caught:
        published.check_classes({"a", "x"}, ["a", "b", "c", "d", "e"], "x.pkl", "it there")
    assert str(caught.value) == (
        "Expected the 5 published classes in x.pkl, received 2 classes without 'b', 'c', 'd' and "
        "1 more, with 'x'; get it there."
    )
    published.check_classes(["b", "a"], ["a", "b"], "x.pkl", "it there")


def test_counts_are_checked_by_class_and_by_split():
    fc100 = published.load_published("fc100")
    classes = [SourceClass("apple", "train", ["0"] * 599, FakeImages(0))]
    with pytest.raises(
        InputError, match=r"Expected 600 images of class 'apple', received 599; use"
    ):
        published.check_counts(classes, fc100)
    tiered = published.load_published("tieredImagenet")
    with pytest.raises(
        InputError, match="448695 images of tieredImageNet train, received 599; use"
    ):
        published.check_counts(classes, tiered)
