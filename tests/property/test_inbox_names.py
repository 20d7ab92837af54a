"""Whatever a file is called, it is found, queued, archived and put back under that very name."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bouquetd.inbox.archive import fail_away, put_back
from bouquetd.inbox.beneath import names, shortened
from bouquetd.inbox.queue import Queue
from bouquetd.inbox.scan import Ignore, scan

components = (
    st.binary(min_size=1, max_size=255)
    .map(lambda b: b.replace(b"/", b"_").replace(b"\0", b"_"))
    .filter(lambda b: b not in (b".", b".."))
    .map(os.fsdecode)
)


@settings(deadline=None, max_examples=150)
@given(st.lists(components, min_size=1, max_size=3).map("/".join))
def test_any_name_survives_the_whole_way(source):
    with tempfile.TemporaryDirectory() as root:
        inbox, failed = Path(root, "inbox"), Path(root, "failed")
        path = os.path.join(inbox, source)
        os.makedirs(os.path.dirname(path))
        Path(path).write_text("content")
        (found,) = scan(inbox, Ignore([]))
        assert found.source == source
        queue = Queue(0.0)
        queue.see(found.source, found.fingerprint, 0.0)
        sighting = queue.due(0.0)
        queue.close()
        relative = fail_away(
            inbox, sighting.source, sighting.fingerprint, failed, reason="is bad", remedy="Mend it.", when="now"
        )
        assert relative == source
        put_back(failed, relative, inbox)
        assert Path(path).read_text() == "content"
        assert os.listdir(failed) == []


@given(components, st.integers(40, 255))
def test_shortened_names_fit_and_differ(name, limit):
    first, second = [n for n, _ in zip(names(name, limit), range(2), strict=False)]
    assert first != second
    assert all(0 < len(os.fsencode(n)) <= limit for n in (first, second))
    if len(os.fsencode(name)) <= limit:
        assert shortened(name, limit) == name
