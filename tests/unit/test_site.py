"""What a real daemon serves, and what it does not even load where nothing is to be served."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.harness import Daemon, Home
from tests.web import ask, free_port

AT_EXIT = """
import atexit, json, sys
def _tell(): open({path!r}, "w").write(json.dumps(sorted(sys.modules)))
atexit.register(_tell)
"""


def loaded_by(home: Home) -> set[str]:
    """The modules of a daemon at its end."""
    path = home.root / "modules.json"
    with Daemon(home, patch=AT_EXIT.format(path=str(path))) as daemon:
        daemon.ready()
        assert daemon.stop() == 0
    return set(json.loads(path.read_text()))


def test_where_metrics_and_page_are_off_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    found = loaded_by(Home(tmp_path))
    assert "bouquetd.daemon" in found
    assert not {name for name in found if name.startswith(("bouquetd.web", "prometheus_client", "http.server"))}


@pytest.mark.long
def test_a_page_alone_loads_no_client_of_prometheus(tmp_path: Path) -> None:
    found = loaded_by(Home(tmp_path, {"page": {"listen": f"127.0.0.1:{free_port()}"}}))
    assert "bouquetd.web.page" in found
    assert not {name for name in found if name.startswith("prometheus_client")}


@pytest.mark.xdist_group("site")
def test_a_daemon_counts_lists_retries_and_finds(tmp_path: Path) -> None:
    port = free_port()
    address = {"listen": f"localhost:{port}"}
    home = Home(tmp_path, {"metrics": address, "page": address})
    with home.daemon() as daemon:
        home.put("herons.txt", "At dusk the herons return to the reeds and sleep standing on one leg. " * 20)
        home.put("<b>[1]*.txt", "")
        home.put("<b>1 other.txt", " ")  # which the first name would stand for, were it a glob
        daemon.reaches({"herons.txt": "filed", "<b>[1]*.txt": "failed", "<b>1 other.txt": "failed"})
        daemon.until(lambda: 'outcome="failed"} 2' in ask(port, "/metrics").text, "they are counted")
        scrape = ask(port, "/metrics").text
        assert 'bouquetd_failed_files_total{reason="no_text"} 2.0' in scrape
        assert 'bouquetd_stage_duration_seconds_count{stage="store"}' in scrape
        assert ask(port, "/healthz").text in ("working\n", "idle\n")
        assert home.cli("status", "--probe").status == 0

        shown = ask(port, "/").text
        assert "&lt;b&gt;[1]*.txt" in shown
        form = {"form": re.search('name="form" value="([^"]+)"', shown)[1], "source": "<b>[1]*.txt"}  # type: ignore[index]
        assert "is back in the inbox" in ask(port, "/retry", form).text
        assert (home.failed / "<b>1 other.txt").exists()
        daemon.until(lambda: 'outcome="failed"} 3' in ask(port, "/metrics").text, "it is tried again")

        found = ask(port, "/?q=where+do+herons+sleep").text
        assert "<mark>herons</mark>" in found
        assert str(home.archive / "herons.txt") in found

        assert home.cli("pause", "--reason", "new disk").status == 0
        daemon.until(lambda: ask(port, "/healthz").status == 503, "the pause is told")
        assert ask(port, "/readyz").text.startswith("paused: it takes no files until ")
        assert home.cli("status", "--probe").status == 1
        assert "bouquetd resume" in ask(port, "/").text
        assert daemon.stop() == 0
    assert home.cli("status", "--probe").status == 1
