import dataclasses
import json

import numpy as np
import pytest

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data.balance import apportion, read_balance, ways_to_sum
from lst_tf2.data.feeding_order import arrange_for_training, arrange_mixed, episode_rows
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import list_folder, open_lists, sample_lists
from lst_tf2.errors import InputError
from tests.builders import write_data_set
from tests.faults import forget_checksums

RNG = np.random.default_rng(0)
NAMES = ("a", "b", "c")


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("balance") / "letters"
    return write_data_set(folder, classes_per_split=5, images_per_pool=8, image_size=4)


def config_of(folder, balance, num_distractor_classes=2):
    episode = EpisodeConfig(3, 1, 2, 4, num_distractor_classes, balance)
    return ListConfig(str(folder), "test", episode, 30)


def test_equal_counts():
    np.testing.assert_array_equal(read_balance("equal").draw(RNG, NAMES, 12, 4), [4, 4, 4])


@pytest.mark.parametrize(
    ("shares", "most", "counts"),
    [
        # Of ten: 5, 3 and 2.
        ([0.5, 0.3, 0.2], 10, [5, 3, 2]),
        # 3.75, 3.75, 2.5: the two largest remainders take the two that are left.
        ([0.375, 0.375, 0.25], 10, [4, 4, 2]),
        # 8 is above 6; of the other 4, three quarters and one: 3 and 1.
        ([0.8, 0.15, 0.05], 6, [6, 3, 1]),
        # Both of the others are cut in turn: 6 and 3 of 10 at most 4, so 4, 4 and 2.
        ([0.6, 0.3, 0.1], 4, [4, 4, 2]),
        # Who has no share takes what others cannot.
        ([1.0, 0.0, 0.0], 6, [6, 2, 2]),
    ],
)
def test_apportion_worked_by_hand(shares, most, counts):
    np.testing.assert_array_equal(apportion(np.array(shares), 10, most), counts)


def test_apportion_fills_whatever_there_is():
    for _ in range(300):
        total = int(RNG.integers(1, 60))
        most = int(np.ceil(total / 5)) + int(RNG.integers(0, 20))
        counts = apportion(RNG.dirichlet([0.3] * 5), total, most)
        assert counts.sum() == total
        assert 0 <= counts.min() <= counts.max() <= most


def test_ways_to_sum_worked_by_hand():
    # Two classes of 1 to 3: sums 2 to 6 in 1, 2, 3, 2, 1 of 9 ways.
    np.testing.assert_allclose(ways_to_sum(2, 1, 3, 6)[2] * 9, [0, 0, 1, 2, 3, 2, 1], atol=1e-12)


def test_uniform_draws_all_counts_of_a_sum_alike():
    draw = read_balance("uniform:1:3").draw
    seen = [tuple(draw(RNG, NAMES[:2], 4, 9)) for _ in range(3000)]
    shares = [seen.count(counts) / 3000 for counts in ((1, 3), (2, 2), (3, 1))]
    np.testing.assert_allclose(shares, np.full(3, 1 / 3), atol=0.04)


def test_dirichlet_spreads_as_alpha_says():
    # The standard deviation of a share of n classes is sqrt((n - 1) / (n^2 (n alpha + 1))).
    for alpha, expected in ((2.0, np.sqrt(4 / (25 * 11))), (50.0, np.sqrt(4 / (25 * 251)))):
        draw = read_balance(f"dirichlet:{alpha}").draw
        counts = np.array([draw(RNG, "abcde", 500, 500) for _ in range(2000)])
        assert (counts.sum(axis=1) == 500).all()
        assert np.std(counts / 500) == pytest.approx(expected, rel=0.05)


def test_counts_of_a_file(tmp_path):
    path = tmp_path / "pile.json"
    path.write_text(json.dumps({"a": 3, "b": 1, "c": 0, "others": 7}))
    balance = read_balance(str(path))
    np.testing.assert_array_equal(balance.draw(RNG, NAMES, 12, 12), [9, 3, 0])
    with pytest.raises(InputError, match=r"a number for each class in .*none for \['z'\]"):
        balance.draw(RNG, ("a", "z"), 12, 12)
    path.write_text(json.dumps({"a": 2}))
    assert read_balance(str(path)).name != balance.name


@pytest.mark.parametrize(
    "text",
    ["even", "dirichlet", "dirichlet:0", "dirichlet:x", "uniform:5", "uniform:9:5", "uniform:a:b"],
)
def test_what_no_balance_is(text):
    with pytest.raises(InputError, match=r"unlabeled_balance|alpha|least"):
        read_balance(text)


def test_counts_that_cannot_be():
    with pytest.raises(InputError, match="bounds between which 3 classes can have 30 images"):
        read_balance("uniform:1:3").draw(RNG, NAMES, 30, 99)


@pytest.mark.parametrize("balance", ["dirichlet:1", "uniform:1:7"])
def test_lists_of_uneven_episodes(folder, balance):
    lists = sample_lists(scan_split(folder, "test"), config_of(folder, balance))
    assert np.std(lists.counts) > 0.5
    for index in range(len(lists)):
        for arrange in (arrange_for_training, arrange_mixed):
            episode = episode_rows(lists, index, arrange)
            labels = np.concatenate([episode.unlabeled.labels, episode.distractors.labels])
            assert len(labels) == (3 + 2) * 4
            found = np.append(np.bincount(labels[labels >= 0], minlength=3), (labels < 0).sum())
            expected = [*lists.counts[index, :3], lists.counts[index, 3:].sum()]
            np.testing.assert_array_equal(found, expected)
            rows = np.concatenate([e.inputs for e in episode])
            assert len(set(rows.tolist())) == len(rows)


def test_an_uneven_episode_is_the_same_without_distractors(folder):
    catalogue = scan_split(folder, "test")
    lists = [sample_lists(catalogue, config_of(folder, "dirichlet:1", x)) for x in (0, 2)]
    for index in range(30):
        first, second = (one.unlabeled_rows(index) for one in lists)
        np.testing.assert_array_equal(np.concatenate(first), np.concatenate(second))


def test_uneven_lists_are_stored_beside_others_and_checked(folder):
    config = config_of(folder, "uniform:1:7")
    lists, again = open_lists(config), open_lists(config)
    np.testing.assert_array_equal(lists.counts, again.counts)
    even = dataclasses.replace(config.episode, unlabeled_balance="equal")
    assert open_lists(dataclasses.replace(config, episode=even)).counts is None
    path = list_folder(config) / "counts.npy"
    assert path.parent.name.endswith("_uniform1to7")
    np.save(path, lists.counts + 1)
    forget_checksums(path.parent)
    with pytest.raises(InputError, match="counts that sum to 12 and 8"):
        open_lists(config)
