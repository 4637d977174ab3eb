"""Meta-tests a learner by recurrent self-training; see `--help`."""

from lst_tf2.commands import test

if __name__ == "__main__":
    test()
