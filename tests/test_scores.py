"""Scores of classifiers of other libraries: out of fold, through the variations, and honest afterwards."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.discriminant.classifiers import weight_name
from hepcuts.evaluation.resampling import Folds, HeldOut, hold_out

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES = ["x", "y"]
ONE_TREE = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
TREES_OF_MANY = HistGradientBoostingClassifier(max_iter=60)
TREES = HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=5)


class Memory:
    """A classifier that knows its training events by heart: 1 or 0 for them, 0.5 for all others."""

    def fit(self, features, labels, sample_weight):
        self.known = {row.tobytes(): float(label) for row, label in zip(features, labels, strict=True)}
        self.weights = np.asarray(sample_weight)
        self.labels = np.asarray(labels)
        return self

    def predict_proba(self, features):
        p = np.array([self.known.get(row.tobytes(), 0.5) for row in features])
        return np.stack([1.0 - p, p], axis=1)


def again(score):
    return pickle.loads(pickle.dumps(score))  # noqa: S301 (its own)


def make(size=300, *, shift=1.0, seed=0, **options):
    random = np.random.default_rng(seed)
    both = []
    for name, at in (("signal", shift), ("background", 0.0)):
        columns = {feature: random.normal(at, 1.0, size) for feature in FEATURES}
        modifiers = ()
        if name == "background":
            up, down = ({"x": columns["x"] + move} for move in (0.2, -0.2))
            modifiers = [hc.HistoSys("scale", up=up, down=down), hc.NormSys("norm", 1.1, 0.9)]
        weights = random.uniform(0.5, 1.5, size) * (20.0 if at else 100.0) / size
        both.append(hc.Sample(name, columns, weights=weights, signal=bool(at), modifiers=modifiers, **options))
    return both


@pytest.fixture(scope="module")
def samples(one_thread):
    return make()


@pytest.fixture(scope="module")
def trees(samples):
    return hc.score(samples, TREES, FEATURES)


# --- no event is scored by a model that it helped to train ---


@pytest.mark.parametrize("holdout", [None, 0.5])
@pytest.mark.parametrize("folds", [2, 5, GroupKFold(3)], ids=["2", "5", "splitter"])
def test_no_event_is_scored_by_a_model_that_it_helped_to_train(samples, folds, holdout):
    scored, score = hc.score(samples, Memory(), FEATURES, folds=folds, holdout=holdout)
    for sample in scored:
        assert np.all(sample.column("score") == 0.5)
    # But all that may train do.
    training = sum(len(model.known) for model in score.models)
    out = 0 if holdout is None else sum(int(HeldOut(0.5).held_out(s.identity).sum()) for s in samples)
    assert training == (len(score.models) - 1) * (sum(map(len, samples)) - out)


def test_copies_of_one_event_in_several_samples_train_together(samples):
    signal, background = samples
    twin = hc.Sample("twin", background.columns, identity=np.arange(len(background)))
    background = hc.Sample("background", background.columns, identity=np.arange(len(background)))
    for sample in hc.score([signal, background, twin], Memory(), FEATURES, holdout=None)[0]:
        assert np.all(sample.column("score") == 0.5)


def test_a_varied_event_goes_through_the_model_of_its_nominal_twin(samples, trees):
    scored, score = trees
    background, part = scored[1], score.folds.part(samples[1].identity)
    scale, norm = background.modifiers
    for side, move in (("up", 0.2), ("down", -0.2)):
        features = np.stack([background.column("x") + move, background.column("y")], axis=1)
        expected = np.array([m.predict_proba(features)[:, 1] for m in score.models])[part, np.arange(len(part))]
        np.testing.assert_array_equal(scale.sides[side].columns["score"], expected)
    assert norm is samples[1].modifiers[1]


def test_a_variation_of_weights_or_of_other_columns_alone_leaves_the_score(samples):
    signal, background = samples
    z = np.zeros(len(background))
    modifiers = [
        hc.HistoSys("w", up=background.weights * 1.1, down="mirror"),
        hc.HistoSys("z", up={"z": z + 1.0}, down="mirror"),
    ]
    with_z = background.with_columns({**background.columns, "z": z}, modifiers)
    scored, _ = hc.score([signal, with_z], GaussianNB(), FEATURES)
    assert all("score" not in modifier.up.columns for modifier in scored[1].modifiers)


def test_events_that_are_there_for_a_variation_alone_train_nothing(samples):
    """A variation of other events: rows without nominal weight, as a configuration makes them."""
    signal, background = samples
    half = np.arange(len(background)) % 2 == 0
    varied = hc.HistoSys("other", up=np.where(half, 0.0, background.weights), down="mirror")
    nominal = hc.Sample(
        "background", background.columns, weights=np.where(half, background.weights, 0.0), modifiers=[varied]
    )
    _, score = hc.score([signal, nominal], Memory(), FEATURES, holdout=None)
    known = {row for model in score.models for row in model.known}
    rows = np.stack([background.column(f) for f in FEATURES], axis=1)
    assert {row.tobytes() in known for row in rows[half]} == {True}
    assert {row.tobytes() in known for row in rows[~half]} == {False}


def test_parts_do_not_depend_on_the_order_of_events(samples, trees):
    scored, score = trees
    order = np.random.default_rng(1).permutation(len(samples[0]))
    again = score.samples([samples[0].take(order)])[0]
    np.testing.assert_array_equal(again.column("score"), scored[0].column("score")[order])


# --- new events ---


def test_new_events_get_the_mean_of_all_models(trees):
    _, score = trees
    new = make(50, seed=1)[0]
    features = np.stack([new.column(f) for f in FEATURES], axis=1)
    mean = np.mean([m.predict_proba(features)[:, 1] for m in score.models], axis=0)
    np.testing.assert_allclose(score.apply(new.columns), mean, rtol=1e-14)
    data = hc.Sample("data", new.columns)
    np.testing.assert_allclose(score.samples([data], models="mean")[0].column("score"), mean, rtol=1e-14)


def test_the_mean_is_refused_for_events_that_trained(samples, trees):
    _, score = trees
    with pytest.raises(InputError, match="trained some of the models"):
        score.samples(samples, models="mean")
    untouched = score.untouched(samples)
    assert len(score.samples(untouched, models="mean")) == 2
    assert sum(s.total for s in untouched) == pytest.approx(120.0, rel=0.2)


def test_of_new_events_a_splitter_knows_no_part(samples):
    _, score = hc.score(samples, GaussianNB(), FEATURES, folds=GroupKFold(3))
    new = hc.Sample("new", samples[0].columns, identity=np.arange(len(samples[0])))
    with pytest.raises(InputError, match="are in no part of SplitterFolds"):
        score.samples([new])
    assert score.samples([new], models="mean")[0].column("score").shape == (len(new),)


def test_by_parts_new_events_pass_as_those_that_trained_would_and_by_the_mean_they_do_not():
    """The same background: of scores of single models and of their mean other fractions pass a tight cut."""
    scored, score = hc.score(make(1000, seed=3), TREES_OF_MANY, FEATURES, holdout=None)
    new = make(10_000, seed=4)[1]
    new = hc.Sample("new", new.columns, weights=new.weights)
    old = scored[1]
    passed = {
        models: np.average(score.samples([new], models=models)[0].column("score") > 0.9, weights=new.weights)
        for models in ("part", "mean")
    }
    nominal = np.average(old.column("score") > 0.9, weights=old.weights)
    sigma = np.sqrt(nominal / len(old) * 1.1)
    assert abs(passed["part"] - nominal) < 3.0 * sigma
    assert passed["mean"] < 0.8 * passed["part"]


# --- what the classifier is given ---


def test_balanced_weights(samples):
    _, score = hc.score(samples, Memory(), FEATURES, weights="balanced")
    for model in score.models:
        sums = [model.weights[model.labels == kind].sum() for kind in (0, 1)]
        assert sums[0] == pytest.approx(sums[1], rel=1e-12)
        assert model.weights.mean() == pytest.approx(1.0, rel=1e-12)
    assert "balanced" in repr(score)


def test_expected_weights(samples):
    _, score = hc.score(samples, Memory(), FEATURES, weights="expected", holdout=None)
    model, parts = score.models[0], [score.folds.part(s.identity) for s in samples]
    weights = np.concatenate([s.weights[part != 0] for s, part in zip(samples, parts, strict=True)])
    np.testing.assert_allclose(model.weights, weights / weights.mean(), rtol=1e-12)
    assert "as expected" in repr(score)


def test_a_classifier_without_weights_is_refused_unless_none_are_wanted(samples):
    with pytest.raises(InputError, match="takes no sample_weight"):
        hc.score(samples, KNeighborsClassifier(), FEATURES)
    _, score = hc.score(samples, KNeighborsClassifier(), FEATURES, weights=None)
    assert "none: each simulated event counts as one" in repr(score)


def test_negative_weights_are_refused_or_taken_as_told(samples):
    signal, background = samples
    weights = background.weights * np.where(np.arange(len(background)) % 5 == 0, -0.5, 1.0)
    signed = [signal, hc.Sample("background", background.columns, weights=weights)]
    with pytest.raises(InputError, match=r"events that would train have negative weights.*negative_weights='absolute'"):
        hc.score(signed, Memory(), FEATURES)
    scored, score = hc.score(signed, Memory(), FEATURES, negative_weights="absolute")
    assert all(np.all(model.weights > 0) for model in score.models)
    np.testing.assert_array_equal(scored[1].weights, weights)
    assert "negative ones the absolute" in repr(score)
    _, score = hc.score(signed, Memory(), FEATURES, negative_weights="keep")
    assert all(np.any(model.weights < 0) for model in score.models)
    assert "negative ones as they are" in repr(score)


def test_weights_reach_the_last_step_of_a_pipeline_also_within_a_search():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert weight_name(pipeline) == "logisticregression__sample_weight"
    assert weight_name(GridSearchCV(pipeline, {})) == "logisticregression__sample_weight"
    assert weight_name(GridSearchCV(LogisticRegression(), {})) == "sample_weight"


def test_missing_values_come_as_nan():
    samples = make(60, missing=-999.0)
    gone = []
    for sample in samples:
        values = sample.column("x").copy()
        values[::7] = -999.0
        gone.append(
            hc.Sample(sample.name, {"x": values, "y": sample.column("y")}, signal=sample.signal, missing=-999.0)
        )
    with pytest.raises(InputError, match=r"LogisticRegression cannot be trained on [^$]* NaN"):
        hc.score(gone, LogisticRegression(), FEATURES)
    pipeline = make_pipeline(SimpleImputer(), LogisticRegression())
    for classifier in (pipeline, TREES):
        scored, _ = hc.score(gone, classifier, FEATURES)
        assert np.all(np.isfinite(scored[0].column("score")))


@pytest.mark.parametrize("library", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_boosted_trees_of_other_libraries(samples, library):
    module, _, name = library.partition(".")
    found = getattr(pytest.importorskip(module), name)
    classifier = found(n_estimators=10, n_jobs=1, **({"verbose": -1} if module == "lightgbm" else {}))
    scored, score = hc.score(samples, classifier, FEATURES)
    assert score.areas[1] > 0.7
    np.testing.assert_array_equal(again(score).samples(samples)[0].column("score"), scored[0].column("score"))


# --- trained elsewhere ---


def test_a_function_of_features(samples):
    scored, score = hc.score(samples, lambda features: features[:, 0] + features[:, 1], FEATURES, name="sum")
    np.testing.assert_array_equal(scored[0].column("sum"), samples[0].column("x") + samples[0].column("y"))
    np.testing.assert_array_equal(score.apply(samples[0].columns), scored[0].column("sum"))
    assert "elsewhere" in repr(score)


def test_an_onnx_file(samples, tmp_path):
    """A logistic function, written by onnx and run by onnxruntime, against NumPy."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "slopes"], ["sum"]),
            helper.make_node("Sigmoid", ["sum"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Concat", ["q", "p"], ["probabilities"], axis=1),
        ],
        "logistic",
        [helper.make_tensor_value_info("features", kind, [None, 2])],
        [helper.make_tensor_value_info("probabilities", kind, [None, 2])],
        [helper.make_tensor("slopes", kind, [2, 1], [1.0, -0.5]), helper.make_tensor("one", kind, [1], [1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "logistic.onnx"
    onnx.save(model, path)
    scored, score = hc.score(samples, path, FEATURES)
    x, y = (samples[0].column(feature) for feature in FEATURES)
    np.testing.assert_allclose(scored[0].column("score"), 1.0 / (1.0 + np.exp(0.5 * y - x)), rtol=2e-6)
    assert np.array_equal(again(score).apply(samples[0].columns), scored[0].column("score"))


# --- what is told, and refused ---


def test_the_area_under_the_curve_is_scikit_learns(samples, trees):
    scored, score = trees
    out = [HeldOut(0.5).held_out(sample.identity) for sample in samples]
    for position, masks in enumerate(([~o for o in out], out)):
        values, labels, weights = (
            np.concatenate([read(s)[mask] for s, mask in zip(scored, masks, strict=True)])
            for read in (lambda s: s.column("score"), lambda s: np.full(len(s), s.signal), lambda s: s.weights)
        )
        assert score.areas[position] == pytest.approx(roc_auc_score(labels, values, sample_weight=weights), rel=1e-12)
    assert score.areas[2] > score.areas[0] + 0.02


def test_it_is_told_pickled_and_shown_in_a_notebook(samples, trees):
    scored, score = trees
    text = repr(score)
    for part in ("HistGradientBoostingClassifier", "5, each for the part", "held out", "area under ROC"):
        assert part in text
    assert "<table" in score._repr_html_()
    copy = again(score)
    np.testing.assert_array_equal(copy.samples(samples)[1].column("score"), scored[1].column("score"))
    assert repr(copy) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GaussianNB, FEATURES), "is the class GaussianNB"),
        ((3, FEATURES), "came as int"),
        (("not-there.onnx", FEATURES), "cannot be read"),
        ((GaussianNB(), ["x", "z"]), "there is no column z; there are x, y"),
        ((GaussianNB(), ["x", "x"]), "each once"),
        ((StandardScaler(), FEATURES), "neither predict_proba nor decision_function"),
        ((lambda features: features[:-1, 0], FEATURES), "expected one finite score for each"),
        ((lambda features: np.full(len(features), np.nan), FEATURES), "not finite"),
    ],
)
def test_what_is_refused(samples, arguments, message):
    with pytest.raises(InputError, match=message):
        hc.score(samples, *arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 0}, "at least 2 parts"),
        ({"name": "x"}, "the name of one of its features"),
        ({"weights": "some"}, "expected 'balanced', 'expected' or None"),
        ({"negative_weights": "drop"}, "expected 'refuse', 'absolute' or 'keep'"),
        ({"holdout": Folds(3)}, "a resampling of one part"),
        ({"holdout": 0.999}, "to train on"),
    ],
)
def test_options_that_are_refused(samples, options, message):
    with pytest.raises(InputError, match=message):
        hc.score(samples, GaussianNB(), FEATURES, **options)


def test_a_column_that_is_there_already(trees):
    scored, _ = trees
    with pytest.raises(InputError, match="has a column 'score' already"):
        hc.score(scored, GaussianNB(), FEATURES)


# --- honest afterwards ---


def noise(seed, size=400, features=4):
    """Features that know nothing."""
    random = np.random.default_rng(seed)
    return [
        hc.Sample(
            name,
            {f"x{i}": random.normal(size=size) for i in range(features)},
            weights=np.full(size, total / size),
            signal=name == "signal",
        )
        for name, total in (("signal", 20.0), ("background", 100.0))
    ]


@pytest.fixture(scope="module")
def of_noise(one_thread):
    """Scores of noise, out of fold and held out, and those of a model on its own training events."""
    features, found = [f"x{i}" for i in range(4)], []
    for seed in range(6):
        samples = noise(seed)
        scored, score = hc.score(samples, ONE_TREE, features, seed=seed)
        model = ONE_TREE.fit(*(np.concatenate(parts) for parts in zip(*map(rows_of, samples), strict=True)))
        own = [s.with_columns({"score": model.predict_proba(rows_of(s)[0])[:, 1]}, ()) for s in samples]
        found.append((seed, scored, score, own))
    return found


def rows_of(sample):
    return np.stack(list(sample.columns.values()), axis=1), np.full(len(sample), sample.signal)


NO_CUT = hc.counting.asimov_significance(20.0, 100.0)


def uncertainty(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))


def test_of_pure_noise_a_scan_quotes_no_cut(of_noise):
    def quoted(samples, seed):
        result = hc.scan(samples, hc.Cut("score", ">"), metrics=["asimov"], replicas=0, seed=seed)
        return result.optimum("asimov").held_out

    honest = [quoted(score.untouched(scored), seed) for seed, scored, score, _ in of_noise]
    assert abs(np.mean(honest) - NO_CUT) < 3.0 * uncertainty(honest)
    # Folds of a scan do not help where all events trained the score.
    assert min(quoted(own, seed) for seed, _, _, own in of_noise) > 1.3 * NO_CUT


def test_of_pure_noise_bins_quote_no_cut(of_noise):
    """Bins can only gain, so that here an optimism would show."""

    def quoted(samples, seed):
        edges = hc.bin_edges(samples, "score", num_bins=4, folds=0, polish_edges=False, seed=seed).edges
        _, held_out = hold_out(samples, 0.5, seed=seed)
        # What the bins of the choosing events say that an event is worth (the sum is linear in the judging ones).
        chosen, judged = (yields(half, edges) for half in (hold_out(samples, 0.5, seed=seed)[0], held_out))
        ratio = chosen[0] / chosen[1]
        slopes = 2.0 * np.log1p(ratio), 2.0 * (np.log1p(ratio) - ratio)
        return np.sum(slopes * judged)

    honest = [np.sqrt(quoted(scored, seed)) for seed, scored, _, _ in of_noise]
    # Bins that follow fluctuations are worth a little less than none.
    assert 0.9 * NO_CUT < np.mean(honest) < NO_CUT + 3.0 * uncertainty(honest)
    assert min(np.sqrt(quoted(own, seed)) for seed, _, _, own in of_noise) > 1.3 * NO_CUT


def test_of_pure_noise_an_optimization_quotes_no_cut(of_noise):
    def quoted(samples, seed):
        options = {"objective": "asimov", "folds": 0, "replicas": 0, "seed": seed}
        return hc.optimize(samples, hc.Cut("score", ">"), **options).held_out.value

    seed, scored, _, own = of_noise[0]
    assert quoted(scored, seed) == pytest.approx(NO_CUT, rel=0.1)
    assert quoted(own, seed) > 1.3 * NO_CUT


def yields(samples, edges):
    return np.array([np.histogram(s.column("score"), edges, weights=s.weights)[0] for s in samples])


def test_what_optimize_holds_out_trained_nothing(samples, trees):
    """By the default seed and fraction of both, and with the score's own part given on."""
    scored, score = trees
    known = set(score.trained.tolist())
    for options in ({}, {"holdout": score.held_out, "seed": 7}):
        result = hc.bin_edges(scored, "score", num_bins=2, folds=0, polish_edges=False, **options)
        assert all(not known & set(sample.identity.tolist()) for sample in result.samples)
    other = hc.bin_edges(scored, "score", num_bins=2, folds=0, polish_edges=False, seed=7)
    assert any(known & set(sample.identity.tolist()) for sample in other.samples)


# --- real events ---


def test_of_real_events_the_area_out_of_fold_is_that_of_events_never_seen(higgsml):
    """1000 events of each class of the ATLAS simulation train; 3999 others say whether what is told is right."""
    trained, others = [], []
    for name in ("signal", "background"):
        table = pd.read_csv(higgsml / f"{name}.csv")
        columns = {feature: table[feature] for feature in ("DER_mass_MMC", "DER_mass_transverse_met_lep", "PRI_tau_pt")}
        sample = hc.Sample(
            name,
            columns,
            weights=table["KaggleWeight"],
            signal=name == "signal",
            missing=-999.0,
            modifiers=[hc.HistoSys("tau", up={"PRI_tau_pt": 1.03 * table["PRI_tau_pt"]}, down="mirror")],
        )
        first, second = sample.divided(np.arange(len(sample)) % 5 == 0)
        trained.append(first)
        others.append(second)
    scored, score = hc.score(trained, TREES, list(columns), holdout=None)
    assert np.any(scored[0].modifiers[0].up.columns["score"] != scored[0].column("score"))
    new = score.samples(others)
    labels = np.concatenate([np.full(len(s), s.signal) for s in new])
    area = roc_auc_score(
        labels, np.concatenate([s.column("score") for s in new]), sample_weight=np.concatenate([s.weights for s in new])
    )
    out_of_fold, _, own = score.areas
    assert out_of_fold == pytest.approx(area, abs=0.025)
    assert own > area + 0.03
