"""Pre-trains (`--phase=pre`) or meta-trains; `python train.py --help` tells more."""

from lst_tf2.cli.main import run_script

if __name__ == "__main__":
    run_script("train.py")
