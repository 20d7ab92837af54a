import random
from itertools import pairwise

import pytest

from bouquetd.chunk import chunk
from bouquetd.model import Hit, Piece, Record
from bouquetd.ops.passages import LONGEST, Passage, merge, neighbours, passage, placed, single, widened
from tests.harness import prose

TEXT = "Über allen Gipfeln 🦉 ist Ruh. " + prose(6000, 3)


def hits(document, text=TEXT, overlap=100, **more):
    return [
        Hit(
            f"{document}:{c.number}",
            c.text,
            {
                "source": document,
                "media_type": "text/plain",
                "chunk": c.number,
                "start": c.start,
                "end": c.end,
                **more,
            },
            0.5 + c.number / 100,
            c.number + 1,
            None if c.number % 2 else 7,
        )
        for c in chunk([Piece(text)], overlap=overlap)
    ]


def shown(spans, question=frozenset()):
    return [passage(span, question) for span in spans]


def test_neighbouring_chunks_become_one_passage_with_what_they_share_in_it_once():
    own = hits("a")
    [found] = shown(merge([own[2], own[1]], 5))
    assert (found.start, found.end) == (own[1].metadata["start"], own[2].metadata["end"])
    assert found.text == TEXT[found.start : found.end]
    assert found.chunks == (1, 2)
    assert found.ids == ("a:1", "a:2")
    assert (found.id, found.chunk) == ("a:2", 2)


def test_a_passage_has_the_best_places_and_the_smallest_distance_of_its_chunks():
    own = hits("a")
    [found] = shown(merge([own[2], own[1]], 5))
    assert (found.by_meaning, found.by_words, found.distance) == (2, 7, own[1].distance)
    [alone] = shown(single([own[1]]))
    assert (alone.by_meaning, alone.by_words) == (2, None)


def test_chunks_of_other_documents_or_apart_stay_apart_in_their_order():
    a, b = hits("a"), hits("b")
    assert [p.id for p in shown(merge([a[3], b[2], a[0], a[5]], 9))] == ["a:3", "b:2", "a:0", "a:5"]


def test_messages_of_a_mailbox_are_not_merged():
    one, other = hits("box", title="Monday")[0], hits("box", title="Tuesday")[1]
    assert len(merge([one, other], 5)) == 2


def test_a_chunk_between_two_passages_makes_them_one():
    own = hits("a")
    [found] = merge([own[1], own[3], own[2]], 5)
    assert (found.first, found.last) == (1, 3)


def test_as_many_passages_come_as_were_asked_for_and_later_hits_are_not_looked_at():
    a, b, c = hits("a"), hits("b"), hits("c")
    found = merge([a[0], b[0], a[1], c[0], b[1]], 2)
    assert [(span.document, span.first, span.last) for span in found] == [("a", 0, 1), ("b", 0, 0)]


def test_no_passage_grows_beyond_its_bound_and_no_chunk_is_lost_or_doubled():
    own = hits("a")
    for seed in range(30):
        random.Random(seed).shuffle(own)
        found = merge(own, len(own))
        assert max(len(span.pieces) for span in found) <= LONGEST
        assert sorted(piece.id for span in found for piece in span.pieces) == sorted(hit.id for hit in own)
        for span in found:
            text = passage(span, frozenset()).text
            assert text == TEXT[span.pieces[0].metadata["start"] : span.pieces[-1].metadata["end"]]
            assert span.hits[0] == min(span.hits, key=own.index)


def test_white_space_between_chunks_is_kept_in_length():
    text = "one " * 150 + "\n\n\n" + "two " * 150
    own = hits("a", text, overlap=0)
    assert any(one.metadata["end"] < other.metadata["start"] for one, other in pairwise(own))
    [found] = shown(merge(own, 1))
    assert len(found.text) == found.end - found.start
    assert found.text.split() == text.split()


def test_a_passage_is_widened_by_the_chunks_around_it_as_far_as_there_are_such():
    own = hits("a")
    stored = {hit.id: Record(hit.id, hit.text, hit.metadata, None) for hit in own}
    [span] = single([own[1]])
    assert neighbours(span, 2) == ["a:0", "a:2", "a:3"]
    wide = widened(span, stored, 2)
    assert (wide.first, wide.last) == (0, 3)
    found = passage(wide, frozenset())
    assert found.text == TEXT[: found.end]
    assert (found.id, found.distance) == ("a:1", own[1].distance)
    del stored["a:2"]
    assert widened(span, stored, 2).last == 1


def test_a_passage_survives_json():
    import json
    from dataclasses import asdict

    found = placed(shown(merge(hits("a", entities=["person:Ada"], headings=["One"])[:2], 5))[0], "/x", None)
    assert found.entities == ("person:Ada",)
    assert Passage.from_plain(json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize("n", [1, 3])
def test_no_hits_make_no_passages(n):
    assert merge([], n) == []
