"""Every form of source becomes the same layout; broken and hostile ones are refused."""

import csv
import dataclasses
import hashlib
import io
import json
import os
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from lst_tf2.config import SPLITS
from lst_tf2.data import layout
from lst_tf2.datasets.build import prepare_published
from lst_tf2.datasets.published import load_published
from lst_tf2.datasets.readers import cifar
from lst_tf2.datasets.readers.forms import FORMS
from lst_tf2.errors import InputError, MissingInputError
from tests.builders import path_in, python_2_bytes, read_files

NAMES = {"train": ["n01", "n02", "n03"], "val": ["n04", "n05"], "test": ["n06", "n07"]}
PER_CLASS = 4
SIZE = 8


def small(name):
    """A published set of three classes, or two, a split."""
    counts = {split: PER_CLASS * len(names) for split, names in NAMES.items()}
    is_tiered = name == "tieredImagenet"
    return dataclasses.replace(
        load_published(name),
        image_size=32 if name in ("cifar_fs", "fc100") else SIZE,
        images=counts,
        images_per_class=None if is_tiered else PER_CLASS,
        classes=NAMES,
    )


def pixels_of(split, size=SIZE):
    """Random images of a split, class after class."""
    rng = np.random.default_rng(SPLITS.index(split))
    return rng.integers(0, 256, (PER_CLASS * len(NAMES[split]), size, size, 3), np.uint8)


def class_pixels(split, c):
    return pixels_of(split)[PER_CLASS * c : PER_CLASS * (c + 1)]


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def each_class():
    return [(split, c, name) for split in SPLITS for c, name in enumerate(NAMES[split])]


def write_pools(folder):
    for split, c, name in each_class():
        for i, pixels in enumerate(class_pixels(split, c)):
            pool = "labeled" if i == 0 else "unlabeled"
            save(folder / f"{pool}_{split}" / name / f"{name}{i}.png", pixels)


def write_splits(folder):
    for split, c, name in each_class():
        for i, pixels in enumerate(class_pixels(split, c)):
            save(folder / split / name / f"{name}{i}.png", pixels)


def write_csv(folder):
    for split in SPLITS:
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["filename", "label"])
            rows.writerows((f"{n}{i}.png", n) for n in NAMES[split] for i in range(PER_CLASS))
    for split, c, name in each_class():
        for i, pixels in enumerate(class_pixels(split, c)):
            save(folder / "images" / f"{name}{i}.png", pixels)


def mini_contents(split):
    rows = {n: list(range(PER_CLASS * c, PER_CLASS * (c + 1))) for c, n in enumerate(NAMES[split])}
    return {"image_data": pixels_of(split), "class_dict": rows}


def write_mini(folder, dump=pickle.dumps):
    for split in SPLITS:
        path = folder / f"mini-imagenet-cache-{split}.pkl"
        path.write_bytes(dump(mini_contents(split)))


def write_mini_row_arrays(folder):
    def dump(contents):
        rows = {name: np.array(rows) for name, rows in contents["class_dict"].items()}
        return pickle.dumps(contents | {"class_dict": rows})

    write_mini(folder, dump)


def write_mini_python_2(folder):
    write_mini(folder, python_2_bytes)


def tiered_labels(split):
    labels = np.repeat(np.arange(len(NAMES[split])), PER_CLASS).astype(np.int32)
    names = [f"House Finch {name}, linnet" for name in NAMES[split]]
    return {
        "label_specific": labels,
        "label_general": labels,
        "label_specific_str": names,
        "label_general_str": {3: "bird"},
    }


def write_tiered_labels(folder, dump=pickle.dumps):
    for split in SPLITS:
        (folder / f"{split}_labels.pkl").write_bytes(dump(tiered_labels(split)))


def png_array(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return np.frombuffer(file.getvalue(), np.uint8)


def write_tiered_png(folder, dump=pickle.dumps):
    write_tiered_labels(folder, dump)
    for split in SPLITS:
        # Some versions of OpenCV give a column.
        arrays = [png_array(pixels)[:, None] for pixels in pixels_of(split)]
        (folder / f"{split}_images_png.pkl").write_bytes(dump(arrays))


def write_tiered_png_python_2(folder):
    write_tiered_png(folder, python_2_bytes)


def write_tiered_npz(folder, write=np.savez):
    write_tiered_labels(folder)
    for split in SPLITS:
        write(folder / f"{split}_images.npz", images=pixels_of(split)[..., ::-1])


def write_tiered_compressed(folder):
    write_tiered_npz(folder, np.savez_compressed)


IMAGENET = {
    "pools": ("miniImagenet", write_pools),
    "splits": ("miniImagenet", write_splits),
    "csv": ("miniImagenet", write_csv),
    "mini": ("miniImagenet", write_mini),
    "mini of Python 2": ("miniImagenet", write_mini_python_2),
    "mini with arrays of rows": ("miniImagenet", write_mini_row_arrays),
    "tiered pools": ("tieredImagenet", write_pools),
    "tiered png": ("tieredImagenet", write_tiered_png),
    "tiered png of Python 2": ("tieredImagenet", write_tiered_png_python_2),
    "tiered npz": ("tieredImagenet", write_tiered_npz),
    "tiered compressed": ("tieredImagenet", write_tiered_compressed),
}


def written_classes(out, split):
    """The pixels of each class, labeled images first within their sorted names."""
    catalogue = layout.scan_split(out, split)
    for c, entry in enumerate(catalogue.classes):
        paths = {
            name: path_in(catalogue, pool, c, i)
            for pool in layout.POOLS
            for i, name in enumerate(getattr(entry, pool))
        }
        yield entry.name, np.stack([np.asarray(Image.open(paths[n])) for n in sorted(paths)])


@pytest.mark.parametrize("form", IMAGENET)
def test_every_form_gives_the_same_images(form, tmp_path):
    name, write = IMAGENET[form]
    source = tmp_path / "source"
    source.mkdir()
    write(source)
    report = prepare_published(small(name), source, tmp_path / "out")
    assert report.num_classes == {"train": 3, "val": 2, "test": 2}
    assert sum(report.num_images.values()) == 7 * PER_CLASS
    for split in SPLITS:
        found = list(written_classes(tmp_path / "out", split))
        for c, (_, pixels) in enumerate(found):
            np.testing.assert_array_equal(pixels, class_pixels(split, c))
        named = [class_name for class_name, _ in found]
        if form in ("tiered png", "tiered npz"):
            assert named[1] == f"001_house_finch_{NAMES[split][1]}_linnet"
        elif "tiered png" not in form and form != "tiered compressed":
            assert named == NAMES[split]


def test_pools_of_the_source_are_kept_byte_for_byte(tmp_path):
    write_pools(tmp_path / "source")
    out = prepare_published(small("miniImagenet"), tmp_path / "source", tmp_path / "out").folder
    written = read_files(out)
    record = json.loads(written.pop("prepared.json"))
    assert written == read_files(tmp_path / "source")
    assert record["unlabeled_fraction"] is None
    with pytest.raises(InputError, match=r"no unlabeled_fraction, .* received 0\.3; leave"):
        prepare_published(
            small("miniImagenet"), tmp_path / "source", tmp_path / "b", unlabeled_fraction=0.3
        )


@pytest.mark.parametrize(("name", "labeled"), [("miniImagenet", 2), ("tieredImagenet", 1)])
def test_unlabeled_share_is_that_of_the_paper(name, labeled, tmp_path):
    # 0.6 of 4 is 2; 0.9 of 4 leaves one.
    write_splits(tmp_path / "source")
    report = prepare_published(small(name), tmp_path / "source", tmp_path / "out")
    assert report.num_images["labeled_val"] == 2 * labeled


def test_images_of_another_size_are_resized(tmp_path):
    write_splits(tmp_path / "source")
    save(tmp_path / "source" / "val" / "n04" / "n040.png", np.zeros((20, 30, 3), np.uint8))
    out = prepare_published(small("miniImagenet"), tmp_path / "source", tmp_path / "out").folder
    for path in out.rglob("*.png"):
        layout.check_image(path, SIZE)


# CIFAR-100.


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


# What is refused.


def refuse(name, source, message, error=InputError):
    out = source.parent / "out" / "set"
    with pytest.raises(error, match=message) as caught:
        prepare_published(small(name), source, out)
    assert "\n" not in str(caught.value)
    assert not out.parent.exists() or not os.listdir(out.parent)


@pytest.mark.parametrize("name", FORMS)
def test_source_of_no_form_is_told_the_forms(name, tmp_path):
    (tmp_path / "source").mkdir()
    refuse(name, tmp_path / "source", "received none of them; pass the folder or file that holds")
    refuse(
        name, tmp_path / "nothing", r"found nothing at .*with one of: .*https://", MissingInputError
    )


def test_source_of_two_forms_is_refused(tmp_path):
    write_pools(tmp_path / "source")
    write_mini(tmp_path / "source")
    refuse("miniImagenet", tmp_path / "source", r"received {labeled.* and mini-imagenet-cache")


@pytest.mark.parametrize("write", [write_pools, write_splits])
def test_other_classes_are_refused(write, tmp_path):
    source = tmp_path / "source"
    write(source)
    pattern = "*labeled_val" if write is write_pools else "val"
    for folder in source.glob(pattern):
        (folder / "n05").rename(folder / "cat")
    refuse("miniImagenet", source, "2 published classes .* without 'n05', with 'cat'; get")


def test_missing_pool_and_empty_pool_are_named(tmp_path):
    write_pools(tmp_path / "source")
    for path in (tmp_path / "source" / "labeled_val" / "n04").iterdir():
        path.rename(tmp_path / "source" / "unlabeled_val" / "n04" / path.name)
    refuse("miniImagenet", tmp_path / "source", "received 4 in unlabeled alone; get")
    (tmp_path / "source" / "labeled_val").rename(tmp_path / "elsewhere")
    refuse(
        "miniImagenet", tmp_path / "source", "labeled_val, found no such folder", MissingInputError
    )


def test_too_few_images_are_refused(tmp_path):
    write_splits(tmp_path / "source")
    (tmp_path / "source" / "val" / "n04" / "n040.png").unlink()
    refuse(
        "miniImagenet", tmp_path / "source", "4 images of class 'n04', received 3; use a complete"
    )
    refuse("tieredImagenet", tmp_path / "source", "8 images of tieredImageNet val, received 7")


def test_broken_image_of_a_published_set_is_refused(tmp_path):
    write_splits(tmp_path / "source")
    (tmp_path / "source" / "val" / "n04" / "n040.png").write_bytes(b"broken")
    refuse(
        "miniImagenet", tmp_path / "source", r"image at val/n04/n040\.png, received one that can"
    )


CSV_FAULTS = {
    "other columns": (b"file,label\na.png,n04\n", "another first line"),
    "empty": (b"", "another first line"),
    "three columns": (b"filename,label\na,b,c\n", "too many values"),
    "not text": (b"filename,label\n\xff\xfe,n04\n", "can't decode"),
    "NUL": (b"filename,label\n\0,n04\n", "val.csv"),
    "missing image": (b"filename,label\nx.png,n04\nn050.png,n05\n", r"none for 1 of 1 .*'x\.png'"),
    "path": (b"filename,label\n../../a.png,n04\nn050.png,n05\n", r"such as '\.\./\.\./a\.png'"),
    "absolute path": (b"filename,label\n/etc/passwd,n04\nn050.png,n05\n", "such as '/etc/passwd'"),
    "class that is a path": (b"filename,label\nn040.png,../n04\n", "with '../n04'"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_broken_list_is_refused(fault, tmp_path):
    (tmp_path / "source").mkdir()
    write_csv(tmp_path / "source")
    content, message = CSV_FAULTS[fault]
    (tmp_path / "source" / "val.csv").write_bytes(content)
    refuse("miniImagenet", tmp_path / "source", message)


def test_lists_need_all_files_and_the_images(tmp_path):
    (tmp_path / "source").mkdir()
    write_csv(tmp_path / "source")
    (tmp_path / "source" / "test.csv").unlink()
    refuse(
        "miniImagenet", tmp_path / "source", r"a list .*test\.csv, found none", MissingInputError
    )
    (tmp_path / "source" / "images").rename(tmp_path / "images")
    refuse("miniImagenet", tmp_path / "source", "found no such folder; get", MissingInputError)
    (tmp_path / "source" / "images").symlink_to(tmp_path / "images")
    refuse("miniImagenet", tmp_path / "source", "received link .*images to .*images; remove")


PIXELS = np.zeros((8, SIZE, SIZE, 3), np.uint8)
ROWS = {"n04": [0, 1, 2, 3], "n05": [4, 5, 6, 7]}
MINI_FAULTS = {
    "no rows": ({"image_data": PIXELS}, "class_dict"),
    "no pixels": ({"class_dict": ROWS}, "image_data"),
    "list": ([PIXELS, ROWS], "list in place of a dict"),
    "floats": ({"image_data": PIXELS / 2, "class_dict": ROWS}, "'image_data' is float64"),
    "other size": ({"image_data": PIXELS[:, 1:], "class_dict": ROWS}, r"uint8 of \(8, 7, 8, 3\)"),
    "flat": ({"image_data": PIXELS.ravel(), "class_dict": ROWS}, r"uint8 of \(1536,\)"),
    "row outside": ({"image_data": PIXELS[:7], "class_dict": ROWS}, "'n05' are not a list of num"),
    "negative row": ({"image_data": PIXELS, "class_dict": ROWS | {"n05": [-1]}}, "numbers below 8"),
    "fractions": ({"image_data": PIXELS, "class_dict": ROWS | {"n05": [0.5]}}, "numbers below 8"),
    "row twice": ({"image_data": PIXELS, "class_dict": ROWS | {"n05": [4, 4]}}, "occurs twice"),
    "rows are text": ({"image_data": PIXELS, "class_dict": ROWS | {"n05": "4"}}, "not a list"),
    "path": ({"image_data": PIXELS, "class_dict": {"../n04": [0]}}, r"with '\.\./n04'; get"),
    "other class": ({"image_data": PIXELS, "class_dict": {"n04": [0]}}, "without 'n05'; get"),
    "function": ({"image_data": os.system, "class_dict": ROWS}, r"posix\.system; it was not run"),
    "object array": ({"image_data": np.array([{}]), "class_dict": ROWS}, "an object array"),
}


@pytest.mark.parametrize("fault", MINI_FAULTS)
def test_broken_mini_file_is_refused(fault, tmp_path):
    (tmp_path / "source").mkdir()
    write_mini(tmp_path / "source")
    contents, message = MINI_FAULTS[fault]
    path = tmp_path / "source" / "mini-imagenet-cache-val.pkl"
    path.write_bytes(pickle.dumps(contents))
    refuse("miniImagenet", tmp_path / "source", message)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize(
    ("write", "name", "file"),
    [
        (write_mini, "miniImagenet", "mini-imagenet-cache-test.pkl"),
        (write_tiered_png, "tieredImagenet", "test_images_png.pkl"),
        (write_tiered_png, "tieredImagenet", "test_labels.pkl"),
        (write_tiered_npz, "tieredImagenet", "test_images.npz"),
        (write_tiered_compressed, "tieredImagenet", "test_images.npz"),
    ],
)
def test_cut_file_is_refused(write, name, file, share, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write(source)
    content = (source / file).read_bytes()
    (source / file).write_bytes(content[: int(share * len(content))])
    refuse(name, source, rf"Expected .*{file}, received something else or a damaged file")


def tiered_fault(**changes):
    return tiered_labels("val") | changes


TIERED_FAULTS = {
    "labels missing": ({"label_specific_str": ["a", "b"]}, "label_specific"),
    "too few labels": (tiered_fault(label_specific=np.zeros(7, np.int32)), "not 8 labels"),
    "labels outside": (tiered_fault(label_specific=np.full(8, 2)), "outside of 2 classes"),
    "labels of another type": (tiered_fault(label_specific=np.zeros(8)), "float64 of"),
    "labels without array": (tiered_fault(label_specific=[0] * 8), "list in place of the array"),
    "other number of classes": (
        tiered_fault(label_specific_str=["a", "b", "c"]),
        r"2 classes in val_labels\.pkl, received 3; get",
    ),
    "names are numbers": (tiered_fault(label_specific_str=[1, 2]), "int in place of text"),
    "no names": (tiered_fault(label_specific_str=3), "'label_specific_str' is a int"),
}


@pytest.mark.parametrize("fault", TIERED_FAULTS)
def test_broken_tiered_labels_are_refused(fault, tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    contents, message = TIERED_FAULTS[fault]
    (tmp_path / "source" / "val_labels.pkl").write_bytes(pickle.dumps(contents))
    refuse("tieredImagenet", tmp_path / "source", message)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"a": 1}, "dict in place of a list"),
        ([np.zeros(9, np.uint8)] * 8, r"entry 0 of val_images_png\.pkl, received one that cannot"),
        ([np.zeros(9)] * 8, "float64"),
        ([3] * 8, "int in place of the array"),
    ],
)
def test_broken_tiered_images_are_refused(images, message, tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    (tmp_path / "source" / "val_images_png.pkl").write_bytes(pickle.dumps(images))
    refuse("tieredImagenet", tmp_path / "source", message)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": PIXELS}, r"images\.npy"),
        ({"images": PIXELS / 2}, "float64 of"),
        ({"images": PIXELS[0]}, r"uint8 of \(8, 8, 3\)"),
        ({"images": np.array([{}], dtype=object)}, "object of"),
    ],
)
def test_broken_arrays_are_refused(arrays, message, tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_npz(tmp_path / "source")
    np.savez(tmp_path / "source" / "val_images.npz", **arrays)
    refuse("tieredImagenet", tmp_path / "source", message)


def test_descriptions_can_not_lead_anywhere(tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    labels = tiered_fault(label_specific_str=["../../x", "/etc\0\n"])
    (tmp_path / "source" / "val_labels.pkl").write_bytes(pickle.dumps(labels))
    out = prepare_published(small("tieredImagenet"), tmp_path / "source", tmp_path / "out").folder
    assert sorted(os.listdir(out / "labeled_val")) == ["000_x", "001_etc"]


def test_missing_tiered_images_are_named(tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    (tmp_path / "source" / "val_images_png.pkl").unlink()
    refuse(
        "tieredImagenet", tmp_path / "source", "or val_images.npz in .*neither", MissingInputError
    )
