"""Converts weights of the original program; `python convert_tf1_weights.py --help` tells more."""

from lst_tf2.cli.main import run_script

if __name__ == "__main__":
    run_script("convert_tf1_weights.py")
