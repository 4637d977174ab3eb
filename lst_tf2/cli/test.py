"""Meta-tests: episodes of classes never seen before, recurrent self-training in each.

    lst test --dataset=miniImagenet --shot_num=1 --exp_name=LST_mini_1_shot --test_iter=best

prints accuracy with 95 % intervals beside that of the support set alone, and writes
checkpoints/<exp_name>/results_<settings>.json, .csv, .png and .npz. A stage of self-training looks
at --nums_in_folders unlabeled images per class, labels them, keeps the --hard_selection most
confident, re-trains on them for --re_train_epoch_num steps and fine-tunes on the support set up to
--local_update_num steps; --recurrent_stage_nums stages follow each other. Settings that `lst tune`
chose for the run stand in for flags that are not given.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli import original_paths, run_configs
from lst_tf2.cli.command import Command
from lst_tf2.cli.flag_tables import TEST_SETTINGS, accepted_rows
from lst_tf2.cli.idle_flags import note_idle_flags
from lst_tf2.cli.tensorflow_run import (
    convert_originals,
    require_weights,
    take_memory_as_needed,
    tensorflow_run,
)
from lst_tf2.data.layout import require_dataset

MEMORY_REMEDY = (
    "pass --precision=bfloat16 or fewer --nums_in_folders, or choose a smaller --img_size or "
    "narrower --filters"
)


def run_test(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Meta-tests a learner and writes the results."""
    note_idle_flags(values, TEST_SETTINGS, "the test")
    with tensorflow_run(values, MEMORY_REMEDY):
        config = run_configs.test_config(values)
        require_dataset(config.test_list.data_folder)
        checkpoint, originals = _checkpoint(values, config)
        require_weights(checkpoint, originals)
        take_memory_as_needed()
        config = run_configs.with_tuned_settings(config, values)
        from lst_tf2.evaluation.board import write_board
        from lst_tf2.evaluation.meta_test import run_meta_test
        from lst_tf2.evaluation.report import format_table
        from lst_tf2.evaluation.results import write_results

        convert_originals(checkpoint, originals, config.model)
        results, tested = run_meta_test(config)
        if not config.distribution.is_chief:
            return
        written = write_results(*results, pathlib.Path(config.run_folder))
        print(format_table([results.summary]))
        print("Results: " + ", ".join(str(path) for path in written))
        write_board(config, results, tested)
        print(f"Next: lst report {config.run_folder}")


def _checkpoint(values: flags.FlagValues, config) -> tuple[str, list[pathlib.Path]]:
    """Returns the checkpoint to test, and where one of the original may lie."""
    if config.test_iter == "0":
        return original_paths.start(values, config)
    step = config.test_iter if config.test_iter.isdecimal() else "last"
    return os.path.join(config.run_folder, f"step_{step}.npz"), original_paths.run_sources(values)


TEST = Command("lst test", __doc__, run_test, TEST_SETTINGS, accepted_rows(TEST_SETTINGS))
NAME = "python test.py"
SCRIPT = dataclasses.replace(TEST, name=NAME, about=__doc__.replace("lst test", NAME))
