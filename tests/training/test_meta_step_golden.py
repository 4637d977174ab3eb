"""The meta step against the recorded `inner_*`, `step_*` and `trajectory_a` files."""

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.lst import class_prototypes
from lst_tf2.adaptation.registry import load_method
from lst_tf2.config import AdaptationConfig
from lst_tf2.tf1.variable_names import learner_names
from lst_tf2.training.meta_step import adapt, observe
from tests.golden_files import Golden

pytestmark = pytest.mark.large

# Under batch norm a shift cancels out, as does a constant added to all classes' scores:
# their gradients are rounding noise, which Adam turns into whole steps.
NO_GRADIENT = ("bias", "RN_fc_b2")
LEARNING_RATE = 1e-3


def adaptation_of(golden):
    return AdaptationConfig(
        inner_lr=golden.flags["base_lr"],
        retrain_steps=golden.flags["re_train_epoch_num"],
        inner_steps=golden.flags["train_base_epoch_num"],
    )


def trainer_of(golden, *, recompute):
    return golden.trainer(adaptation_of(golden), recompute=recompute)


def names_by_variable(learner):
    groups = learner_names(learner)
    pairs = {"ss": "ss_weights", "fc": "fc_weights", "swn": "swn_weights"}
    return {
        id(variable): f"{short}/{name}"
        for short, group in pairs.items()
        for name, variable in groups[group].items()
    }


@pytest.mark.parametrize("letter", ["a", "b"])
def test_inner_loop_matches(letter):
    golden = Golden(f"inner_{letter}")
    learner, config = golden.learner(), adaptation_of(golden)
    method = load_method(config, learner)
    episode = golden.episode(golden.config["tasks"][0])
    evidence, chosen = observe(learner, method, episode, config)
    golden.assert_close(evidence.support.embeddings, "emb_support", 1e-4)
    golden.assert_close(evidence.unlabeled.embeddings, "emb_unlabeled", 1e-4)
    np.testing.assert_array_equal(chosen.targets, golden.truth("pseudo_labels"))
    golden.assert_close(evidence.labeler.kernel, "pl_fast/w5", 1e-4)
    golden.assert_close(
        classify(evidence.labeler, evidence.unlabeled.embeddings), "pseudo_label_logits", 1e-4
    )

    prototypes = class_prototypes(evidence.support.maps, evidence.support_labels, golden.way)
    scores = learner.soft_weighting(prototypes, evidence.unlabeled.maps)
    golden.assert_close(scores, "swn_scores", 2e-4)
    stage = adapt(learner, method, evidence, chosen)
    golden.assert_close(stage.chosen.logit_weights, "soft_weights", 1e-4)
    query_embeddings = learner.embed(episode.query.inputs).embeddings
    for name, steps in (("retrain", config.retrain_steps), ("finetune", config.inner_steps)):
        classifier = stage.path.after(steps, evidence.initial)
        golden.assert_close(classifier.kernel, f"{name}/w5", 1e-4)
        golden.assert_close(classifier.bias, f"{name}/b5", 2e-4)
        golden.assert_close(classify(classifier, query_embeddings), f"{name}/query_logits", 1e-4)


@pytest.fixture(scope="module", params=["a", "b"])
def step(request):
    """A recorded step, ours of the same weights and episodes, and the learner after it."""
    golden = Golden(f"step_{request.param}")
    # The other one, and five steps in a row, in little memory: the numbers are the same.
    trainer = trainer_of(golden, recompute=request.param == "b")
    scalars, *gradients = tf.function(trainer.gradients)(golden.meta_batch(golden.config["tasks"]))
    trainer.apply(*gradients)
    return golden, scalars, gradients, trainer.learner


def test_losses_and_every_gradient_match(step):
    golden, scalars, gradients, learner = step
    golden.assert_close(scalars["retrain_query_loss"], "final_pretrain_loss", 1e-4)
    golden.assert_close(scalars["finetune_query_loss"], "total_loss", 1e-4)
    golden.assert_close(scalars["accuracy"], "accuracy", 1e-6)

    names, compared = names_by_variable(learner), set()
    for variables, grads in zip(
        (learner.meta_variables, learner.swn_variables), gradients, strict=True
    ):
        for variable, grad in zip(variables, grads, strict=True):
            name = names[id(variable)]
            compared.add(name)
            if any(part in name for part in NO_GRADIENT):
                assert np.abs(grad).max() < 1e-3, name
            elif "conv" in name:
                # A rounding error flips a max-pool winner or the side of a leaky ReLU;
                # the original's own float32 run is up to 8e-3 from its float64 run.
                golden.assert_close_l2(grad, f"grad/{name}", 2e-2)
            else:
                golden.assert_close_l2(grad, f"grad/{name}", 2e-4)
    assert len(compared) == 24 + 2 + 8


def test_one_adam_update_matches(step):
    golden, _, _, learner = step
    names = names_by_variable(learner)
    num_compared = num_values = 0
    for variable in learner.meta_variables + learner.swn_variables:
        name = names[id(variable)]
        if any(part in name for part in NO_GRADIENT):
            continue
        # Adam's first step is `lr` times the sign of the gradient, so a weight whose
        # gradient is rounding noise may land 2 * lr away: compare those well above it.
        gradient = golden.truth(f"grad/{name}")
        is_clear = np.abs(gradient) > 0.01 * np.abs(gradient).max()
        error = golden.sampled(variable, f"param/{name}") - golden.truth(f"param/{name}")
        # A max-pool winner that rounding flips moves single weights, in the original too.
        allowed = 0.01 * LEARNING_RATE + 2 * golden.noise(f"param/{name}")
        assert (np.abs(error) < allowed)[is_clear].all(), name
        num_compared += is_clear.sum()
        num_values += is_clear.size
    assert num_compared > 0.8 * num_values


def test_five_steps_match():
    golden = Golden("trajectory_a")
    trainer = trainer_of(golden, recompute=True)
    steps = [trainer.train_step(golden.meta_batch(seeds)) for seeds in golden.config["steps"]]
    recorded = {
        "retrain_query_loss": "final_pretrain_loss",
        "finetune_query_loss": "total_loss",
    }
    for ours, theirs in recorded.items():
        # The original's float32 run is up to 2.9e-4 from its float64 run here.
        golden.assert_close([step[ours] for step in steps], theirs, 1e-3)
    golden.assert_close([step["accuracy"] for step in steps], "accuracy", 1e-6)
    assert trainer.train_step.experimental_get_tracing_count() == 1


def test_five_steps_differ_from_no_steps():
    # Guards the tolerance above: without the updates the losses are further away.
    arrays = Golden("trajectory_a").arrays
    for name in ("final_pretrain_loss", "total_loss"):
        error = np.abs(arrays[f"no_update/{name}"] - arrays[name]).max() / arrays[name].max()
        assert error > 1e-2
