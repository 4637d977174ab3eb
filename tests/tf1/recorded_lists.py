"""The lists that the original program wrote, in `tests/golden/episodes_a`, and their images."""

import json
import pathlib

import numpy as np

from lst_tf2.data import feeding_order
from lst_tf2.data.layout import Catalogue, ClassImages
from tests.faults import visible

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "episodes_a"
# The recorded tree: first class number, classes, labeled and unlabeled images a class.
SPLITS = {"train": (0, 8, 24, 12), "val": (100, 7, 12, 12), "test": (200, 13, 12, 100)}
QUERIES = {"train": 15, "val": 1, "test": 1}
# Where a test keeps the tree, and its lists.
DATA = "data/miniImagenet"
LISTS = f"{DATA}/episode_lists"
COUNTS = [f"--{split}_episode_num=10" for split in ("train", "val", "test")]
UNLABELED = "unlabeled_samples_for_test/test_1_un_filenames.npy"
DISTRACTORS = "unlabeled_samples_for_test/distracting_file/test_2_dis_filenames.npy"


def tree_catalogue(split):
    base, num_classes, num_labeled, num_unlabeled = SPLITS[split]
    classes = []
    for name in [f"n{base + c:08d}" for c in range(num_classes)]:
        labeled = tuple(f"{name}_l_{i:04d}.jpg" for i in range(num_labeled))
        unlabeled = tuple(f"{name}_u_{i:04d}.jpg" for i in range(num_unlabeled))
        classes.append(ClassImages(name, labeled, unlabeled))
    return Catalogue(pathlib.Path("letters"), split, tuple(classes))


def write_tree(folder):
    """Writes the images of the recorded tree as empty files: lists only name them."""
    for split in SPLITS:
        for name in tree_catalogue(split).names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()


def write_recorded_lists(folder):
    """Writes the files of the original and returns the folder that train.py would be told."""
    with np.load(GOLDEN / "lists.npz") as lists:
        for key in lists.files:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            np.save(folder / key, lists[key], allow_pickle=False)
    return folder / "mini_1shot_5way"


def recorded_orders():
    """Returns what the original fed, by part of its run."""
    return json.loads((GOLDEN / "orders.json").read_text())["python2_random"]


def file_ends(paths):
    """Keeps `<pool>_<split>/<class>/<file>`: the folders above differ on purpose."""
    return ["/".join(path.split("/")[-3:]) for path in paths]


def assert_evaluated_as_recorded(lists):
    """Compares the images of val and test episodes, unlabeled ones in order, with those fed."""
    split = lists.config.split
    with_distractors = lists.config.episode.num_distractor_classes > 0
    prefix = "test_with_distractors_task" if with_distractors else f"{split}_task"
    is_test = split == "test"
    arrange = feeding_order.arrange_as_paper if is_test else feeding_order.arrange_for_training
    orders = recorded_orders()
    recorded = [orders[key] for key in orders if key.startswith(prefix)]
    assert len(recorded) >= 2
    for task, fed in enumerate(recorded):
        files = feeding_order.episode_files(lists, task, arrange)
        assert file_ends(files.unlabeled.inputs) == file_ends(fed["inputc"][0])
        assert file_ends(files.distractors.inputs) == file_ends(fed.get("inputd", [[]])[0])
        assert sorted(file_ends(files.support.inputs)) == sorted(file_ends(fed["inputa"][0]))
        assert sorted(file_ends(files.query.inputs)) == sorted(file_ends(fed["inputb"][0]))


def assert_trained_as_recorded(lists):
    """Compares the images and labels of two iterations of two episodes with those fed."""
    orders = recorded_orders()
    for task in range(4):
        fed, b = orders[f"train_iter{task // 2}"], task % 2
        files = feeding_order.episode_files(lists, task, feeding_order.arrange_for_training)
        assert file_ends(files.unlabeled.inputs) == file_ends(fed["inputc"][b])
        support = dict(zip(file_ends(files.support.inputs), files.support.labels, strict=True))
        query = dict(zip(file_ends(files.query.inputs), files.query.labels, strict=True))
        assert support == dict(zip(file_ends(fed["inputa"][b]), fed["labela"][b], strict=True))
        assert query == dict(zip(file_ends(fed["inputb"][b]), fed["labelb"][b], strict=True))


def alter(path, change):
    np.save(path, change(np.load(path)), allow_pickle=False)


def write_python2_list(path):
    """Writes the list at `path` again as Python 2 writes it."""
    names = np.load(path).astype("S80")
    shape = f"({len(names)}L,)"  # Python 2 ends long integers in L.
    header = f"{{'descr': '|S80', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + b"\x76\x00" + header.encode() + names.tobytes())


def import_lists(run, folder, *more):
    run("import", f"--input={folder}", *more)


def stored_names(tmp_path):
    folder = tmp_path / LISTS
    return [path.name for path in visible(folder)] if folder.exists() else []
