"""What every embedder promises, asked of each one there is."""

import shutil
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bouquetd.config import Embed
from bouquetd.embed.choice import chosen
from bouquetd.embed.folder import MINILM
from bouquetd.embed.static import StaticEmbedder
from bouquetd.model import MB

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


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """The default model under another layout, pooled by its first token: any other sentence-transformer."""
    path = tmp_path_factory.mktemp("model") / "other model"
    shutil.copytree(MINILM, path)
    (path / "onnx").mkdir()
    (path / "model.onnx").rename(path / "onnx" / "model.onnx")
    (path / "facts.json").unlink()
    (path / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    return Embed(provider="onnx", model=str(path))


@pytest.fixture(scope="module", params=["static", "minilm", "onnx"])
def settings(request):
    return request.getfixturevalue("exact") if request.param == "onnx" else Embed(provider=request.param)


@pytest.fixture(scope="module")
def embedder(settings):
    return chosen(settings)


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
    for order in (texts[::-1], texts * 2):
        for text, found in zip(order, embedder.embed(order), strict=True):
            assert np.array_equal(found, alone[texts.index(text)])


def test_two_instances_agree_to_the_last_bit(embedder, settings):
    other = chosen(settings)
    assert other.name == embedder.name
    assert np.array_equal(embedder.embed(TEXTS), other.embed(TEXTS))


def test_closed_it_gives_its_model_back_and_loads_it_again_when_next_asked(embedder):
    before = embedder.embed(TEXTS)
    embedder.close()
    embedder.close()
    assert np.array_equal(embedder.embed(TEXTS), before)


DROPPED = """
import gc, sys
from bouquetd.config import Embed
from bouquetd.embed.choice import chosen
from bouquetd.memory.probe import Probe
from bouquetd.memory.reclaim import trimmer
trim = trimmer() or (lambda: None)
with Probe() as probe:
    embedder = chosen(Embed(), trim)
    taken = []
    for _ in range(3):
        embedder.embed(["a long text about herons " * 90] * 8)
        taken.append(probe.rss())
        embedder.close()
        gc.collect()
        trim()
        taken.append(probe.rss())
print(*taken)
"""


def test_the_default_model_gives_back_what_its_runs_took_and_takes_no_more_the_next_time():
    done = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, check=True)
    first, without, *_, again, last = map(int, done.stdout.split())
    assert first - without > 40 * MB
    assert again < first + 15 * MB
    assert last < without + 25 * MB  # a stretch of the arena may stay, and is used again


def test_threads_that_ask_at_once_load_it_once(settings):
    loads, embedder = [], chosen(settings, lambda: loads.append(1))  # it trims after each load
    expected = embedder.embed(TEXTS)
    embedder.close()
    loads.clear()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: embedder.embed(TEXTS), range(8)))
    assert all(np.array_equal(vectors, expected) for vectors in found)
    assert len(loads) == 1


def test_a_model_that_is_dropped_right_after_it_was_loaded_still_serves_who_loaded_it(settings):
    embedder = chosen(settings, lambda: embedder.close())
    assert embedder.embed(TEXTS).shape == (len(TEXTS), embedder.dimensions)


def test_tokens_that_were_begun_before_give_the_same_vectors(embedder):
    begun = embedder.begin(TEXTS)
    assert np.array_equal(embedder.embed(TEXTS[2:4], begun[2:4]), embedder.embed(TEXTS[2:4]))


def test_all_of_a_long_text_counts(embedder):
    long = "The heron sleeps standing in the reeds. " * 60
    one, other = embedder.embed(
        [long + "Tax law for small companies. " * 30, long + "Seeds for finches. " * 30]
    )
    assert 0.2 < one @ other < 0.999


def test_its_name_begins_with_its_provider_by_which_a_collection_brings_it_back(embedder, settings):
    provider, _, model = embedder.name.partition("/")
    assert provider == settings.provider
    assert model
    assert " " not in model
    assert chosen(Embed(provider=provider, **embedder.options)).name == embedder.name


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
