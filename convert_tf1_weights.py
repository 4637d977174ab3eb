"""Converts weights of the original TensorFlow 1 program into our checkpoints, and back.

    python convert_tf1_weights.py --input=weights_14000.npy --output=pretrain_weights/miniImagenet
    python convert_tf1_weights.py --input=old/LST_mini_1_shot --output=checkpoints/LST_mini_1_shot
    python convert_tf1_weights.py --to_tf1 --input=checkpoints/LST_mini_1_shot --output=old

It finds out by itself whether a folder holds a pre-trained backbone, Meta-Transfer Learning weights
or an LST checkpoint, and checks every array. The files are Python pickles, which could hold a
program: nothing in them is run, and one that asks for more than a dict of arrays is refused.
"""

from lst_tf2.cli.commands import convert

if __name__ == "__main__":
    convert()
