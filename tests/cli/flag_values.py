"""Command lines with flags of their own, parsed as a script would."""

from absl import flags as absl_flags

from lst_tf2.cli import flag_tables, flags

TRAIN, TEST = (flag_tables.script_rows(script) for script in ("train.py", "test.py"))


def parse(rows, *arguments):
    """Returns the values of the flags in `rows`."""
    values = absl_flags.FlagValues()
    flag_tables.define_rows(rows, values)
    values(["script", *arguments])
    return values


def script_config(script, *arguments):
    """Returns the settings that `train.py` or `test.py` makes of the rest of its command line."""
    if script == "train.py":
        return flags.train_config(parse(TRAIN, *arguments))
    return flags.test_config(parse(TEST, *arguments))
