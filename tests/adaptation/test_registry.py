"""Methods by name: ours, and those of anybody's modules.

Also of `adaptation/method.py` and `adaptation/support.py`.
"""

import dataclasses
import pathlib
import tokenize
import types

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2 import config
from lst_tf2.adaptation import lst
from lst_tf2.adaptation.label_propagation import LabelPropagationConfig
from lst_tf2.adaptation.method import Evidence, Method
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import self_train, tell_of_rows
from lst_tf2.config import METHODS, AdaptationConfig, SelfTrainingConfig
from lst_tf2.errors import InputError
from lst_tf2.structures import Classifier, Examples
from tests.adaptation.evidence import features_of

LEARNER = types.SimpleNamespace(
    soft_weighting=lambda prototypes, maps: tf.zeros([maps.shape[0], 3])
)
SETTINGS = {
    "num_stages": 2, "retrain_steps": 2, "steps_per_stage": 3, "inner_steps": 5,
    "selected_per_class": 2,
}  # fmt: skip
MODULE = """
import dataclasses
import tensorflow as tf
from lst_tf2.adaptation import lst
from lst_tf2.adaptation.method import Selection

@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(lst.LstConfig):
    threshold: float = 0.5
    is_soft: bool = False
    rounds: int = 3

def build(config: Config, learner):
    build.config = config
    return lst.build(config, learner)

def with_dict(settings: dict, learner):
    with_dict.settings = settings
    return lst.build(lst.LstConfig(retrain_steps=1, steps_per_stage=2, inner_steps=2), learner)

def with_part(**parts):
    return lambda settings, learner: dataclasses.replace(with_dict(settings, learner), **parts)

def failing(settings, learner):
    raise RuntimeError("out of luck")

def returning_none(settings, learner):
    pass

def unknown_hints(settings: "NoSuchClass", learner):
    pass

@dataclasses.dataclass(frozen=True)
class Demanding:
    size: int

    def __post_init__(self):
        if self.size < 3:
            raise ValueError("size below 3")

def demanding(settings: Demanding, learner):
    return with_dict({}, learner)

outside = with_part(select=lambda evidence, probs: Selection(tf.constant([99]), probs[:1]))
negative = with_part(select=lambda evidence, probs: Selection(tf.constant([-1]), probs[:1]))
selecting_rows = with_part(select=lambda evidence, probs: tf.range(3))
few_targets = with_part(select=lambda evidence, probs: Selection(tf.range(3), probs[:2]))
column_weights = with_part(
    select=lambda evidence, probs: Selection(tf.range(3), probs[:3], tf.ones([3, 1]))
)
logit_column = with_part(
    weigh=lambda evidence, chosen: chosen._replace(logit_weights=chosen.logit_weights[:, :1])
)
labeling_half = with_part(label=lambda evidence: tf.zeros([4, 3]))
weighing_none = with_part(weigh=lambda evidence, chosen: None)
fitting_none = with_part(fit=lambda evidence, chosen: evidence.initial)
number = 7
"""


@pytest.fixture(name="mine")
def fixture_mine(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)


def load(name, *settings, **changes):
    stages = SelfTrainingConfig(method=name, method_settings=settings, **SETTINGS | changes)
    return load_method(stages, LEARNER)


def run(name):
    stages = SelfTrainingConfig(method=name, **SETTINGS)
    rng = np.random.default_rng(0)
    support, window = (tf.constant(rng.normal(size=(n, 4)), tf.float32) for n in (3, 8))
    examples = Examples(features_of(support), tf.constant([0, 1, 2]))
    initial = Classifier(tf.zeros([4, 3]), tf.zeros([3]))
    with tell_of_rows():
        return self_train(
            load_method(stages, LEARNER), examples, [features_of(window)], initial, stages
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_ours_runs(name):
    training = run(name)
    assert len(training.stages) == 2
    assert np.isfinite(training.final_path.joined().kernel).all()


def test_parts_are_named_as_the_settings_say():
    assert set(lst.SELECT) == set(config.SELECTIONS)
    assert set(lst.WEIGH) == set(config.WEIGHTINGS)
    assert load("lst", selection="none").select is not load("lst").select


@pytest.mark.parametrize("stages", [AdaptationConfig(), SelfTrainingConfig()])
def test_flags_reach_the_settings_of_a_method(stages, mine):
    load_method(dataclasses.replace(stages, method="mine:build", inner_lr=0.3), LEARNER)
    import mine as module

    settings = module.build.config
    assert settings.inner_lr == 0.3
    assert settings.steps_per_stage == stages.steps_per_stage
    assert settings.selection == stages.selection


def test_settings_of_its_own_are_read_by_type(mine):
    load("mine:build", "threshold=0.25", "is_soft=true", "rounds=4")
    import mine as module

    assert dataclasses.asdict(module.build.config).items() >= {
        "threshold": 0.25, "is_soft": True, "rounds": 4,
    }.items()  # fmt: skip
    load("mine:with_dict", "anything=a=b")
    assert module.with_dict.settings == {"anything": "a=b"}


def test_method_of_another_module_runs(mine):
    assert len(run("mine:with_dict").stages) == 2
    assert load("mine:build").name == "mine:build"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mine:nothing", (), "a function nothing in mine for the method mine:nothing"),
        ("mine:number", (), "a function number in mine .* received int"),
        ("gone:build", (), "module gone of the method gone:build, importing it raised ModuleNot"),
        ("broken:build", (), "module broken .* raised ModuleNotFoundError: No module named 'no_s"),
        ("mine:failing", (), "mine:failing to return a Method, it raised RuntimeError: out of"),
        ("mine:unknown_hints", (), "mine:unknown_hints to return a Method, it raised NameError"),
        ("mine:demanding", (), "mine:demanding .* raised TypeError: .*'size'"),
        ("mine:demanding", ("size=2",), "mine:demanding .* raised ValueError: size below 3"),
        ("builtins:int", (), "the method builtins:int to return a Method"),
        ("mine:returning_none", (), "mine:returning_none to return a Method, received NoneType"),
        ("mine:build", ("size=3",), r"settings of the method mine:build \(threshold, is_soft, ro"),
        ("mine:build", ("inner_lr=3",), r"received inner_lr; name one of these"),
        ("support", ("size=3",), r"settings of the method support \(it has none\), received size"),
        ("mine:build", ("rounds=few",), "rounds as int, received 'few'"),
        ("mine:build", ("is_soft=2",), "is_soft as bool, received '2'"),
        ("label_propagation", ("alpha=2",), "alpha of at most 0.999, received 2.0"),
    ],
)
def test_what_cannot_be_loaded_is_refused(mine, name, settings, message):
    with pytest.raises(InputError, match=message):
        load(name, *settings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("outside", r"`select` of the method mine:outside to return rows of 0 to 10, received oth"),
        ("negative", r"`select` of the method mine:negative to return rows of 0 to 10"),
        ("selecting_rows", r"`select` of .* a Selection of rows \[R\], targets \[R, 3\]"),
        ("few_targets", "`select` of the method mine:few_targets"),
        ("column_weights", r"`select` of .* targets \[R, 3\] and loss weights \[R\], received Sel"),
        ("logit_column", r"`weigh` of .* PseudoLabeled with logit weights \[R, 3\] and loss"),
        ("labeling_half", r"`label` of .* probabilities of shape \[8, 3\], received \w+ \(4, 3\)"),
        ("weighing_none", "`weigh` of .* PseudoLabeled with .*, received NoneType"),
        ("fitting_none", r"`fit` of .* a Path of kernels of shape \[4, 3\], received Class"),
    ],
)
@pytest.mark.parametrize("is_graph", [False, True])
def test_what_is_not_asked_for_is_refused(mine, name, message, is_graph):
    def call():
        return run(f"mine:{name}").final_path.joined()

    with pytest.raises(InputError, match=message), tell_of_rows():
        (tf.function(call, autograph=False) if is_graph else call)()


@pytest.mark.parametrize("name", ["lts", "lst:", ":build", ""])
def test_names_that_can_be_no_method_are_refused(name):
    with pytest.raises(
        InputError, match=r"method to be one of lst, graph_lst, .* or package.module:"
    ):
        SelfTrainingConfig(method=name)


@pytest.mark.parametrize("word", ["alpha", "=3", ""])
def test_settings_without_a_value_are_refused(word):
    with pytest.raises(InputError, match="method_settings as key=value,key=value, received"):
        AdaptationConfig(method_settings=(word,))


def code_lines(path):
    """Lines that hold more than comments and docstrings."""
    lines, is_start = set(), True
    with open(path, "rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (
                tokenize.NEWLINE,
                tokenize.INDENT,
                tokenize.DEDENT,
                tokenize.ENCODING,
            ):
                is_start = True
            elif token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER):
                if not (is_start and token.type == tokenize.STRING):
                    lines.update(range(token.start[0], token.end[0] + 1))
                is_start = False
    return len(lines)


@pytest.mark.parametrize(
    "name", ["label_propagation", "soft_kmeans", "spherical_kmeans", "support"]
)
def test_a_method_is_one_short_file(name):
    path = pathlib.Path(lst.__file__).with_name(f"{name}.py")
    assert 10 < code_lines(path) < 60


def test_evidence_knows_no_query():
    assert not any("query" in field for field in Evidence._fields)
    assert {field.name for field in dataclasses.fields(Method)} >= {
        "label",
        "select",
        "weigh",
        "fit",
    }


def test_label_propagation_keeps_the_settings_of_lst():
    fields = {field.name for field in dataclasses.fields(LabelPropagationConfig)}
    assert fields >= {field.name for field in dataclasses.fields(lst.LstConfig)}
