"""The models against `tests/golden/forward_{a,b}.npz`, recorded from the original."""

import numpy as np
import pytest

from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.lst import class_prototypes
from tests.golden import recipe
from tests.golden_files import FLOAT, Golden, images_of


@pytest.fixture(scope="module", params=["forward_a", "forward_b"])
def run(request):
    golden = Golden(request.param)
    return golden, golden.learner()


def test_recipe_gives_the_recorded_inputs(run):
    golden, _ = run
    images = images_of(golden).astype(np.float64)
    checksum = [images.sum(), np.sqrt((images**2).sum())]
    np.testing.assert_allclose(checksum, golden.arrays["images_checksum"], rtol=1e-9)
    weights = recipe.make_weights(golden.seeds["weights"])
    sums = [weights[name].astype(np.float64).sum() for name in sorted(weights)]
    np.testing.assert_allclose(sums, golden.arrays["weights_checksum"], rtol=1e-9)


def test_every_block_matches(run):
    golden, learner = run
    outputs = images_of(golden)
    for number, block in enumerate(learner.backbone.blocks, start=1):
        outputs = block(outputs)
        golden.assert_close(outputs, f"block{number}", 4e-5)


def test_features_and_logits_match(run):
    golden, learner = run
    features = learner.embed(images_of(golden))
    golden.assert_close(features.maps, "conv_features", 4e-5)
    for name in ("embedding", "embedding_forward_resnet"):
        golden.assert_close(features.embeddings, name, 3e-5)
    golden.assert_close(classify(learner.classifier.read(), features.embeddings), "logits", 3e-5)


def test_backbone_without_scale_matches_pretraining(run):
    golden, learner = run
    weights = recipe.make_weights(golden.seeds["weights"])
    before = learner.get_weights()
    for index, conv in enumerate(learner.backbone.convs):
        conv.scale.assign(np.ones(conv.scale.shape))
        conv.shift.assign(weights[f"block{index // 3 + 1}_bias{index % 3 + 1}"])
    embeddings = learner.embed(images_of(golden)).embeddings
    learner.set_weights(before)
    golden.assert_close(embeddings, "pretrain_embedding", 3e-5)
    golden.assert_close(embeddings @ weights["w5"] + weights["b5"], "pretrain_logits", 3e-5)


def test_soft_weighting_scores_match(run):
    golden, learner = run
    count, seed = golden.way * golden.shot, golden.seeds["features"]
    support_maps = recipe.make_conv_features(seed, count).astype(FLOAT)
    unlabeled_maps = recipe.make_conv_features(seed + 1, golden.config["n_unlabeled"]).astype(FLOAT)
    labels = (np.arange(count) % golden.way).astype(np.int32)
    prototypes = class_prototypes(support_maps, labels, golden.way)
    golden.assert_close(learner.soft_weighting(prototypes, unlabeled_maps), "swn_scores", 1e-5)
