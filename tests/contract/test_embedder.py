"""What every embedder promises, asked of each one there is."""

import unicodedata

import numpy as np
import pytest

from bouquetd.embed.static import StaticEmbedder

TEXTS = [
    "The heron sleeps standing in the reeds.",
    "heron",
    "Ein Reiher schläft stehend im Schilf. 鷺は葦の中で立ったまま眠る。",
    "\U0001f426 \U0001f1e9\U0001f1ea \u200d\u200b",
    "a" * 50_000,
    "line\nbreak\ttab\x00nul\x1b[0m",
    "\ufffd\ufeff\u202e reversed",
    "0.1 + 0.2 == 0.30000000000000004",
    unicodedata.normalize("NFD", "façade"),
]
EMPTY = ["", " ", "\n\t  \n"]


@pytest.fixture(scope="module", params=[StaticEmbedder], ids=lambda kind: kind.name)
def embedder(request):
    return request.param()


def test_every_vector_of_a_text_has_unit_length_and_the_promised_dimensions(embedder):
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_without_tokens_has_a_finite_vector_of_length_zero_or_one(embedder):
    lengths = np.linalg.norm(embedder.embed(EMPTY), axis=1)
    assert all(length == 0 or abs(length - 1) < 1e-5 for length in lengths)


def test_no_texts_give_no_vectors(embedder):
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_the_vector_of_a_text_does_not_depend_on_its_batch_to_the_last_bit(embedder):
    texts = TEXTS + EMPTY
    alone = [embedder.embed([text])[0] for text in texts]
    for order in (texts, texts[::-1], texts * 3):
        for text, found in zip(order, embedder.embed(order), strict=True):
            assert np.array_equal(found, alone[texts.index(text)])


def test_two_instances_agree_to_the_last_bit(embedder):
    other = type(embedder)()
    assert np.array_equal(embedder.embed(TEXTS), other.embed(TEXTS))


def test_closed_it_gives_its_model_back_and_loads_it_again_when_next_asked(embedder):
    before = embedder.embed(TEXTS)
    embedder.close()
    embedder.close()
    assert np.array_equal(embedder.embed(TEXTS), before)


def test_texts_of_like_meaning_lie_nearer_than_others(embedder):
    heron, bird, tax = embedder.embed(
        [
            "The heron is a bird of rivers and lakes.",
            "Birds that wade in water.",
            "Tax law for small companies.",
        ]
    )
    assert heron @ bird > heron @ tax


def test_its_name_and_dimensions_are_fixed_for_they_are_part_of_every_documents_identity():
    assert (StaticEmbedder.name, StaticEmbedder.dimensions) == ("static/wordllama-l2-supercat-256", 256)
