import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest

from lst_tf2.config import SPLITS
from lst_tf2.datasets.build import prepare_published
from lst_tf2.datasets.readers import cifar
from tests.builders import python_2_bytes
from tests.datasets.readers.sources import (
    NAMES,
    PER_CLASS,
    each_class,
    refuse,
    save,
    small,
    written_classes,
)


def cifar_contents(*, names=None, python_2=True):
    """The three files, with all classes in each half and two images of each."""
    names = names or sorted(name for split in SPLITS for name in NAMES[split])
    dump = python_2_bytes if python_2 else pickle.dumps
    labels = list(range(len(names))) * 2
    contents = {"meta": dump({"fine_label_names": names, "coarse_label_names": ["x"]})}
    for half in cifar.HALVES:
        rng = np.random.default_rng(len(half))
        data = rng.integers(0, 256, (len(labels), 3072), np.uint8)
        contents[half] = dump({"data": data, "fine_labels": labels, "filenames": ["a.png"]})
    return contents


def publish(monkeypatch, contents, archive=b""):
    for name, content in (contents | {"archive": archive}).items():
        monkeypatch.setitem(cifar.MD5, name, hashlib.md5(content).hexdigest())


def write_cifar_files(folder, contents):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def write_cifar_archive(path, contents, change=lambda member: member):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{cifar.FOLDER}/{name}")
            member.size = len(content)
            archive.addfile(change(member), io.BytesIO(content))
    return path


def write_cifar_folders(folder, halves=("train", "test")):
    for _, c, name in each_class():
        for i in range(PER_CLASS):
            pixels = np.full((32, 32, 3), 40 * c + i, np.uint8)
            save(folder / halves[i % len(halves)] / name / f"{i // len(halves)}.png", pixels)
    return folder


@pytest.mark.parametrize("python_2", [True, False])
@pytest.mark.parametrize("form", ["archive", "folder", "parent"])
def test_cifar_100_is_read_from_the_files_of_its_authors(form, python_2, tmp_path, monkeypatch):
    contents = cifar_contents(python_2=python_2)
    write_cifar_files(tmp_path / "source" / cifar.FOLDER, contents)
    archive = write_cifar_archive(tmp_path / "cifar.tar.gz", contents)
    publish(monkeypatch, contents, archive.read_bytes())
    source = {"archive": archive, "parent": tmp_path / "source"}.get(
        form, tmp_path / "source" / cifar.FOLDER
    )
    prepare_published(small("fc100"), source, tmp_path / "out")
    for split in SPLITS:
        for name, pixels in written_classes(tmp_path / "out", split):
            label = int(name[1:]) - 1
            halves = [pickle.loads(contents[h], encoding="latin1") for h in cifar.HALVES]
            # Stored channel after channel; class `label` is at that row and seven later.
            expected = [
                np.asarray(half["data"])[row] for half in halves for row in (label, label + 7)
            ]
            np.testing.assert_array_equal(
                pixels, np.stack(expected).reshape(4, 3, 32, 32).transpose(0, 2, 3, 1)
            )


# "" lays the classes flat, a class called "train" among them.
@pytest.mark.parametrize("halves", [("train", "test"), ("",)])
def test_cifar_100_is_read_from_class_folders(halves, tmp_path, monkeypatch):
    monkeypatch.setitem(NAMES, "train", ["n01", "n02", "train"])
    source = write_cifar_folders(tmp_path / "source", halves)
    (source / ".git").mkdir()
    out = prepare_published(small("cifar_fs"), source, tmp_path / "out").folder
    for split in SPLITS:
        assert [name for name, _ in written_classes(out, split)] == NAMES[split]


def test_class_folders_of_another_size_are_refused(tmp_path):
    source = write_cifar_folders(tmp_path / "source")
    save(source / "test" / "n05" / "0.png", np.zeros((32, 33, 3), np.uint8))
    refuse("cifar_fs", source, r"n05/0\.png, received 33x32")
    (source / "test" / "n05" / "0.png").write_bytes(b"broken")
    refuse("cifar_fs", source, "cannot be decoded")


def test_md5_of_the_archive_and_its_files_are_checked(tmp_path, monkeypatch):
    contents = cifar_contents()
    archive = write_cifar_archive(tmp_path / "cifar.tar.gz", contents)
    refuse(
        "fc100", archive, r"MD5 eb9058\w+ \(archive\) in .* received .* another file or a damaged"
    )
    publish(monkeypatch, contents, archive.read_bytes())
    monkeypatch.setitem(cifar.MD5, "test", "0" * 32)
    refuse("fc100", archive, r"MD5 0{32} \(test\)")


def as_link(member):
    member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
    return member


def as_other_path(member):
    member.name = f"../{member.name}"
    return member


@pytest.mark.parametrize("change", [as_link, as_other_path])
def test_hostile_archive_is_refused(change, tmp_path, monkeypatch):
    contents = cifar_contents()
    archive = write_cifar_archive(tmp_path / "cifar.tar.gz", contents, change)
    publish(monkeypatch, contents, archive.read_bytes())
    refuse("fc100", archive, "Expected an archive of cifar-100-python")


@pytest.mark.parametrize("cut", [0, 10, 500])
def test_cut_archive_is_refused(cut, tmp_path, monkeypatch):
    contents = cifar_contents()
    archive = write_cifar_archive(tmp_path / "cifar.tar.gz", contents)
    archive.write_bytes(archive.read_bytes()[:cut])
    publish(monkeypatch, contents, archive.read_bytes())
    refuse("fc100", archive, "Expected an archive of cifar-100-python")


@pytest.mark.parametrize(
    ("half", "message"),
    [
        ({"data": np.zeros((14, 3071), np.uint8), "fine_labels": [0] * 14}, "'data' is uint8 of"),
        ({"data": np.zeros((14, 3072)), "fine_labels": [0] * 14}, "'data' is float64"),
        ({"data": np.zeros((14, 3072), np.uint8), "fine_labels": [7] * 14}, "outside of 7 classes"),
        ({"data": np.zeros((14, 3072), np.uint8), "fine_labels": [0] * 13}, "not 14 labels"),
        ({"data": np.zeros((14, 3072), np.uint8), "fine_labels": 3}, "'fine_labels' is a int"),
        ({"data": np.zeros((14, 3072), np.uint8)}, "fine_labels"),
        ({"data": print, "fine_labels": []}, r"asks for builtins\.print; it was not run"),
    ],
)
def test_damaged_cifar_files_are_refused(half, message, tmp_path, monkeypatch):
    contents = cifar_contents() | {"train": pickle.dumps(half)}
    write_cifar_files(tmp_path / "source", contents)
    publish(monkeypatch, contents)
    refuse("fc100", tmp_path / "source", message)
