"""The few words that failed files are counted by."""

import pytest

from bouquetd.admission import Admission
from bouquetd.errors import Rejected
from bouquetd.extract.package import encrypted
from bouquetd.extract.reading import beyond
from bouquetd.memory.governor import Limits
from bouquetd.model import MB
from bouquetd.reasons import OTHER, REASONS, category
from tests.harness import Home


def of(error):
    return category(error.reason, error.remedy)


def test_errors_of_the_parts_that_raise_them_are_told_apart():
    assert of(encrypted("EPUB")) == "encrypted"
    assert of(beyond("it has 30,000 pages, of 20,000 that bounds.pages allows", "pages")) == "bound"
    with pytest.raises(Rejected) as caught:
        Admission(lambda _kind, size: 9 * size, lambda: Limits(50 * MB))("application/x", 40 * MB)
    assert of(caught.value) == "admission"
    assert category("something nobody thought of", "see the log") == OTHER


def test_files_that_fail_for_what_they_are_get_the_word_that_says_so(tmp_path):
    home = Home(tmp_path, {"inbox": {"max_file_size": "300KB"}, "bounds": {"nesting": 10}})
    home.put("large.txt", "x" * 400_000)
    home.put("empty.txt", "")
    home.put("broken.pdf", b"%PDF-1.7\nnothing of the kind\n%%EOF\n")
    home.put("binary.bin", bytes(range(256)) * 40)
    home.put("deep.json", "[" * 40 + "1" + "]" * 40)
    home.once()
    found = {source: category(entry.reason, entry.remedy) for source, entry in home.entries().items()}
    assert found == {
        "large.txt": "too_large",
        "empty.txt": "no_text",
        "broken.pdf": "unreadable",
        "binary.bin": "unsupported",
        "deep.json": "bound",
    }
    assert set(found.values()) <= set(REASONS)
