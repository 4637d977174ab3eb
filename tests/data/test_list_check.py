"""`lst episodes check`, on drawn and on recorded lists."""

import dataclasses
import re

import numpy as np
import pytest

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data.layout import scan_split
from lst_tf2.data.list_check import find_repetition
from lst_tf2.data.lists import open_lists, sample_lists
from tests.builders import write_data_set
from tests.cli.flag_values import config_of
from tests.faults import forget_checksums
from tests.tf1.recorded_lists import LISTS, import_lists

EPISODE = EpisodeConfig(
    way=3, shot=2, queries_per_class=2, unlabeled_per_class=3, num_distractor_classes=2
)


@pytest.fixture(scope="module", name="lists")
def fixture_lists(tmp_path_factory):
    folder = write_data_set(tmp_path_factory.mktemp("letters"), classes_per_split=6)
    return sample_lists(scan_split(folder, "test"), ListConfig(str(folder), "test", EPISODE, 9))


def test_drawn_lists_repeat_nothing(lists):
    assert find_repetition(lists) == ""


@pytest.mark.parametrize(
    ("name", "where", "message"),
    [
        ("classes", (4, 2), "distinct classes, distractors included, in .*first in episode 4;"),
        ("distractor_classes", (4, 1), "distinct classes, distractors included,.* in episode 4;"),
        ("labeled", (4, 2, 3), "labeled images of a class in .*first in episode 4, class 2; rem"),
        ("unlabeled", (4, 2, 1), "unlabeled images of a class in .*first in episode 4, class 2;"),
        ("distractors", (4, 1, 2), "images of a distractor class in .*in episode 4, class 1;"),
    ],
)
def test_repetition_is_found(lists, name, where, message):
    changed = getattr(lists, name).copy()
    changed[where] = lists.classes[4, 0] if name.endswith("classes") else changed[(*where[:-1], 0)]
    found = find_repetition(dataclasses.replace(lists, **{name: changed}))
    assert re.search(message, found)


def test_check_shows_a_table_of_sound_lists(run, folder, capsys):
    import_lists(run, folder)
    open_lists(config_of("test", "--test_episode_num=5").test_list)
    capsys.readouterr()
    run("check")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["list", "episodes", "origin", "state"]
    assert all(line.endswith(" sound") for line in lines[1:-1])
    assert sum("  10  imported from mini_1shot_5way" in line for line in lines) == 4
    assert sum("   5  drawn from the seed" in line for line in lines) == 1
    assert lines[-1].startswith("Next: lst episodes print --list=test_5way_")


def damage_classes(folder):
    classes = np.load(folder / "classes.npy")
    classes[3, 1] = classes[3, 0]
    np.save(folder / "classes.npy", classes)


def damage_images(folder):
    images = np.load(folder / "unlabeled.npy")
    images[2, 4, 1] = images[2, 4, 0]
    np.save(folder / "unlabeled.npy", images)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            damage_classes,
            "distinct classes, .*, received some twice in 1 places, first in episode 3;",
        ),
        (damage_images, "unlabeled images of a class .*first in episode 2, class 4; remove"),
        (lambda f: (f / "list.json").write_text('{"settings": {}}'), "the settings of lists in"),
        (lambda f: (f / "list.json").unlink(), "Expected a file .*list.json, found none"),
        (lambda f: (f / "classes.npy").unlink(), "Expected an array in"),
        (
            lambda f: f.rename(f.with_name("val_other")),
            "lists named val_other in .* settings of val",
        ),
    ],
)
def test_check_finds_what_is_wrong(run, refused, folder, tmp_path, damage, message):
    import_lists(run, folder)
    folder = next((tmp_path / LISTS).glob("val*"))
    forget_checksums(folder)
    damage(folder)
    error, printed = refused("check")
    assert "Expected 4 sound lists, received 1 that are not; fix" in error
    assert printed.count(" sound\n") == 3
    assert printed.count(" WRONG\n") == 1
    assert re.search(message, printed)


def test_check_of_one_list_ignores_the_others(run, folder, tmp_path, capsys):
    import_lists(run, folder)
    damage_classes(next((tmp_path / LISTS).glob("val*")))
    capsys.readouterr()
    name = next((tmp_path / LISTS).glob("train*")).name
    run("check", f"--list={name}")
    assert len(capsys.readouterr().out.splitlines()) == 3
