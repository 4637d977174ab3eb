"""The table of a conversion, and the check of what was written."""

import numpy as np
import pytest

from lst_tf2.errors import InputError
from lst_tf2.runs.checkpoints import read_arrays
from lst_tf2.tf1 import weight_files, weight_import
from lst_tf2.tf1.weight_report import conversion_table, verify
from tests.tf1_graph import SMALL, small_groups, write_npy_files


def test_verify_names_what_changed(tmp_path):
    source = write_npy_files(tmp_path / "old", small_groups())
    read = weight_import.read_step(weight_files.find_steps(source)[7], 7, SMALL)
    path = weight_import.write_checkpoint(read, tmp_path / "new")
    verify(read, tmp_path / "new", to_tf1=False)
    arrays = read_arrays(path)
    arrays["soft_weighting/dense1_bias"][0] += 1e-6
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="received others: swn_weights/RN_fc_b1;"):
        verify(read, tmp_path / "new", to_tf1=False)


def test_table_names_every_array(tmp_path):
    write_npy_files(tmp_path / "old", small_groups())
    read = weight_import.read_step(weight_files.find_steps(tmp_path / "old")[7], 7, SMALL)
    lines = conversion_table(read).splitlines()
    assert len(lines) == len(read.targets) + 2
    assert any("swn_weights/RN_fc_w1" in line and "dense1_kernel" in line for line in lines)
    assert lines[-1].startswith("LST checkpoint, step 7: ")
