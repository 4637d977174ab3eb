"""The `lst test` that follows a choice or a comparison of methods."""

from absl import flags

from lst_tf2.cli.command import repeat_flags
from lst_tf2.cli.help_text import shown_flag
from lst_tf2.config import ModelConfig, PilesConfig, SelfTrainingConfig
from lst_tf2.settings import FlagRow, walk_flags

REPEATED = ("dataset", "data_path", "exp_name", "logdir_base", "way_num")


def next_test(
    values: flags.FlagValues,
    config: PilesConfig,
    stages: SelfTrainingConfig,
    *,
    has_tuned_stages: bool = False,
) -> str:
    """Returns the test of a method on episodes of test classes like those of `config`.

    Args:
        values: Those of the flags.
        config: Of which run, and what its episodes are like.
        stages: The method with its settings, and its stages.
        has_tuned_stages: Whether the run knows how many stages it has.
    """
    model = {row: getattr(config.model, name) for name, row in walk_flags(ModelConfig)}
    told = {row.flag: value for row, value in model.items() if value != row.default}
    told |= {"method": stages.method, "protocol": "standard", "test_iter": config.test_iter}
    told |= {"shot_num": config.shots[0], "nb_ul_samples": config.unlabeled_per_class}
    told["nums_in_folders"] = stages.unlabeled_per_stage
    if stages.method_settings:
        told["method_settings"] = stages.method_settings
    if not has_tuned_stages:
        told["recurrent_stage_nums"] = stages.num_stages
    rows = [FlagRow(flag, value, "", "", type(value)) for flag, value in told.items()]
    return " ".join(["lst test", repeat_flags(values, REPEATED), *map(shown_flag, rows)])
