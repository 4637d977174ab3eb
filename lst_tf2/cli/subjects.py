"""What a comparison or a choice of methods is of: a run, or a backbone of any kind."""

from typing import Any

from absl import flags

from lst_tf2.cli.run_configs import piles_config
from lst_tf2.cli.tensorflow_run import take_memory_as_needed
from lst_tf2.config import PilesConfig
from lst_tf2.predict.backbone_names import check_name


def piles_and_subject(
    cls: type, settings: tuple[type, ...], values: flags.FlagValues
) -> tuple[PilesConfig, Any]:
    """Returns the settings `cls`, and the backbone that is named, if one is; else None: a run's.

    Raises:
        InputError: If a flag is out of bounds, or there is no such run or backbone.
    """
    name = values.backbone
    # A run or a backbone that is not there is noticed before TensorFlow loads.
    if not name:
        config = piles_config(cls, settings, values)
        take_memory_as_needed()
        return config, None
    check_name(name)
    take_memory_as_needed()
    from lst_tf2.predict.loading import load_backbone
    from lst_tf2.predict.subjects import described_by_config, subject_of  # Imports TensorFlow.

    backbone = load_backbone(name)
    config = piles_config(cls, settings, values, **described_by_config(name, backbone))
    return config, subject_of(backbone, config.way, config.seed)
