"""Tests of `data/pipeline.py` and `data/images.py`."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data import pipeline
from lst_tf2.data.feeding_order import arrange_as_paper, arrange_for_training, episode_files
from lst_tf2.data.images import ImageFiles, decode_images
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import sample_lists
from lst_tf2.errors import InputError, MissingInputError
from tests.builders import path_in, write_data_set


@pytest.fixture(name="lists")
def fixture_lists(tmp_path):
    folder = write_data_set(tmp_path / "letters", classes_per_split=5)
    episode = EpisodeConfig(
        way=3, shot=2, queries_per_class=2, unlabeled_per_class=4, num_distractor_classes=2
    )
    return sample_lists(scan_split(folder, "test"), ListConfig(str(folder), "test", episode, 6))


def files_of(lists):
    return ImageFiles(lists.catalogue, 16)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_episode_holds_the_listed_images(lists):
    stream = pipeline.stream_episodes(lists, arrange_as_paper, range(2, 4), files_of(lists))
    for index, episode in zip((2, 3), stream, strict=True):
        files = episode_files(lists, index, arrange_as_paper)
        for (images, labels), (paths, expected) in zip(episode, files, strict=True):
            assert images.dtype == "uint8"
            np.testing.assert_array_equal(images, [pixels(path) for path in paths])
            np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_decodes_to_the_pixels_of_the_original(tmp_path, subsampling):
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{i}.jpg") for i in range(4)]
    for path in paths:
        rough = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((84, 84))
        rough.save(path, quality=90, subsampling=subsampling)
    decoded = decode_images(tf.constant(paths), 84)
    np.testing.assert_array_equal(decoded, [pixels(path) for path in paths])


def test_steps_see_the_same_episodes_wherever_the_stream_starts(lists):
    def stream(steps):
        return pipeline.stream_meta_batches(lists, arrange_for_training, steps, 2, files_of(lists))

    whole = list(stream(range(5)))
    late = list(stream(range(3, 5)))
    for expected, actual in zip(whole[3:], late, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, expected, actual)
    # Six episodes are three meta-batches: the fourth begins the list again.
    np.testing.assert_array_equal(whole[3].query.inputs, whole[0].query.inputs)
    assert whole[0].support.inputs.shape == (2, 6, 16, 16, 3)


def test_epochs_pass_every_image_once_in_new_orders():
    rows = [pipeline.shuffled_rows(10, range(s * 4, s * 4 + 4), seed=3) for s in range(5)]
    stream = np.concatenate(rows)
    assert sorted(stream[:10]) == sorted(stream[10:]) == list(range(10))
    assert list(stream[:10]) != list(stream[10:])
    np.testing.assert_array_equal(pipeline.shuffled_rows(10, range(4, 16), seed=3), stream[4:16])


def test_image_batches_carry_class_indices(lists):
    catalogue = scan_split(lists.catalogue.folder, "train")
    source = ImageFiles(catalogue, 16)
    batches = list(pipeline.stream_image_batches(catalogue, range(3), 20, source, seed=0))
    labels = np.concatenate([batch.labels for batch in batches])
    np.testing.assert_array_equal(np.bincount(labels), [12] * 5)
    images = np.concatenate([batch.inputs for batch in batches])
    first = [pixels(path_in(catalogue, "labeled", 2, i)) for i in range(6)]
    found = images[labels == 2]
    assert all((found == image).all(axis=(1, 2, 3)).any() for image in first)


def test_images_in_order_end_with_a_smaller_batch(lists):
    rows = np.arange(3, 13)
    batches = list(pipeline.stream_images(rows, 4, files_of(lists)))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    expected = [pixels(lists.catalogue.path(row)) for row in rows]
    np.testing.assert_array_equal(np.concatenate(batches), expected)


def spoil(lists, content):
    """Replaces the first support image of episode 1 and returns its path."""
    path = lists.labeled_paths(1)[0][0]
    with open(path, "wb") as file:
        file.write(content)
    return path


def encoded(tmp_path, mode, size, suffix="png"):
    path = tmp_path / f"other.{suffix}"
    Image.new(mode, size).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: b"", "cannot be decoded"),
        (lambda _: b"not an image", "cannot be decoded"),
        (lambda t: encoded(t, "RGB", (16, 16))[:60], "cannot be decoded"),
        (lambda t: encoded(t, "RGB", (16, 16), "jpg")[:300], "cannot be decoded"),
        (lambda t: encoded(t, "RGB", (8, 16)), "received 8x16; resize"),
        (lambda t: encoded(t, "L", (16, 16)), "mode 'L'; convert it to RGB"),
        (lambda t: encoded(t, "RGBA", (16, 16)), "mode 'RGBA'"),
    ],
)
def test_broken_image_is_named(lists, tmp_path, make, message):
    path = spoil(lists, make(tmp_path))
    stream = pipeline.stream_episodes(lists, arrange_for_training, range(3), files_of(lists))
    next(stream)
    with pytest.raises(InputError, match=message) as caught:
        next(stream)
    assert path in str(caught.value)


def test_image_removed_meanwhile_is_named(lists):
    path = lists.labeled_paths(0)[0][0]
    (lists.catalogue.folder / path).unlink()
    source = files_of(lists)
    stream = pipeline.stream_meta_batches(lists, arrange_for_training, range(1), 2, source)
    with pytest.raises(MissingInputError, match="found no file; restore it"):
        next(stream)
