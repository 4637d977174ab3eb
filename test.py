"""Meta-tests a learner; `python test.py --help` tells more."""

from lst_tf2.cli.main import run_script

if __name__ == "__main__":
    run_script("test.py")
