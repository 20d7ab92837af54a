"""How a Chroma server is entered, through what stands before it, and what is said when that fails."""

import socket

import chromadb
import pytest
from chromadb.api.fastapi import FastAPI
from chromadb.api.shared_system_client import SharedSystemClient

from bouquetd.errors import Unavailable
from bouquetd.model import Filter
from bouquetd.store.chroma import PAGE
from bouquetd.store.server import Access, Server
from tests.chroma_server import ChromaServer
from tests.contract.test_store import BATCH, SHARD, House, server, vector  # noqa: F401
from tests.harness import Home, prose
from tests.proxy import Proxy, Silent, certificate

OWN = "of-this-test"


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def proxy(server):  # noqa: F811
    with Proxy(server.port) as proxy:
        yield proxy


def through(proxy, tmp_path, batch_size=PAGE, **access):
    """A store in the server behind a proxy; each test has collections of its own."""
    name = f"t{abs(hash(str(tmp_path))):x}"[:20]
    return House(
        tmp_path,
        lambda: Server(proxy.url, name, owner=name, access=Access(**access), batch_size=batch_size),
    )


def cleared(house):
    for name in house.chroma.names():
        house.chroma.delete(name)
    house.die()


def test_an_https_server_is_trusted_when_its_authority_is_named_and_only_then(server, pem, tmp_path):  # noqa: F811
    with Proxy(server.port, pem) as proxy:
        house = through(proxy, tmp_path, ca_file=pem)
        house.complete(house.put("a", SHARD + 3))
        house.store.rest()
        house.check()
        cleared(house)
        with pytest.raises(Unavailable, match="shows a certificate that nobody we know vouches for") as refused:
            Server(proxy.url, "a-b", owner=OWN).names()
        assert "store.ca_file" in refused.value.remedy


def test_a_server_behind_tls_is_made_to_write_what_it_has_in_memory_too(server, pem, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("bouquetd.store.server.SYNC_THRESHOLD", BATCH)
    with Proxy(server.port, pem) as proxy:
        house = through(proxy, tmp_path, ca_file=pem)
        house.put("a", BATCH)
        house.store.rest()
        assert len([request for request in proxy.asked if request.endswith("/update")]) == 1
        cleared(house)


def test_chroma_cloud_is_not_asked_to_write():
    cloud = Server("https://api.trychroma.com", "a-b", owner=OWN)
    cloud._written.add("bouquet-00001")
    cloud.persist()  # whoever asked it something would be told that it cannot be reached from here


@pytest.mark.parametrize("header", ["Authorization", pytest.param("X-Chroma-Token", marks=pytest.mark.long)])
def test_the_token_is_sent_as_configured_and_a_new_one_in_the_file_is_taken_without_a_restart(
    proxy, tmp_path, header
):
    file = tmp_path / "token"
    file.write_text("first\n")
    proxy.header, prefix = header, "Bearer " if header == "Authorization" else ""
    proxy.token = f"{prefix}first"
    house = through(proxy, tmp_path, token_file=file, token_header=header)
    house.put("a", BATCH)
    proxy.token = f"{prefix}second"
    with pytest.raises(Unavailable, match=r"did not accept the token \(401\)") as refused:
        house.put("b", BATCH)
    assert "store.token_file" in refused.value.remedy
    with pytest.raises(Unavailable, match="401"):
        house.store.retry()
    file.write_text("second\n")
    house.store.retry()
    assert house.told == []  # nothing was torn, so nothing was filled anew
    house.check()
    cleared(house)


def test_a_token_that_cannot_be_read_is_named_with_its_file(proxy, tmp_path):
    with pytest.raises(Unavailable, match=r"the token for Chroma in .*/nowhere cannot be read"):
        Server(proxy.url, "a-b", owner=OWN, access=Access(token_file=tmp_path / "nowhere")).names()


def test_requests_are_cut_until_they_fit_what_the_proxy_lets_through(proxy, tmp_path, monkeypatch):
    monkeypatch.setattr("bouquetd.store.server.SYNC_THRESHOLD", 20)
    house = through(proxy, tmp_path)
    house.put("small", 1)
    house.store.flush()
    proxy.largest = 2_000
    house.complete(house.put("large", SHARD))
    assert house.told == []
    proxy.largest = None
    house.check()
    cleared(house)


@pytest.fixture
def strict(proxy, tmp_path, monkeypatch):
    """A store in a server that gives and takes a batch of records in one request, as Chroma Cloud does."""
    monkeypatch.setattr("bouquetd.store.server.SYNC_THRESHOLD", 2 * BATCH)
    house = through(proxy, tmp_path, batch_size=BATCH)
    proxy.quota = BATCH
    yield house
    cleared(house)


def test_no_request_gives_a_server_more_records_than_a_batch(strict):
    strict.see_in("a", 2 * BATCH - 1)
    strict.store.rest()
    strict.check()


def test_a_full_shard_is_compared_with_the_journal_a_batch_at_a_time(strict):
    strict.put("a", SHARD)
    assert strict.ledger.shards()[0].sealed
    assert strict.told == []


def test_what_was_stored_half_is_asked_for_a_batch_at_a_time(strict):
    _, records = strict.journal("a", 2 * BATCH)
    strict.chroma.create("bouquet-00001")
    strict.chroma.add("bouquet-00001", records[:BATCH])
    strict.chroma.add_missing("bouquet-00001", records)
    assert strict.chroma.ids("bouquet-00001") == {record.id for record in records}


def test_no_question_asks_a_server_for_more_records_than_a_batch(strict):
    strict.put("a", SHARD + 3)
    only = Filter(texts=("says 3",))
    assert {hit.text for hit in strict.store.search(vector("a says 3"), BATCH, only=only)} == {
        f"a says {number}" for number in (3, 30, 31, 32)
    }
    assert strict.store.count(Filter(texts=("says",))) == SHARD + 3


def test_a_chunk_too_large_for_any_request_says_what_to_raise(proxy, tmp_path):
    house = through(proxy, tmp_path)
    house.put("small", 1)
    house.store.flush()
    proxy.largest = 10
    with pytest.raises(Unavailable, match="found a single chunk too large") as refused:
        house.see_in("large", BATCH)
    assert "raise the limit" in refused.value.remedy
    proxy.largest = None
    house.store.retry()
    house.check()
    cleared(house)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (502, "failed: 502"),
        pytest.param(403, "did not let us in", marks=pytest.mark.long),
        pytest.param(429, "wants fewer requests", marks=pytest.mark.long),
    ],
)
def test_what_a_proxy_answers_in_the_place_of_chroma_is_told_and_passes(proxy, tmp_path, status, said):
    house = through(proxy, tmp_path)
    house.put("a", BATCH)
    proxy.status = status
    with pytest.raises(Unavailable, match=said):
        house.put("b", BATCH)
    proxy.status = None
    house.store.retry()
    house.put("c", BATCH)
    house.check()
    cleared(house)


def test_tenant_and_database_are_worlds_of_their_own_and_one_that_is_not_there_is_named(server, tmp_path):  # noqa: F811
    admin = chromadb.AdminClient(
        chromadb.config.Settings(
            chroma_api_impl="chromadb.api.fastapi.FastAPI", chroma_server_host="127.0.0.1",
            chroma_server_http_port=server.port, anonymized_telemetry=False,
        )
    )  # fmt: skip
    admin.create_tenant("acme")
    admin.create_database("papers", "acme")
    house = House(
        tmp_path, lambda: Server(server.url, "own", owner=OWN, access=Access(tenant="acme", database="papers"))
    )
    house.complete(house.put("a", BATCH))
    house.check()
    assert Server(server.url, "own", owner=OWN).names() == set()
    cleared(house)
    with pytest.raises(Unavailable, match="knows no database letters of a tenant acme") as refused:
        Server(server.url, "own", owner=OWN, access=Access(tenant="acme", database="letters")).names()
    assert "store.database" in refused.value.remedy


def test_a_server_of_another_age_is_refused_with_its_version(proxy):
    proxy.version = "0.6.3"
    with pytest.raises(Unavailable, match=r"has version 0\.6\.3; bouquetd speaks to 1\.x"):
        Server(proxy.url, "a-b", owner=OWN).names()


def test_what_is_no_chroma_at_all_is_said(proxy):
    proxy.status = 404
    with pytest.raises(Unavailable, match=r"does not answer as one of version 1\.x does"):
        Server(proxy.url, "a-b", owner=OWN).names()


def test_a_server_that_never_answers_is_given_up_after_the_time_out():
    with Silent() as silent:
        with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s") as given_up:
            Server(silent.url, "a-b", owner=OWN, access=Access(timeout=0.2)).names()
        assert "store.timeout" in given_up.value.remedy


def test_a_server_that_falls_silent_as_soon_as_it_let_us_in_is_given_up_after_the_time_out(proxy, monkeypatch):
    knock = Server._knock

    def falls_silent(self, headers):
        knock(self, headers)
        proxy.asked.clear()
        proxy.delay = 0.6

    monkeypatch.setattr(Server, "_knock", falls_silent)
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        Server(proxy.url, "a-b", owner=OWN, access=Access(timeout=0.2)).names()
    assert len(proxy.asked) == 1


def test_a_port_where_nobody_listens_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match=r"cannot be reached: .*refused"):
        Server(f"http://127.0.0.1:{port}", "a-b", owner=OWN).names()


def test_a_client_that_was_closed_leaves_nothing_behind(server):  # noqa: F811
    one, other = (Server(server.url, "a-b", owner=OWN) for _ in range(2))
    other.names()
    before = set(SharedSystemClient._identifier_to_system)
    for _ in range(3):
        one.names()
        one.close()
    assert set(SharedSystemClient._identifier_to_system) == before
    assert other.names() == set()
    other.close()


def test_a_client_that_somebody_opens_while_we_connect_is_not_closed_with_ours(server, monkeypatch):  # noqa: F811
    theirs, identity = [], FastAPI.get_user_identity

    def meanwhile(api):
        monkeypatch.setattr(FastAPI, "get_user_identity", identity)
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        theirs.append(chromadb.HttpClient("127.0.0.1", server.port, settings=settings))
        return identity(api)

    monkeypatch.setattr(FastAPI, "get_user_identity", meanwhile)
    ours = Server(server.url, "a-b", owner=OWN)
    ours.names()
    ours.close()
    [client] = theirs
    assert client._identifier in SharedSystemClient._identifier_to_system
    client.close()


def test_a_connection_that_fails_half_way_leaves_nothing_behind(server, monkeypatch):  # noqa: F811
    def fail(_):
        raise OSError("broken off")

    monkeypatch.setattr(FastAPI, "get_max_batch_size", fail)
    before = set(SharedSystemClient._identifier_to_system)
    chroma = Server(server.url, "a-b", owner=OWN)
    for _ in range(2):
        with pytest.raises(Unavailable, match="broken off"):
            chroma.names()
    chroma.close()
    assert set(SharedSystemClient._identifier_to_system) == before


def test_more_collections_than_one_answer_lists_are_all_known(proxy, tmp_path):
    house = through(proxy, tmp_path, batch_size=2)
    for n in range(1, 6):
        house.chroma.create(f"bouquet-{n:05d}")
    assert house.chroma.names() == {f"bouquet-{n:05d}" for n in range(1, 6)}
    cleared(house)


def test_a_search_with_a_condition_takes_two_requests_a_shard_and_enters_the_server_once(proxy, tmp_path):
    house = through(proxy, tmp_path)
    for source in "abc":
        house.complete(house.put(source, SHARD))
    house.store.rest()
    proxy.asked.clear()
    only = Filter(texts=("says 3",))
    assert house.store.search(vector("b says 3"), 1, only=only)[0].text == "b says 3"
    assert house.store.count(only) == 3
    of_shards = [request for request in proxy.asked if "/collections/" in request]
    assert len(of_shards) == 2 * 3 * 2
    assert len([request for request in proxy.asked if request.endswith("/version")]) == 1
    cleared(house)


def test_a_state_folder_that_was_moved_still_owns_what_it_made_in_the_server(server, tmp_path):  # noqa: F811
    options = {"store": {"mode": "server", "url": server.url, "collection": "moved"}}
    home = Home(tmp_path / "here", options)
    home.put("a.txt", prose(2_000, 1))
    assert home.once().status == 0
    home.root.rename(tmp_path / "there")
    moved = Home(tmp_path / "there", options)
    moved.put("b.txt", prose(2_000, 2))
    outcome = moved.once()
    assert outcome.status == 0, outcome.err
    assert moved.states() == {"a.txt": "filed", "b.txt": "filed"}


@pytest.mark.long
def test_the_server_as_shipped_keeps_eight_indexes_and_finds_what_lies_in_twelve(tmp_path):
    with ChromaServer(tmp_path) as server:  # noqa: F811
        house = House(tmp_path, lambda: Server(server.url, "many", owner="this test"), shard=4, batch=2)
        for n in range(12):
            house.complete(house.put(f"document {n}", 4))
        for _ in range(2):
            for n in range(12):
                text = f"document {n} says 2"
                [first] = house.chroma.query(f"bouquet-{n + 1:05d}", vector(text), 1)
                assert first.text == text
        assert len(server.indexes()) == 8
        house.check()
        house.die()
