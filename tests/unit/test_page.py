"""The page: what it shows, to whom, and from where it may be told to do something."""

from __future__ import annotations

import json
import os
import re
import time
from html.parser import HTMLParser

import pytest

from bouquetd.config import Listen
from bouquetd.memory.history import History
from bouquetd.memory.recorder import Sample
from bouquetd.web.guard import Guard
from bouquetd.web.page import FAILURES, QUESTION, STATIC
from bouquetd.web.server import Request, Response
from tests.harness import Recorder
from tests.web import ask, free_port, serving

TOKEN = "a-token-that-nobody-guesses"
WILD = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>.pdf"


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def served(tmp_path, port):
    with serving(tmp_path, page={"listen": f"127.0.0.1:{port}"}) as served:
        yield served


@pytest.fixture
def guarded(tmp_path, port):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    sections = {"page": {"listen": f"127.0.0.1:{port}", "token_file": "token"}}
    with serving(tmp_path, metrics={"listen": f"127.0.0.1:{port}"}, **sections) as served:
        served.token = tmp_path / "token"
        yield served


class Seen(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def page(port, path="/"):
    answer = ask(port, path)
    assert answer.status == 200
    return Seen(answer.text)


def secret(port):
    return next(i["value"] for i in page(port).all("input") if i.get("name") == "form")


# -- what it shows ----------------------------------------------------------------------------------------


def test_it_shows_state_memory_queue_and_what_to_do(served, port):
    served.seen |= {
        "state": "holding", "why": "the disk is full", "remedy": "run `df -h`, and make room",
        "current": {"source": "a/b.pdf", "size": 3 * 1024 * 1024, "share": 0.417, "chunks": 120},
    }  # fmt: skip
    found = page(port)
    for text in (
        "holding", "the disk is full.", "To do: run df -h, and make room", "154 MB of 500 MB", "3 files, 4 KB",
        "the first for 75 s", "once, 7.5 s in all", "a/b.pdf", "120 chunks",
        "12 documents, 5 duplicates", "bouquetd 1.2.3",
    ):  # fmt: skip
        assert text in found.text
    assert found.all("progress")[0]["value"] == "42"


def test_it_lists_the_newest_failures_with_reason_remedy_and_a_button_for_each(served, port):
    for number in range(FAILURES + 5):
        served.answers.fail(f"{number}.pdf")
    found = page(port)
    assert "It is damaged. Get it again." in found.text
    assert len([b for b in found.all("button") if "aria-label" in b]) == FAILURES
    assert "And 5 more" in found.text


def test_what_comes_from_outside_is_escaped_wherever_it_stands(served, port):
    served.answers.fail(WILD, WILD, WILD)
    served.answers.passages = [
        {"source": WILD, "text": f"{WILD} river", "headings": [WILD], "page": 3, "row": None, "path": WILD,
         "member": WILD}
    ]  # fmt: skip
    served.seen |= {
        "why": WILD, "remedy": WILD, "state": "holding",
        "current": {"source": WILD, "size": 1, "share": 0.0, "chunks": 0},
    }  # fmt: skip
    answer = ask(port, "/?q=" + "%3Cscript%3Eriver")
    found = Seen(answer.text)
    assert [tag["src"] for tag in found.all("script")] == ["page.js"]
    assert [tag["src"] for tag in found.all("img")] == ["curve.svg"]
    assert not any("onerror" in attributes for _, attributes in found.tags)
    assert WILD in found.text
    assert next(i["value"] for i in found.all("input") if i.get("name") == "source") == WILD
    assert next(i["value"] for i in found.all("input") if i.get("name") == "q") == "<script>river"
    parts = Seen("".join(json.loads(ask(port, "/live.json").text).values()))
    assert not parts.all("script")
    assert not parts.all("img")


def test_no_script_style_or_asset_is_inline_or_from_elsewhere(served, port):
    found = page(port, "/?q=river")
    assert not found.all("style")
    assert not any(name == "style" or name.startswith("on") for _, tag in found.tags for name in tag)
    links = [tag.get("src") or tag.get("href") or tag.get("srcset") for _, tag in found.tags]
    assert all(
        link.partition("?")[0] in (".", "#main", *os.listdir(STATIC), "curve.svg") for link in links if link
    )
    for name in os.listdir(STATIC):
        text = (STATIC / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text.replace("httponly", "")
        if name != "page.html":
            assert ask(port, f"/{name}").text == (STATIC / name).read_text()


def test_each_control_and_place_has_a_name_for_who_does_not_see_it(served, port):
    served.answers.fail("a.pdf")
    found = page(port, "/?q=river")
    assert found.all("html")[0]["lang"] == "en"
    labelled = {label["for"] for label in found.all("label")}
    for field in found.all("input"):
        assert field.get("type") == "hidden" or field["id"] in labelled
    ids = {attributes["id"] for _, attributes in found.tags if "id" in attributes}
    assert all(section["aria-labelledby"] in ids for section in found.all("section"))
    assert all(image["alt"] for image in found.all("img"))
    assert "Retry a.pdf" in [b.get("aria-label") for b in found.all("button")]


def test_the_parts_that_change_are_those_of_the_page(served, port):
    served.answers.fail("a.pdf")
    whole, parts = ask(port, "/").text, json.loads(ask(port, "/live.json").text)
    assert parts.pop("title") == "idle | bouquetd"
    for id_, part in parts.items():
        assert re.search(rf'id="{id_}"[^>]*>{re.escape(part)}<', whole)


def test_the_curve_is_a_picture_with_the_marks_and_the_figure_of_now(served, port):
    wide, narrow = ask(port, "/curve.svg"), ask(port, "/curve.svg?narrow=1")
    for answer in (wide, narrow):
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.text.startswith("<svg ")
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert ">limit</text>" in answer.text
    assert wide.text != narrow.text


def test_the_curve_goes_back_as_far_as_the_history_and_five_minutes_at_least(served, port):
    assert len(re.findall(r">\d\d:\d\d</text>", ask(port, "/curve.svg").text)) >= 1
    now = time.time()
    written = History(served.history, served.log, lambda: now)
    for ago in range(1800, 0, -10):
        written.write(Sample(now - ago, 10, 90 << 20, 99 << 20, "embed", "a.pdf", "run"))
    written.close()
    drawn = ask(port, "/curve.svg").text
    assert "a.pdf (embed)" in drawn
    assert drawn.count(",") > 180


def test_the_ledger_is_asked_once_for_all_who_look(served, port):
    for _ in range(10):
        page(port)
    assert len([op for op, _ in served.answers.asked if op == "overview"]) <= 3


def test_it_says_that_the_daemon_is_just_starting(served, port):
    served.seen = None
    answer = ask(port, "/")
    assert answer.status == 503
    assert "starting" in answer.text


# -- search -----------------------------------------------------------------------------------------------


def test_a_search_shows_passages_with_their_place_words_and_path(served, port):
    served.answers.passages = [
        {"source": "birds.pdf", "text": "The heron\n\nsleeps in the reeds.", "headings": ["Habits", "Rest"],
         "page": 12, "row": None, "path": "/srv/archive/birds.zip", "member": "birds.pdf"}
    ]  # fmt: skip
    found = ask(port, "/?q=where+do+herons+sleep").text
    assert "<mark>heron</mark> <mark>sleeps</mark> in the reeds." in found
    text = Seen(found).text
    for shown in ("birds.pdf, page 12", "Habits > Rest", "/srv/archive/birds.zip (in it: birds.pdf)"):
        assert shown in text
    op, given = next(asked for asked in served.answers.asked if asked[0] == "search")
    assert (op, given["question"]) == ("search", "where do herons sleep")


def test_a_search_in_vain_says_how_much_was_searched(served, port):
    assert "Nothing found. Searched: 12 documents, 480 chunks." in page(port, "/?q=nowhere").text


def test_a_question_that_is_too_long_is_not_asked(served, port):
    assert "Ask in at most" in page(port, f"/?q={'a' * (QUESTION + 1)}").text
    assert not any(op == "search" for op, _ in served.answers.asked)


# -- retry ------------------------------------------------------------------------------------------------


def test_a_retry_from_the_page_itself_puts_exactly_that_file_back(served, port):
    served.answers.fail("reports/*[1].pdf")
    form = {"form": secret(port), "source": "reports/*[1].pdf"}
    answer = ask(port, "/retry", form, Origin=f"http://127.0.0.1:{port}")
    assert answer.status == 200
    assert "is back in the inbox" in answer.text
    assert served.answers.asked[-2] == ("retry", {"patterns": ["reports/[*][[]1].pdf"]})


@pytest.mark.parametrize(
    ("headers", "right", "status"),
    [
        ({}, True, 200),
        ({}, False, 403),
        ({"Origin": "http://evil.example"}, True, 403),
        ({"Origin": "null"}, True, 403),
        ({"Origin": "http://localhost:1"}, True, 403),
        ({"Host": "evil.example"}, True, 421),
    ],
)
def test_a_form_from_elsewhere_is_refused(served, port, headers, right, status):
    served.answers.fail("a.pdf")
    form = {"form": secret(port) if right else "guessed", "source": "a.pdf"}
    answer = ask(port, "/retry", form, **headers)
    assert answer.status == status
    assert (("retry", {"patterns": ["a.pdf"]}) in served.answers.asked) == (status == 200)


def test_a_retry_by_a_link_does_nothing(served, port):
    served.answers.fail("a.pdf")
    answer = ask(port, f"/retry?form={secret(port)}&source=a.pdf")
    assert (answer.status, answer.headers["Location"]) == (303, ".")
    assert not any(op == "retry" for op, _ in served.answers.asked)


# -- who may see it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1].evil", "192.168.0.1:80"])
def test_a_name_that_is_not_this_machines_is_refused(served, port, host):
    for path in ("/", "/live.json", "/curve.svg", "/page.js"):
        assert ask(port, path, Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:9", "[::1]:9"])
def test_this_machine_may_be_called_by_any_of_its_names_and_ports(served, port, host):
    assert ask(port, "/", Host=host).status == 200


@pytest.mark.parametrize(("listen", "host"), [("127.0.0.2:80", "127.0.0.2:80"), ("[::1]:80", "[::1]")])
def test_this_machine_may_be_called_by_the_address_that_the_page_has(listen, host):
    answer = Guard(Listen.of(listen), None, Recorder()).lets(lambda _: Response(b""))
    assert answer(Request("GET", "/", {}, {"host": host})).status == 200


def test_behind_a_unix_socket_the_proxy_says_who_is_who(tmp_path):
    with serving(tmp_path, page={"listen": "unix:page.sock"}) as served:
        served.answers.fail("a.pdf")
        where = tmp_path / "page.sock"
        shown = ask(where, "/", Host="docs.example.org")
        assert shown.status == 200
        form = {"form": re.search('name="form" value="([^"]+)"', shown.text)[1], "source": "a.pdf"}
        told = ask(where, "/retry", form, Host="docs.example.org", Origin="https://docs.example.org")
        assert told.status == 200
        assert ask(where, "/healthz").text == "idle\n"


def test_with_a_token_nothing_but_health_is_told_to_strangers(guarded, port):
    for path in ("/", "/live.json", "/curve.svg", "/page.css", "/metrics", "/?token=wrong", "/?q=river"):
        answer = ask(port, path)
        assert answer.status == 401
        assert "page.token_file" in answer.text
    assert ask(port, "/healthz").status == 200
    assert not guarded.answers.asked


def test_the_token_is_taken_as_a_bearer(guarded, port):
    assert ask(port, "/", Authorization=f"Bearer {TOKEN}").status == 200
    assert "bouquetd_state" in ask(port, "/metrics", Authorization=f"bearer {TOKEN}").text
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", "Bearer é"):
        assert ask(port, "/", Authorization=wrong.encode("utf-8").decode("latin-1")).status == 401


def test_the_token_in_the_address_is_exchanged_for_a_cookie_that_does_not_tell_it(guarded, port):
    entrance = ask(port, f"/?token={TOKEN}")
    cookie = entrance.headers["Set-Cookie"]
    assert TOKEN not in cookie + entrance.text
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert 'content="0;url=."' in entrance.text
    worn = cookie.partition(";")[0]
    assert ask(port, "/", Cookie=worn).status == 200
    assert ask(port, "/", Cookie=f"other=1; {worn}").status == 200
    assert ask(port, "/", Cookie=worn[:-1]).status == 401
    guarded.token.write_text("another-token-than-before")
    assert ask(port, "/", Cookie=worn).status == 401


def test_a_token_that_is_missing_or_short_opens_nothing_and_the_log_alone_says_what_to_do(guarded, port):
    guarded.token.write_text("short")
    for _ in range(3):
        answer = ask(port, "/", Authorization="Bearer short")
        assert (answer.status, "token" in answer.text, str(guarded.token) in answer.text) == (503, False, False)
    assert guarded.log.text.count("openssl rand -hex 24") == 1
    guarded.token.unlink()
    assert ask(port, "/", Authorization="Bearer ").status == 503
    assert f"cannot be read from {guarded.token}" in guarded.log.text
    guarded.token.write_text(TOKEN)
    assert ask(port, "/", Authorization=f"Bearer {TOKEN}").status == 200
    guarded.token.write_text("short")
    ask(port, "/")
    assert guarded.log.text.count("openssl rand -hex 24") == 2


def test_what_cannot_be_served_is_told_and_the_rest_is(tmp_path, port):
    (tmp_path / "m.sock").write_text("in the way")
    sections = {"page": {"listen": f"127.0.0.1:{port}", "token_file": "nowhere"}}
    with serving(tmp_path, metrics={"listen": "unix:m.sock"}, **sections) as served:
        assert "error: Going on without the page or the metrics. Cannot listen on unix:" in served.log.text
        assert "page.token_file names a file" in served.log.text
        assert ask(port, "/healthz").status == 200
