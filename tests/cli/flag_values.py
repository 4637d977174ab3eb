"""Command lines with flags of their own, parsed as a script would."""

from absl import flags as absl_flags

from lst_tf2.cli import flag_tables, flags

TRAIN = flag_tables.COMMON_FLAGS + flag_tables.TRAIN_FLAGS
TEST = flag_tables.COMMON_FLAGS + flag_tables.TEST_FLAGS


def parse(rows, *arguments):
    """Returns the values of the flags in `rows`, and of the retired ones."""
    values = absl_flags.FlagValues()
    retired = [(name, default, "") for name, default, _ in flag_tables.RETIRED_FLAGS]
    for name, default, text in rows + retired:
        flag_tables.DEFINERS[type(default)](name, default, text, flag_values=values)
    values(["script", *arguments])
    return values


def script_config(script, *arguments):
    """Returns the settings that `train.py` or `test.py` makes of the rest of its command line."""
    if script == "train.py":
        return flags.train_config(parse(TRAIN, *arguments))
    return flags.test_config(parse(TEST, *arguments))
