import pytest

from bouquetd.admission import Admission
from bouquetd.errors import Rejected
from bouquetd.extract import memory
from bouquetd.memory.governor import Limits
from bouquetd.model import MB

LIMITS = Limits(500 * MB)


def admission(limits=LIMITS):
    return Admission(
        lambda kind, size: 6 * size if kind == "message/rfc822" else 0, lambda: limits, taken=190 * MB
    )


def test_what_streams_is_admitted_whatever_its_size():
    admission()("text/plain", 10**12)


def test_what_is_read_whole_is_admitted_while_it_fits_beside_what_is_taken():
    admission()("message/rfc822", 35 * MB)


def test_what_does_not_fit_is_refused_with_the_numbers_and_the_limit_that_would_do():
    with pytest.raises(Rejected) as refused:
        admission()("message/rfc822", 49 * MB)
    assert refused.value.reason == (
        "too large to be read whole, as files of the type message/rfc822 are: its 49.0 MB take some 294 MB of"
        " memory, and of memory.limit (500 MB) 210 MB are left for that"
    )
    assert "set memory.limit to 610 MB" in refused.value.remedy
    admission(Limits(610 * MB))("message/rfc822", 49 * MB)


def test_where_the_limit_is_taken_already_nothing_is_read_whole():
    with pytest.raises(Rejected, match="0 MB are left"):
        admission(Limits(200 * MB))("message/rfc822", 1)


def test_a_plugin_says_what_it_takes_and_all_others_stream():
    class Whole:
        media_type = "x/whole"

        def memory(self, size):
            return 3 * size

    class Stream:
        media_type = "x/stream"

    plugins = [Stream(), Whole()]
    assert [memory(kind, 7, plugins) for kind in ("x/whole", "x/stream", "text/plain")] == [21, 0, 0]
