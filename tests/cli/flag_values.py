"""Command lines parsed as a command would, and the settings that they make."""

from lst_tf2.cli import run_configs, test, train
from lst_tf2.cli.command import parse as parse_command

COMMANDS = {"pretrain": train.PRETRAIN, "train": train.TRAIN, "test": test.TEST}
CONFIGS = {
    "pretrain": run_configs.pretrain_config,
    "train": run_configs.train_config,
    "test": run_configs.test_config,
}


def parse(name, *arguments):
    """Returns the values of the flags of `lst <name>`."""
    values, _ = parse_command(COMMANDS[name], arguments)
    return values


def config_of(name, *arguments):
    """Returns the settings that `lst <name>` makes of the rest of its command line."""
    return CONFIGS[name](parse(name, *arguments))
