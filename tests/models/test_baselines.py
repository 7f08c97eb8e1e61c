"""Both count models against slow ones written from the formulas, published numbers, and the laws of probability."""

import ast
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seqaudio.errors import OptionError, VocabularyError
from seqaudio.models import baselines
from seqaudio.models.baselines import PPM, NGram

VOCABULARY = 7
EXACT = 1e-10  # both sides sum at most a few dozen doubles near 1

MAKERS = {
    "ngram-0": lambda: NGram(0, VOCABULARY),
    "ngram-witten-bell": lambda: NGram(3, VOCABULARY, "witten-bell"),
    "ngram-absolute": lambda: NGram(3, VOCABULARY, "absolute"),
    "ppm-0": lambda: PPM(0, vocabulary_size=VOCABULARY),
    "ppm": lambda: PPM(4, vocabulary_size=VOCABULARY),
    "ppm-blended": lambda: PPM(4, vocabulary_size=VOCABULARY, exclusion=False),
}
PPM_MAKERS = {name: make for name, make in MAKERS.items() if name.startswith("ppm")}


def random_pieces(seed, used, count=12):
    """Pieces of 0 to 40 tokens over the first ``used`` ids: skewed, so that contexts repeat and rare tokens exist."""
    rng = np.random.default_rng(seed)
    skew = rng.dirichlet(np.full(used, 0.5))
    pieces = [rng.choice(used, size=length, p=skew) for length in [0, 1, *rng.integers(2, 40, count - 3)]]
    return [*pieces, rng.permutation(used)]  # the last makes sure that each of the ids is seen


# Every token known (escape to nowhere), some unknown, and a single one.
CORPORA = {f"{used}-of-{VOCABULARY}": random_pieces(seed, used) for seed, used in enumerate([VOCABULARY, 5, 2, 1])}


@pytest.fixture(params=CORPORA.values(), ids=CORPORA.keys())
def pieces(request):
    return request.param


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def make(request):
    return request.param


@pytest.fixture(params=PPM_MAKERS.values(), ids=PPM_MAKERS.keys())
def make_ppm(request):
    return request.param


# ---- slow models, from the formulas ----------------------------------------------------------------------------------


def followers_of_contexts(pieces, order):
    found = {}
    for piece in pieces:
        piece = [int(token) for token in piece]
        for i, token in enumerate(piece):
            for k in range(min(i, order) + 1):
                found.setdefault(tuple(piece[i - k : i]), Counter())[token] += 1
    return found


def suffixes_longest_first(context, order):
    context = tuple(int(token) for token in context)
    return [context[len(context) - k :] for k in range(min(order, len(context)), -1, -1)]


def slow_ppm(pieces, order, context):
    found = followers_of_contexts(pieces, order)
    probability, mass, excluded = [0.0] * VOCABULARY, 1.0, set()
    for suffix in suffixes_longest_first(context, order):
        counts = found.get(suffix)
        if counts is None or mass == 0:
            continue
        fresh = {token: count for token, count in counts.items() if token not in excluded}
        excluded |= set(counts)
        escape = len(counts) if len(excluded) < VOCABULARY else 0
        for token, count in fresh.items():
            probability[token] = mass * count / (sum(fresh.values()) + escape)
        mass *= escape / (sum(fresh.values()) + escape)
    for token in set(range(VOCABULARY)) - excluded:
        probability[token] = mass / (VOCABULARY - len(excluded))
    return np.array(probability)


def slow_witten_bell(pieces, order, context):
    found = followers_of_contexts(pieces, order)
    probability = [1 / VOCABULARY] * VOCABULARY
    for suffix in reversed(suffixes_longest_first(context, order)):
        if suffix in found:
            counts, distinct, whole = found[suffix], len(found[suffix]), sum(found[suffix].values())
            probability = [(counts[t] + distinct * probability[t]) / (whole + distinct) for t in range(VOCABULARY)]
    return np.array(probability)


def slow_discounts(counts):
    n1, n2, n3, n4 = (sum(count == n for count in counts) for n in (1, 2, 3, 4))
    found = {1: 0.5, 2: 0.5, 3: 0.5}
    if n1:
        y = n1 / (n1 + 2 * n2)
        raw = {
            1: 1 - 2 * y * n2 / n1,
            2: 2 - 3 * y * n3 / n2 if n2 else 0,
            3: 3 - 4 * y * n4 / n3 if n3 else 0,
        }
        found.update({n: value for n, value in raw.items() if 0 < value < n})
    return found


def slow_absolute(pieces, order, context):
    found = followers_of_contexts(pieces, order)
    probability = [1 / VOCABULARY] * VOCABULARY
    for suffix in reversed(suffixes_longest_first(context, order)):
        if suffix in found:
            same_order = [n for key, counts in found.items() if len(key) == len(suffix) for n in counts.values()]
            discount = slow_discounts(same_order)
            counts, whole = found[suffix], sum(found[suffix].values())
            passed = sum(discount[min(n, 3)] for n in counts.values()) / whole
            kept = {token: (n - discount[min(n, 3)]) / whole for token, n in counts.items()}
            probability = [kept.get(t, 0.0) + passed * probability[t] for t in range(VOCABULARY)]
    return np.array(probability)


SLOW = {
    "ngram-0": (slow_witten_bell, 0),
    "ngram-witten-bell": (slow_witten_bell, 3),
    "ngram-absolute": (slow_absolute, 3),
    "ppm-0": (slow_ppm, 0),
    "ppm": (slow_ppm, 4),
    "ppm-blended": (slow_witten_bell, 4),
}

# One piece of habits, one of tokens some corpora never saw, one shorter than any order.
UNSEEN_PIECES = [np.array([0, 1, 0, 1, 0, 1, 2, 0, 1, 0]), np.array([6, 5, 6, 5, 0, 4, 3, 6]), np.array([2])]


@pytest.mark.parametrize("name", MAKERS)
def test_distributions_equal_the_formulas(name, pieces):
    slow, order = SLOW[name]
    model = MAKERS[name]().fit(pieces)
    for piece in [*UNSEEN_PIECES, pieces[-1]]:
        for i in range(len(piece) + 1):
            expected = slow(pieces, order, piece[:i])
            np.testing.assert_allclose(np.exp(model.log_probabilities(piece[:i])), expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("name", PPM_MAKERS)
def test_adapting_equals_a_model_fitted_on_the_past_as_one_more_piece(name, pieces):
    slow, order = SLOW[name]
    model = PPM_MAKERS[name]().fit(pieces)
    for piece in [*UNSEEN_PIECES, pieces[-1]]:
        expected = [-np.log(slow([*pieces, piece[:i]], order, piece[:i])[token]) for i, token in enumerate(piece)]
        np.testing.assert_allclose(model.nats(piece, adapt=True), expected, rtol=0, atol=EXACT)


def test_ppm_matches_the_published_abracadabra():
    """Cleary and Teahan, "Unbounded length contexts for PPM", 1997, order 2: c, d and t after "abracadabra"."""
    text = np.frombuffer(b"abracadabra", np.uint8)
    model = PPM(2, vocabulary_size=256).fit([text])
    after = np.exp(model.log_probabilities(text))
    assert after[ord("c")] == pytest.approx(1 / 2)
    assert after[ord("d")] == pytest.approx(1 / 2 * 1 / 6)
    assert after[ord("t")] == pytest.approx(1 / 2 * 3 / 6 * 5 / 12 * 1 / (256 - 5))


# ---- laws ------------------------------------------------------------------------------------------------------------


def test_distributions_are_normalised_and_nowhere_zero(make, pieces):
    model = make().fit(pieces)
    rng = np.random.default_rng(1)
    for length in range(9):
        log_p = model.log_probabilities(rng.integers(0, VOCABULARY, length))
        assert log_p.shape == (VOCABULARY,)
        assert np.isfinite(log_p).all()
        assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-9)


def test_adapted_distributions_are_normalised(make_ppm, pieces):
    model = make_ppm().fit(pieces)
    past = UNSEEN_PIECES[0]
    for i in range(len(past) + 1):
        nats = [model.nats([*past[:i], token], adapt=True)[-1] for token in range(VOCABULARY)]
        assert np.exp(np.negative(nats)).sum() == pytest.approx(1, abs=1e-9)


def test_nats_are_the_log_probabilities_of_each_prefix(make, pieces):
    model = make().fit(pieces)
    for piece in [*UNSEEN_PIECES, pieces[-1]]:
        nats = model.nats(piece)
        assert nats.shape == (len(piece),)
        expected = [-model.log_probabilities(piece[:i])[token] for i, token in enumerate(piece)]
        np.testing.assert_allclose(nats, expected, rtol=0, atol=EXACT)


def test_order_of_pieces_does_not_matter_and_fit_forgets(make, pieces):
    model = make().fit(pieces)
    again = make().fit(UNSEEN_PIECES).fit(piece for piece in reversed(pieces))
    for piece in UNSEEN_PIECES:
        np.testing.assert_array_equal(model.nats(piece), again.nats(piece))


def test_contexts_do_not_cross_pieces(make):
    """Here 1 never follows 0 inside a piece, so the context 0 says nothing, wherever the border stands."""
    apart = make().fit([[0], [1], [0], [1]])
    np.testing.assert_array_equal(apart.log_probabilities([0]), apart.log_probabilities([]))
    if make().order:
        together = make().fit([[0, 1], [0, 1]])
        assert together.log_probabilities([0])[1] > together.log_probabilities([])[1]


def test_adapting_leaves_the_fitted_model_as_it_was(make_ppm, pieces):
    model, untouched = make_ppm().fit(pieces), make_ppm().fit(pieces)
    first = model.nats(UNSEEN_PIECES[1], adapt=True)
    np.testing.assert_array_equal(model.nats(UNSEEN_PIECES[1], adapt=True), first)
    for piece in UNSEEN_PIECES:
        np.testing.assert_array_equal(model.nats(piece), untouched.nats(piece))
        np.testing.assert_array_equal(model.log_probabilities(piece), untouched.log_probabilities(piece))


def test_a_model_never_fitted_is_uniform(make):
    np.testing.assert_allclose(make().log_probabilities([1, 2]), -np.log(VOCABULARY))
    np.testing.assert_allclose(make().nats([1, 2, 1, 2]), np.log(VOCABULARY))
    assert make().nats([]).shape == (0,)


def test_large_vocabularies_and_orders_do_not_overflow():
    """At order 12 and 65536 ids a context packed into one integer would need 192 bits."""
    piece = np.random.default_rng(2).integers(0, 65536, 50)
    model = PPM(12, vocabulary_size=65536).fit([piece])
    # a context of 12 is known and had one follower: 1 / (1 + 1)
    np.testing.assert_allclose(model.nats(piece)[1:], np.log(2))


# ---- sources with known answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("exclusion", [True, False])
def test_adapting_learns_a_period(exclusion):
    piece = np.tile([3, 1, 4, 1, 5, 9], 100)
    nats = PPM(vocabulary_size=100, exclusion=exclusion).nats(piece, adapt=True)
    assert nats[0] == pytest.approx(np.log(100))
    # in the last 10 of 100 periods a context has n >= 89 of one follower: method C costs log(1 + 1 / 89) = 0.0112
    assert 0 < nats[-60:].max() < 0.012


@pytest.mark.parametrize("smoothing", ["witten-bell", "absolute"])
@pytest.mark.parametrize("order", [1, 2])
def test_ngram_reaches_the_entropy_of_an_order_1_source(order, smoothing):
    transition, stationary = random_order_1_source(states=6)
    entropy = -(stationary[:, None] * transition * np.log(transition)).sum()
    tokens = walk(transition, 120_000)
    nats = NGram(order, 6, smoothing).fit([tokens[:80_000]]).nats(tokens[80_000:])
    # standard error of 40,000 tokens at about 1 nat each: half a percent
    assert nats.mean() == pytest.approx(entropy, rel=0.02)
    assert NGram(0, 6).fit([tokens[:80_000]]).nats(tokens[80_000:]).mean() > 1.05 * entropy


def random_order_1_source(states):
    transition = np.random.default_rng(3).dirichlet(np.full(states, 0.7), size=states)
    transition = 0.98 * transition + 0.02 / states
    return transition, np.linalg.matrix_power(transition, 1000)[0]


def walk(transition, length):
    cumulative = np.cumsum(transition, axis=1)
    uniform = np.random.default_rng(4).random(length)
    tokens = [0]
    for u in uniform[1:]:
        tokens.append(min(int(np.searchsorted(cumulative[tokens[-1]], u)), len(transition) - 1))
    return np.array(tokens)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [-1, VOCABULARY])
def test_ids_outside_the_vocabulary_are_refused(make, token):
    message = rf"^token id {token} at position 2 is outside 0\.\.6; [^\n]+$"
    for call in (lambda: make().fit([[0, 1], [0, 1, token]]), lambda: make().nats([0, 1, token])):
        with pytest.raises(VocabularyError, match=message):
            call()
    with pytest.raises(VocabularyError, match=message):
        make().log_probabilities([0, 1, token, 0, 0, 0, 0, 0])  # outside the last `order` tokens, and still refused


@pytest.mark.parametrize("piece", [[[0, 1]], [0.0, 1.0], [True], 3], ids=["matrix", "float", "bool", "scalar"])
def test_what_is_no_piece_is_refused(make, piece):
    with pytest.raises(VocabularyError, match="one-dimensional array of integers"):
        make().nats(piece)


def test_options_are_checked():
    with pytest.raises(OptionError, match="order is -1"):
        NGram(-1, 5)
    with pytest.raises(OptionError, match="vocabulary_size is 0"):
        PPM(vocabulary_size=0)
    with pytest.raises(OptionError, match="choose one of witten-bell, absolute"):
        NGram(2, 5, "laplace")


def test_imports_numpy_and_the_standard_library_alone():
    imported = set()
    for path in Path(baselines.__file__).parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        imported |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported = {name for name in imported if not name.startswith("seqaudio.models.baselines.")}
    allowed = {"__future__", "collections.abc", "dataclasses", "math", "typing"}
    own = {"seqaudio.compiled", "seqaudio.errors", "seqaudio.models.suffix_match", "seqaudio.music.frames"}
    assert imported - allowed == {"numpy", "numpy.typing", *own}
