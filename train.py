"""Trains: first a backbone on all base classes, then the learner that self-trains.

1. Pre-training, images of labeled_train and unlabeled_train -> pretrain_weights/<dataset>/

       python train.py --phase=pre --dataset=miniImagenet

2. Meta-training, episodes of the same classes -> checkpoints/<exp_name>/

       python train.py --dataset=miniImagenet --shot_num=1 --exp_name=LST_mini_1_shot

Then meta-test it: python test.py --help. A run that was stopped goes on where it stopped when
the same command is given again. Flags can be kept in a file: --flagfile=configs/demo_train.flags.
"""

from lst_tf2.cli.commands import train

if __name__ == "__main__":
    train()
