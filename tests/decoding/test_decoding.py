"""Splits that cannot leak, models on unseen trials, rejection, votes, and the same decisions online and offline."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import muemg
from muemg import SpikeTrains
from muemg.decoding import (
    CLASSIFIERS,
    CommandSeparation,
    Hysteresis,
    MajorityVote,
    OnlineClassifier,
    RejectingClassifier,
    check_split,
    evaluate,
    make_classifier,
    make_regressor,
    trial_splits,
)
from muemg.drive import Windows, count_frames, count_windows
from muemg.errors import InvalidArgumentError
from muemg.neurons import CommonInput, IntegrateAndFirePool


@parametrize_with_checks(
    [RejectingClassifier(LinearDiscriminantAnalysis(), threshold=0.0), CommandSeparation(n_commands=1)],
    expected_failed_checks=lambda estimator: (
        dict.fromkeys(
            ("check_methods_sample_order_invariance", "check_methods_subset_invariance"),
            "rows are instants of one recording: their order and neighbours matter",
        )
        if isinstance(estimator, CommandSeparation)
        else {}
    ),
)
def test_scikit_learn_accepts_them(estimator, check):
    check(estimator)


def windows_of(n_trials=12, n_classes=3, *, informative=True, seed=0, names="abc"):
    """Ten windows a trial; every trial has an offset of its own, which says nothing about the class."""
    rng = np.random.default_rng(seed)
    X, y, groups = [], [], []
    for trial in range(n_trials):
        label = trial % n_classes
        centre = 2.0 * informative * np.eye(n_classes, 6)[label] + 3.0 * rng.standard_normal(6) * ~np.bool_(
            informative
        )
        X.append(centre + 0.7 * rng.standard_normal((10, 6)))
        y += [names[label]] * 10
        groups += [trial] * 10
    return Windows(np.concatenate(X), np.arange(10.0 * n_trials), np.array(y), np.array(groups))


# ------------------------------------------------------------------ splits


def test_no_trial_is_on_both_sides_and_each_is_tested_once():
    w = windows_of(15)
    folds = list(trial_splits(w.y, w.groups, n_splits=5))
    for train, test in folds:
        check_split(train, test, w.groups)
        assert set(w.y[test]) == {"a", "b", "c"}
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(150))


def test_a_leak_is_caught():
    w = windows_of(informative=False)
    with pytest.raises(InvalidArgumentError, match=r"windows of 1\d trials are on both sides"):
        evaluate(make_classifier(), w, splits=KFold(5, shuffle=True, random_state=0).split(w.X))
    # What it would have seemed to be worth: the trials' own offsets give them away.
    leaky = [
        make_classifier().fit(w.X[a], w.y[a]).score(w.X[b], w.y[b])
        for a, b in KFold(5, shuffle=True, random_state=0).split(w.X)
    ]
    assert np.mean(leaky) > evaluate(make_classifier(), w, n_splits=4).score + 0.15


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"groups": None}, "groups is missing"),
        ({"y": None}, "y is missing"),
        ({"groups": np.full(120, np.nan)}, "groups is missing for 120 of 120"),
        ({"y": np.where(np.arange(120) < 3, None, "a")}, "y is missing for 3 of 120"),
        ({"y": np.where(np.arange(120) < 3, "", "a")}, "y is missing for 3 of 120"),
        ({"y": np.where(np.arange(120) < 10, "b", "a")}, "at least two trials.*b has one"),
        (
            {"X": np.where(np.arange(120)[:, None] == 5, np.nan, 1.0)},
            "not-a-number or infinite ones in 1 of 120",
        ),
        ({"X": np.zeros((120, 0))}, r"n_features\), got \(120, 0\)"),
        ({"X": np.zeros((120, 2, 3))}, "with_features"),
    ],
)
def test_bad_windows_are_refused(changes, said):
    w = windows_of()
    parts = {"X": w.X, "times": w.times, "y": w.y, "groups": w.groups} | changes
    with pytest.raises(InvalidArgumentError, match=said):
        evaluate(make_classifier(), Windows(**parts), n_splits=2)


def test_too_few_trials_are_refused():
    w = windows_of(12)
    with pytest.raises(InvalidArgumentError, match="at most the 4 trials of class a"):
        evaluate(make_classifier(), w, n_splits=5)
    with pytest.raises(InvalidArgumentError, match="at most the 12 trials"):
        list(trial_splits(w.y, w.groups, n_splits=13))
    with pytest.raises(InvalidArgumentError, match="empty side"):
        check_split([], [1], w.groups)


# ------------------------------------------------------------------ evaluation


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classifiers_learn_what_is_there(kind):
    found = evaluate(make_classifier(kind), windows_of(), n_splits=2)
    assert found.score > 0.85
    assert found.confusion.sum() == 120
    assert found.confusion.trace() / 120 == pytest.approx(found.score)
    assert np.mean(found.predictions == windows_of().y) == found.score


def test_shuffled_labels_score_at_chance():
    found = evaluate(make_classifier(), windows_of(24), n_splits=2, n_permutations=15)
    # Chance is a third; 24 trials scatter by a tenth, the mean of 15 shuffles by less.
    assert found.permuted_scores.mean() == pytest.approx(1 / 3, abs=0.06)
    assert found.p_value == pytest.approx(1 / 16)
    assert "shuffled labels" in repr(found)
    none = evaluate(make_classifier(), windows_of(24, informative=False), n_splits=2, n_permutations=15)
    assert none.p_value > 0.05


def test_few_trials_can_be_shuffled():
    # Two trials a class, two folds: over fixed folds, shuffled labels would often leave one class to learn.
    found = evaluate(make_classifier(), windows_of(4, n_classes=2), n_splits=2, n_permutations=10)
    assert len(found.permuted_scores) == 10
    assert found.score > 0.85


def test_labels_that_change_within_trials_are_shuffled_there():
    w = windows_of(12)
    subjects = Windows(w.X, w.times, w.y, np.repeat(np.arange(4), 30))
    found = evaluate(make_classifier(), subjects, n_splits=2, n_permutations=5)
    assert found.score > 0.85
    assert found.permuted_scores.mean() < 0.6


def test_regressors():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 3))
    w = Windows(X, np.arange(120.0), X @ [1.0, -2.0, 0.5], np.repeat(np.arange(6), 20))
    found = evaluate(make_regressor(), w, n_splits=2, n_permutations=5)
    assert found.score > 0.95
    assert found.permuted_scores.max() < 0.3
    assert not len(found.classes)
    assert evaluate(make_regressor("mlp"), w, n_splits=2).score > 0.7


def test_unknown_kinds_are_refused():
    with pytest.raises(InvalidArgumentError, match="'lda', 'svm', 'mlp'"):
        make_classifier("forest")
    with pytest.raises(InvalidArgumentError, match="'ridge', 'mlp'"):
        make_regressor("lda")


# ------------------------------------------------------------------ rejection and votes


@pytest.mark.parametrize("model", [LinearDiscriminantAnalysis(), LinearSVC()])
def test_doubt_is_said(model):
    X = (
        np.concatenate([np.full((20, 1), -1.0), np.full((20, 1), 1.0)])
        + np.linspace(-0.5, 0.5, 40)[:, None] % 0.3
    )
    y = np.repeat(["left", "right"], 20)
    certain = RejectingClassifier(model, 0.6, rejected="unknown").fit(X, y)
    middle = (certain.estimator_.intercept_ / -certain.estimator_.coef_[0])[0]
    assert certain.predict([[-1.0], [middle], [1.0]]).tolist() == ["left", "unknown", "right"]
    assert RejectingClassifier(model, 0.0, "unknown").fit(X, y).predict([[middle + 0.01]]).tolist() == [
        "right"
    ]
    np.testing.assert_allclose(certain.predict_proba(X).sum(axis=1), 1)


def test_rejected_windows_count_as_wrong_and_stand_in_no_column():
    w = windows_of()
    careful = evaluate(RejectingClassifier(make_classifier(), 0.999, rejected="none"), w, n_splits=2)
    n_rejected = np.count_nonzero(careful.predictions == "none")
    assert 0 < n_rejected < 120
    assert careful.confusion.sum() == 120 - n_rejected


@pytest.mark.parametrize("settings", [{"threshold": 1.5}, {"rejected": -1}, {"rejected": "a"}])
def test_bad_rejection_is_refused(settings):
    w = windows_of()
    with pytest.raises(InvalidArgumentError, match=r"threshold|rejected"):
        RejectingClassifier(make_classifier(), **({"rejected": "none"} | settings)).fit(w.X, w.y)


def test_majority_by_hand():
    vote = MajorityVote(3)
    #                    a  a  b: a  b  c: the last of three single votes, then two c
    assert vote.smooth(list("aabbcc")).tolist() == ["a", "a", "a", "b", "b", "c"]
    assert vote.smooth(list("abc")).tolist() == ["a", "b", "c"]
    assert MajorityVote(3, rejected="?").smooth(list("?a??b")).tolist() == ["?", "a", "a", "a", "b"]
    assert vote.delay_steps == 1


def test_hysteresis_by_hand():
    held = Hysteresis(2, rejected="?")
    assert held.smooth(list("?abaabbcb")).tolist() == list("?aaaaabbb")
    assert held.smooth(list("ab?b")).tolist() == list("aaab")
    assert held.delay_steps == 1


def test_trials_begin_afresh():
    labels, trials = list("aaabbb"), [1, 1, 1, 2, 2, 2]
    assert MajorityVote(5).smooth(labels, trials).tolist() == labels
    assert Hysteresis(3).smooth(labels, trials).tolist() == labels
    with pytest.raises(InvalidArgumentError, match="each of the 6"):
        MajorityVote(5).smooth(labels, [1])
    with pytest.raises(InvalidArgumentError, match="n_votes"):
        MajorityVote(0)


# ------------------------------------------------------------------ online


@pytest.fixture(scope="module")
def stream(small_scene):
    """The small scene decoded offline, and a classifier of its windows: before and after 3 s."""
    found = muemg.learn_filters(small_scene.recording, small_scene.spikes)
    spikes = muemg.decode(small_scene.recording, found).spikes
    labels = np.where(np.arange(spikes.n_samples) < 6000, "early", "late")
    w = count_windows(spikes, length=0.25, step=0.05, labels=labels)
    return small_scene.recording, found, spikes, make_classifier().fit(w.X, w.y)


@pytest.mark.parametrize("n_chunk", [37, 100, 12_000])
@pytest.mark.parametrize("smoother", [None, MajorityVote(5), Hysteresis(3)])
def test_the_stream_decides_as_the_whole_recording(stream, n_chunk, smoother):
    recording, filters, spikes, model = stream
    online = OnlineClassifier(muemg.OnlineDecoder(filters), model, length=0.25, step=0.05, smoother=smoother)
    decisions = []
    for start in range(0, recording.n_samples, n_chunk):
        decisions += online.process(recording.signal[:, start : start + n_chunk])
    decisions += online.finish()
    w = count_windows(spikes, length=0.25, step=0.05)
    expected = model.predict(w.X)
    if smoother is not None:
        expected = type(smoother)(5 if isinstance(smoother, MajorityVote) else 3).smooth(expected)
    assert [d.label for d in decisions] == expected.tolist()
    np.testing.assert_array_equal([d.time for d in decisions], w.times)
    assert all(0.5 <= d.confidence <= 1 for d in decisions)


def test_delays_add_up(stream):
    _, filters, _, model = stream
    decoder = muemg.OnlineDecoder(filters)
    online = OnlineClassifier(decoder, model, length=0.25, step=0.05, smoother=MajorityVote(5))
    assert online.delay == pytest.approx(decoder.delay + 0.125 + 2 * 0.05)


def test_a_model_of_other_units_is_refused(stream):
    _, filters, _, _ = stream
    w = windows_of()
    with pytest.raises(InvalidArgumentError, match="3 units, got 6 features"):
        OnlineClassifier(muemg.OnlineDecoder(filters), make_classifier().fit(w.X, w.y), length=0.2, step=0.1)


def test_a_recording_shorter_than_a_window_gives_no_decision(stream):
    _, filters, _, model = stream
    online = OnlineClassifier(muemg.OnlineDecoder(filters), model, length=0.25, step=0.05)
    assert online.process(np.zeros((8, 100), dtype=np.float32)) + online.finish() == []


# ------------------------------------------------------------------ commands


def pool_with(n_commands, seed=0, seconds=30.0, n_units=24, fs=1000.0):
    """Twelve units with one command each, the others with two in equal parts."""
    rng = np.random.default_rng(seed)
    n = int(seconds * fs)
    drawn = CommonInput.draw(n_commands, seconds, deviation=0.15, correlation=0.0, cutoff=1.0, rng=rng)
    commands = np.array([drawn.row(k, n, fs) for k in range(n_commands)])
    weights = np.eye(n_commands)[np.arange(n_units) % n_commands]
    if n_commands > 1:
        weights[12:] = 1 / n_commands
    pool = IntegrateAndFirePool(n_units, last_threshold=0.25)
    trains = [pool.train(0.4 * (1 + w @ commands), fs, unit=u, rng=rng) for u, w in enumerate(weights)]
    return SpikeTrains(tuple(trains), fs, n), commands, weights


@pytest.mark.parametrize("n_commands", [1, 2, 3])
def test_commands_are_recovered(n_commands):
    spikes, commands, weights = pool_with(n_commands)
    counts = count_frames(spikes, 50.0)
    found = CommandSeparation(n_surrogates=10).fit(counts)
    assert found.n_commands_ == n_commands
    courses = found.transform(counts)
    middle = ((np.arange(len(counts)) + 0.5) * 20).astype(int)
    agreement = np.corrcoef(courses.T, commands[:, middle])[:n_commands, n_commands:]
    order = agreement.argmax(axis=1)
    assert sorted(order) == list(range(n_commands))
    assert (agreement.max(axis=1) ** 2).min() > 0.8
    single = weights.max(axis=1) == 1
    np.testing.assert_array_equal(order[found.labels_[single]], weights[single].argmax(axis=1))
    np.testing.assert_array_equal(found.labels_[~single], -1)
    np.testing.assert_allclose(found.memberships_[:, np.argsort(order)], weights, atol=0.25)


def test_units_that_share_nothing_have_no_command():
    rng = np.random.default_rng(0)
    pool = IntegrateAndFirePool(12, last_threshold=0.25)
    trains = [pool.train(np.full(20_000, 0.4), 1000.0, unit=u, rng=rng) for u in range(12)]
    counts = count_frames(SpikeTrains(tuple(trains), 1000.0, 20_000), 50.0)
    # One in twenty such recordings seems to have a command, by design (2 of 30 seeds do).
    found = CommandSeparation(n_surrogates=100).fit(counts)
    assert found.n_commands_ == 0
    assert found.transform(counts).shape == (1000, 0)
    assert found.labels_.tolist() == [-1] * 12
    assert found.memberships_.shape == (12, 0)


def test_one_unit_has_no_command_to_separate():
    with pytest.raises(InvalidArgumentError, match="at least two units"):
        CommandSeparation().fit(np.ones((50, 1)))
