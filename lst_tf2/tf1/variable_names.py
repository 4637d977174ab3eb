"""Names of the original TensorFlow 1 program's arrays, and our variables for them."""

from lst_tf2.models.learner import Learner, LinearHead
from lst_tf2.models.resnet12 import ResNet12
from lst_tf2.models.soft_weighting import SoftWeightingNetwork


def backbone_names(backbone: ResNet12) -> dict:
    """Returns the variables of the original's `weights`, less its head, by their names."""
    names = {}
    for b, block in enumerate(backbone.blocks, start=1):
        for i, conv in enumerate(block.convs, start=1):
            names[f"block{b}_conv{i}"] = conv.kernel
            names[f"block{b}_bias{i}"] = conv.shift
        names[f"block{b}_conv_res"] = block.shortcut
    return names


def scale_shift_names(backbone: ResNet12) -> dict:
    """Returns the variables of the original's `ss_weights` by their names."""
    names = {}
    for b, block in enumerate(backbone.blocks, start=1):
        for i, conv in enumerate(block.convs, start=1):
            names[f"block{b}_conv{i}"] = conv.scale
            names[f"block{b}_bias{i}"] = conv.shift
    return names


def head_names(head: LinearHead) -> dict:
    """Returns the variables of the original's `fc_weights` (or its head) by their names."""
    return {"w5": head.kernel, "b5": head.bias}


def soft_weighting_names(network: SoftWeightingNetwork) -> dict:
    """Returns the variables of the original's `swn_weights` by their names."""
    return {
        "RN_conv1": network.conv1_kernel,
        "RN_bias1": network.conv1_bias,
        "RN_conv2": network.conv2_kernel,
        "RN_bias2": network.conv2_bias,
        "RN_fc_w1": network.dense1_kernel,
        "RN_fc_b1": network.dense1_bias,
        "RN_fc_w2": network.dense2_kernel,
        "RN_fc_b2": network.dense2_bias,
    }


def learner_names(learner: Learner) -> dict[str, dict]:
    """Returns the variables of a learner under the original's file and array names.

    The shifts stand under `ss_weights` alone: meta-training never reads the biases that
    the original keeps beside the frozen kernels.
    """
    shifts = scale_shift_names(learner.backbone)
    kernels = backbone_names(learner.backbone)
    return {
        "weights": {name: kernels[name] for name in kernels if "_bias" not in name},
        "ss_weights": shifts,
        "fc_weights": head_names(learner.classifier),
        "swn_weights": soft_weighting_names(learner.soft_weighting),
    }
