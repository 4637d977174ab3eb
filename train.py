"""Pre-trains a backbone (`--phase=pre`) or meta-trains a learner; see `--help`."""

from lst_tf2.commands import train

if __name__ == "__main__":
    train()
