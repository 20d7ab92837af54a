import io
import os
from dataclasses import replace

import numpy as np
import pytest

from bouquetd.errors import Rejected, Stopped, Unavailable
from bouquetd.model import Chunk, Document, Piece, Place
from bouquetd.pipeline import Pipeline, metadata, record

DOCUMENT = Document("d" * 32, "folder/name.txt", "sha", 123, "text/plain", 1700000000.5)


class Stages:
    """Stages that note in which order they were called, over a document of so many one-word chunks."""

    def __init__(self, count, batch_size=3):
        self.count = count
        self.calls = []
        self.batch_size = batch_size
        self.pulled = 0

    def extract(self, _file, _document):
        for n in range(self.count):
            self.pulled += 1
            yield Piece(f"word{n}")

    def chunk(self, pieces):
        for n, piece in enumerate(pieces):
            yield Chunk(n, piece.text, n, n + 1, last=n == self.count - 1)

    def names_of(self, chunks, first):
        self.named_from = first
        return chunks

    def entities(self, texts):
        self.calls.append(("entities", list(texts)))
        return [[f"of:{text}"] for text in texts]

    def begin(self, texts):
        self.calls.append(("begin", list(texts)))
        return [f"tokens of {text}" for text in texts]

    def embed(self, texts, tokens):
        assert tokens == [f"tokens of {text}" for text in texts]
        self.calls.append(("embed", list(texts)))
        return np.ones((len(texts), 4), dtype=np.float32)

    def journal(self, parts):
        self.calls += [("journal", [r.text for r in records], whole) for _, records, whole in parts]

    def land(self):
        self.calls.append(("land",))

    def store(self, records):
        self.calls.append(("store", [r.text for r in records]))

    def wait(self):
        self.calls.append(("wait", self.pulled))

    def watch(self, batch):
        self.calls.append(("watch", [chunk.number for _, chunk in batch]))

    def pipeline(self):
        return Pipeline(
            extract=self.extract, chunk=self.chunk, names=self.names_of, entities=self.entities,
            begin=self.begin, embed=self.embed, journal=self.journal, land=self.land, store=self.store,
            gate=self, store_batch=100, watch=self.watch,
        )  # fmt: skip

    def names(self, *which):
        return [call for call in self.calls if call[0] in which]


def ingested(stages, document=DOCUMENT):
    """A document brought into the store; the number of its chunks."""
    pipeline = stages.pipeline()
    count, _ = pipeline.ingest(document, io.BytesIO())
    pipeline.flush()
    return count


def test_each_batch_is_journalled_before_the_store_sees_it_and_the_last_is_called_whole():
    stages = Stages(7)
    assert ingested(stages) == 7
    words = [["word0", "word1", "word2"], ["word3", "word4", "word5"], ["word6"]]
    assert stages.names("journal", "store") == [
        call for n, w in enumerate(words) for call in (("journal", w, n == 2), ("store", w))
    ]
    assert [c[0] for c in stages.calls[2:8]] == ["wait", "watch", "entities", "embed", "journal", "store"]


def test_chroma_takes_what_was_stored_before_while_the_next_texts_are_made_ready():
    stages = Stages(7)
    ingested(stages)
    assert [c[0] for c in stages.calls[:3]] == ["begin", "land", "wait"]
    assert stages.names("begin") == [("begin", [f"word{n}" for n in range(7)])]


def test_what_is_read_ahead_is_so_many_batches_and_no_more():
    stages = Stages(200)
    ingested(stages)
    pulled = [call[1] for call in stages.names("wait")]
    assert pulled == sorted([75] * 25 + [150] * 25 + [200] * 17)


def test_no_more_is_read_ahead_than_chroma_takes_in_one_call():
    stages = Stages(250, batch_size=10)
    ingested(stages)
    assert [len(texts) for _, texts in stages.names("begin")] == [100, 100, 50]


def test_what_is_read_ahead_is_so_much_text_and_no_more(monkeypatch):
    monkeypatch.setattr("bouquetd.pipeline.AHEAD_TEXT", 20)
    stages = Stages(8)
    ingested(stages)
    assert [call[1] for call in stages.names("begin")] == [
        ["word0", "word1", "word2", "word3"], ["word4", "word5", "word6", "word7"],
    ]  # fmt: skip


def test_documents_share_a_batch_and_each_is_journalled_with_its_own():
    stages = Stages(2)
    pipeline = stages.pipeline()
    for n in range(3):
        pipeline.ingest(replace(DOCUMENT, id=f"{n}"), io.BytesIO())
    assert stages.names("embed") == []
    pipeline.flush()
    assert stages.names("embed", "journal") == [
        ("embed", ["word0", "word1", "word0"]),
        ("journal", ["word0", "word1"], True),
        ("journal", ["word0"], False),
        ("embed", ["word1", "word0", "word1"]),
        ("journal", ["word1"], True),
        ("journal", ["word0", "word1"], True),
    ]


def test_a_document_that_is_left_out_takes_nothing_of_the_others_with_it():
    stages = Stages(2)
    pipeline = stages.pipeline()
    for n in range(3):
        pipeline.ingest(replace(DOCUMENT, id=f"{n}"), io.BytesIO())
    pipeline.leave_out(lambda document: document.id == "1")
    pipeline.flush()
    assert stages.names("journal") == [
        ("journal", ["word0", "word1"], True), ("journal", ["word0"], False), ("journal", ["word1"], True),
    ]  # fmt: skip


def test_chunks_an_earlier_run_stored_are_neither_embedded_nor_stored_again():
    stages = Stages(7)
    assert ingested(stages, replace(DOCUMENT, stored=4)) == 7
    assert stages.named_from == 4
    assert stages.names("embed") == [("embed", ["word4", "word5", "word6"])]
    assert stages.names("journal") == [("journal", ["word4", "word5", "word6"], True)]


def test_a_document_that_was_wholly_stored_is_done_without_work():
    stages = Stages(4)
    assert ingested(stages, replace(DOCUMENT, stored=4)) == 4
    assert stages.calls == []


def test_a_document_without_a_chunk_is_rejected():
    with pytest.raises(Rejected, match="no text was found"):
        ingested(Stages(0))


def test_the_gate_is_asked_for_the_size_of_each_batch_anew():
    stages = Stages(10, batch_size=4)
    stages.wait = lambda: setattr(stages, "batch_size", max(1, stages.batch_size // 2))
    ingested(stages)
    assert [len(call[1]) for call in stages.names("embed")] == [2, *[1] * 8]


def test_a_stop_at_the_gate_leaves_what_was_journalled_and_begins_nothing_more():
    stages = Stages(9)
    waits = iter([None, None])

    def wait():
        if next(waits, "stop") == "stop":
            raise Stopped

    stages.wait = wait
    with pytest.raises(Stopped):
        ingested(stages)
    assert len(stages.names("journal")) == len(stages.names("store")) == len(stages.names("embed")) == 2


def test_what_the_journal_refused_stays_and_is_not_stored():
    stages = Stages(5)
    pipeline = stages.pipeline()
    pipeline.ingest(DOCUMENT, io.BytesIO())
    journal, pipeline.journal = (
        pipeline.journal,
        lambda _: (_ for _ in ()).throw(Unavailable("full", "free some")),
    )
    with pytest.raises(Unavailable):
        pipeline.flush()
    assert stages.names("store") == []
    pipeline.journal = journal
    pipeline.flush()
    assert [text for call in stages.names("store") for text in call[1]] == [f"word{n}" for n in range(5)]


def test_chunks_that_bring_their_entities_keep_them_and_only_the_others_are_asked_about():
    stages, stored = Stages(0), []
    stages.store = stored.extend
    chunks = [
        Chunk(0, "known", 0, 5, last=False, names=("person:B",), entities=("person:A",)),
        Chunk(1, "new", 5, 8, last=True, names=("person:B",)),
    ]
    pipeline = stages.pipeline()
    pipeline.take(DOCUMENT, chunks)
    pipeline.flush()
    assert stages.names("entities") == [("entities", ["new"])]
    assert [record.metadata["entities"] for record in stored] == [["person:A"], ["of:new", "person:B"]]


def test_stages_that_disagree_about_the_number_of_chunks_fail_before_the_journal_sees_any():
    stages = Stages(3)
    stages.embed = lambda texts, _: np.ones((len(texts) - 1, 4), dtype=np.float32)
    with pytest.raises(ValueError, match="argument 3 is shorter"):
        ingested(stages)
    assert stages.names("journal") == []


def test_metadata_says_where_a_chunk_comes_from_and_has_no_nulls():
    chunk = Chunk(3, "text", 10, 14, last=False)
    assert metadata(DOCUMENT, chunk, []) == {
        "source": "folder/name.txt", "name": "name.txt", "digest": "sha",
        "media_type": "text/plain", "chunk": 3, "start": 10, "end": 14,
        "ingested_at": 1700000000.5,
    }  # fmt: skip


def test_page_row_entities_and_the_mark_of_the_last_chunk_are_there_where_they_apply():
    chunk = Chunk(3, "text", 10, 14, last=True, place=Place(7, 9))
    found = metadata(DOCUMENT, chunk, ["rfc:1"])
    assert (found["page"], found["row"], found["entities"], found["last"]) == (7, 9, ["rfc:1"], True)


def test_a_source_that_is_no_utf8_is_shown_with_escapes_and_kept_in_hex():
    source = os.fsdecode(b"caf\xe9\n/\xff.txt")
    found = metadata(replace(DOCUMENT, source=source), Chunk(0, "t", 0, 1, last=True), [])
    assert (found["source"], found["name"]) == (r"caf\xe9\n/\xff.txt", r"\xff.txt")
    assert bytes.fromhex(found["source_hex"]) == b"caf\xe9\n/\xff.txt"


def test_a_chunks_id_is_its_document_and_its_number():
    made = record(DOCUMENT, Chunk(12, "t", 0, 1, last=False), [], np.ones(4, dtype=np.float32))
    assert made.id == f"{DOCUMENT.id}:12"
