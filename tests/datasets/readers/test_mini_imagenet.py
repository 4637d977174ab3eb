import os
import pickle

import numpy as np
import pytest

from tests.datasets.readers.sources import PIXELS, refuse, write_mini

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
