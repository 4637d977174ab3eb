import pytest

from lst_tf2.errors import MissingInputError
from tests.datasets.readers.sources import refuse, write_csv

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
