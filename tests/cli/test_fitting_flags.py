import pytest

from lst_tf2.cli.fitting_flags import (
    list_shortages,
    pretraining_flags,
    training_flags,
)
from lst_tf2.cli.fitting_flags import (
    test_flags as flags_of_test,
)
from tests.builders import write_data_set


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp("data") / "own")


def test_few_images_need_a_smaller_network_and_fewer_steps():
    assert pretraining_flags(38_400) == []
    assert pretraining_flags(3_200) == ["--filters=16,32,64,128", "--pretrain_iterations=1000"]
    assert pretraining_flags(100)[-1] == "--pretrain_iterations=300"


def test_episodes_fit_the_classes_and_the_pile(folder):
    assert training_flags(folder) == [
        *("--exp_name=own", "--way_num=4", "--nb_ul_samples=6", "--protocol=standard"),
        "--metatrain_iterations=300",
    ]
    assert flags_of_test(folder) == [
        *("--nb_ul_samples=6", "--nums_in_folders=6", "--hard_selection=4"),
    ]


def test_nothing_is_said_of_a_data_set_that_is_not_complete(tmp_path):
    assert training_flags(tmp_path) == flags_of_test(tmp_path) == list_shortages(tmp_path) == []


def test_shortages_name_the_smallest_class(folder):
    train, *_ = list_shortages(folder)
    assert train.startswith("note: an episode takes 16 labeled images of a class, 'class00' of tra")
    assert "has 6: it needs more images" in train


def test_too_few_classes_are_told(tmp_path):
    folder = write_data_set(tmp_path / "one", classes_per_split=1, images_per_pool=16)
    first, *others = list_shortages(folder)
    assert first.startswith("note: an episode takes 2 classes or more, train has 1: add")
    assert len(others) == 2
    assert "--way_num=2" in training_flags(folder)
