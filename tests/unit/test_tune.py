"""What is proposed for a machine, how it is written into a YAML that people wrote, and the command itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bouquetd.cli import tune
from bouquetd.config import Settings, load
from bouquetd.config.edit import edited, rewrite
from bouquetd.config.fresh import defaults
from bouquetd.config.settings import Embed, Memory, Store
from bouquetd.errors import ConfigError
from bouquetd.model import MB
from bouquetd.ops import fit, systemd
from bouquetd.ops.fit import LAST, ROOM, Unit
from bouquetd.ops.tune import measure
from bouquetd.ops.tune.facts import Facts, Limits, Proposal
from bouquetd.ops.tune.policy import SERVER, allowed, needed, propose
from bouquetd.ops.tune.sample import chunks
from tests.harness import Home

PAGE = 300 * MB
PACKAGED = Unit("bouquetd.service", 850 * MB, 1000 * MB)


def facts(gigabytes: float = 8, cores: int = 2, **more: Any) -> Facts:
    """A machine with a good disk on which every thread adds nine tenths of the first."""
    usual = {
        "flush_state": 0.001, "flush_store": 0.001, "stored": 900.0, "rss": 200 * MB,
        "embedded": {n: 12.0 * (1 + 0.9 * (n - 1)) for n in (1, 2, 4, 8, 16) if n <= cores},
    }  # fmt: skip
    return Facts(ram=int(gigabytes * 1024) * MB, cores=cores, **{**usual, **more})


def values(proposal: Proposal) -> dict[str, str]:
    return {change.key: change.then for change in proposal.changes}


# -- the policy -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gigabytes", [1, 2, 8, 64])
@pytest.mark.parametrize("cores", [1, 2, 4, 8, 64])
@pytest.mark.parametrize("page", [0, PAGE])
@pytest.mark.parametrize("mode", ["embedded", "server"])
def test_what_is_proposed_fits_and_leaves_half_of_ram_to_others(
    gigabytes: int, cores: int, page: int, mode: Any
) -> None:
    machine, settings = facts(gigabytes, cores), Settings(store=Store(mode=mode))
    proposal = propose(machine, settings, PACKAGED, page)
    changed = values(proposal)
    limit = int(changed.get("memory.limit", "500MB").removesuffix("MB")) * MB
    beside = 0 if changed.get("ocr.mode") == "never" else page
    server = SERVER if mode == "server" else 0
    if not proposal.notes:
        assert limit * LAST + ROOM + max(beside, server) <= machine.ram / 2
        assert limit >= needed(machine, settings)
    unit = proposal.unit
    after = Unit("bouquetd.service", unit.high, unit.maximum) if unit else PACKAGED
    assert fit.advise(limit, machine.ram, after, beside) == []
    assert all(change.now != change.then and change.why for change in proposal.changes)


def test_the_packaged_service_fits_a_machine_of_2_gb_as_it_is() -> None:
    for store in (Store(), Store(mode="server")):
        proposal = propose(facts(2), Settings(store=store), PACKAGED, PAGE)
        assert proposal.empty
        assert not proposal.notes


def test_a_server_elsewhere_takes_nothing_of_this_machine() -> None:
    here, there = (
        Settings(store=Store(mode="server", url=url)) for url in ("http://127.0.0.1:1", "http://far:1")
    )
    assert allowed(facts(2), here, 0) == 550 * MB
    assert allowed(facts(2), there, 0) == 800 * MB


@pytest.mark.parametrize(
    ("gigabytes", "cores", "profile"),
    [(1, 1, "safety"), (2, 2, None), (8, 2, None), (8, 4, "speed"), (64, 64, "speed"), (64, 1, None)],
)
def test_the_profile_follows_ram_and_cores(gigabytes: int, cores: int, profile: str | None) -> None:
    assert values(propose(facts(gigabytes, cores), Settings(), None)).get("profile") == profile


def test_a_small_machine_gets_a_smaller_limit_and_does_without_text_recognition() -> None:
    proposal = propose(facts(1, rss=140 * MB), Settings(embed=Embed(provider="static")), PACKAGED, PAGE)
    assert values(proposal) == {"profile": "safety", "memory.limit": "370MB", "ocr.mode": "never"}


def test_a_machine_that_is_too_small_for_its_embedder_is_told_so() -> None:
    proposal = propose(facts(0.5, rss=400 * MB), Settings(), None)
    assert "small for embed.provider: minilm" in proposal.notes[0]


def test_a_limit_below_what_embedder_and_store_take_is_raised_and_an_ample_one_left() -> None:
    tight = Settings(memory=Memory(limit=250 * MB))
    machine = facts(8)
    assert values(propose(machine, tight, None)) == {"memory.limit": f"{needed(machine, tight) // MB}MB"}
    assert propose(machine, Settings(memory=Memory(limit=1000 * MB)), None).empty


def test_a_large_limit_on_a_small_machine_is_lowered_to_half_of_it() -> None:
    settings = Settings(memory=Memory(limit=1800 * MB))
    assert allowed(facts(2), settings, 0) == 800 * MB
    assert values(propose(facts(2), settings, None)) == {"memory.limit": "800MB"}


def test_threads_are_half_of_many_cores_and_only_if_that_is_faster() -> None:
    assert values(propose(facts(2, cores=16), Settings(), None)) == {"embed.threads": "8"}
    flat = {1: 12.0, 2: 12.5, 4: 12.6, 8: 12.7, 16: 12.7}
    assert propose(facts(2, cores=16, embedded=flat), Settings(), None).empty
    greedy = Settings(embed=Embed(threads=8))
    worse = facts(2, embedded={1: 12.0, 2: 20.0, 8: 9.0})
    assert values(propose(worse, greedy, None)) == {"embed.threads": "2"}
    static = Settings(embed=Embed(provider="static"))
    assert propose(facts(2, cores=16, embedded={2: 3000.0}), static, None).empty


def test_a_slow_disk_gets_larger_calls_where_it_is_what_one_waits_for() -> None:
    static, slow = Settings(embed=Embed(provider="static")), {"flush_store": 0.03, "embedded": {2: 3000.0}}
    assert values(propose(facts(2, **slow), static, None)) == {"store.batch_size": "2000"}
    assert propose(facts(2, flush_store=0.03), Settings(), None).empty  # the embedder is slower still
    served = Settings(embed=Embed(provider="static"), store=Store(mode="server"))
    assert propose(facts(2, **slow), served, None).empty


def test_the_estimate_is_one_stage_after_the_other() -> None:
    proposal = propose(facts(2, embedded={2: 100.0}, stored=100.0), Settings(), None)
    assert proposal.rate == pytest.approx(50)
    assert proposal.gigabyte == pytest.approx(1024 * MB / 700 / 50)


def test_a_unit_gets_limits_where_it_has_none_or_they_do_not_fit() -> None:
    for unit in (Unit("u", None, None), Unit("u", 300 * MB, 400 * MB)):
        limits = propose(facts(2), Settings(), unit, 0).unit
        assert limits is not None
        assert fit.advise(500 * MB, 2048 * MB, Unit("u", limits.high, limits.maximum)) == []


# -- the YAML ---------------------------------------------------------------------------------------------


def commented() -> str:
    return (defaults() / "bouquetd.yaml").read_text(encoding="utf-8")


def test_in_the_commented_file_nothing_but_the_values_changes(tmp_path: Path) -> None:
    path = tmp_path / "bouquetd.yaml"
    path.write_text(commented())
    os.chmod(path, 0o640)
    changes = {"memory.limit": "370MB", "profile": "safety", "embed.threads": "4", "store.batch_size": "1000"}
    backup = rewrite(path, changes)
    before, after = commented().splitlines(), path.read_text().splitlines()
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        (old, old.replace(was, now, 1))
        for old, was, now in (
            (line, *swap)
            for line in before
            for start, swap in {
                "profile: balanced": ("balanced", "safety"), "  threads: auto ": ("auto", "4"),
                "  batch_size: 250 ": ("250", "1000"), "  limit: 500MB ": ("500MB", "370MB"),
            }.items()
            if line.startswith(start)
        )
    ]  # fmt: skip
    assert backup.read_text() == commented()
    assert path.stat().st_mode & 0o777 == 0o640
    assert load(path).settings.memory.limit == 370 * MB
    assert sorted(os.listdir(tmp_path)) == ["bouquetd.yaml", "bouquetd.yaml.bak"]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("profile: speed\n", "profile: speed\nmemory:\n  limit: 370MB\n"),
        ("memory:\n    throttle: 75%  # mine\n", "memory:\n    limit: 370MB\n    throttle: 75%  # mine\n"),
        ("memory: {limit: 400MB}\n", "memory: {limit: 370MB}\n"),
        ("memory:\n  limit: '400MB'", "memory:\n  limit: 370MB"),
        ("memory:\r\n  limit: 1GB\r\n", "memory:\r\n  limit: 370MB\r\n"),
        ("# only words", "# only words\nmemory:\n  limit: 370MB\n"),
        ("", "memory:\n  limit: 370MB\n"),
        ("{memory: {limit: 1GB}}", "{memory: {limit: 370MB}}"),
        ("memory:\n  limit: 1GB # größer\n", "memory:\n  limit: 370MB # größer\n"),
    ],
)
def test_a_value_is_put_in_however_the_file_is_written(text: str, made: str, tmp_path: Path) -> None:
    assert edited(text, {"memory.limit": "370MB"}) == made
    path = tmp_path / "b.yaml"
    path.write_bytes(text.encode())
    rewrite(path, {"memory.limit": "370MB"})
    assert path.read_bytes() == made.encode()


def test_an_option_without_a_value_gets_one() -> None:
    assert edited("embed:\n  threads:  # all\n", {"embed.threads": "4"}) == "embed:\n  threads: 4  # all\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("memory: {throttle: 75%}\n", "not written line by line"),
        ("memory: &m {limit: 400MB}\n", ""),
        ("memory:\n  limit: |\n    400MB\n", "no single word"),
    ],
)
def test_what_cannot_be_changed_in_place_is_left_as_it_is(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(text)
    if not says:
        rewrite(path, {"memory.limit": "370MB"})
        assert path.read_text() == "memory: &m {limit: 370MB}\n"
        return
    with pytest.raises(ConfigError, match=says):
        rewrite(path, {"memory.limit": "370MB"})
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["b.yaml"]


def test_a_value_that_would_not_be_valid_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text("memory:\n  limit: 400MB\n")
    with pytest.raises(ConfigError, match="memory"):
        rewrite(path, {"memory.limit": "3MB"})
    assert path.read_text() == "memory:\n  limit: 400MB\n"
    assert os.listdir(tmp_path) == ["b.yaml"]


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("memory:\n  limit: 400MB\n")
    (tmp_path / "b.yaml").symlink_to("real.yaml")
    rewrite(tmp_path / "b.yaml", {"memory.limit": "370MB"})
    assert (tmp_path / "b.yaml").is_symlink()
    assert "370MB" in (tmp_path / "real.yaml").read_text()


def test_a_drop_in_lies_where_systemd_looks_and_can_be_pasted(tmp_path: Path) -> None:
    path = systemd.drop_in("bouquetd.service", "memory", user=False, home=tmp_path)
    assert path == Path("/etc/systemd/system/bouquetd.service.d/memory.conf")
    mine = systemd.drop_in("bouquetd.service", "memory", user=True, home=tmp_path)
    options = {"MemoryHigh": "850M", "MemoryMax": "10%"}
    assert os.system(systemd.pasteable(mine, options, sudo="")) == 0
    assert mine.read_text() == systemd.text(options) == "[Service]\nMemoryHigh=850M\nMemoryMax=10%\n"


# -- measuring --------------------------------------------------------------------------------------------


def test_the_sample_is_the_same_each_time_and_no_two_chunks_are_alike() -> None:
    made = chunks(2000, 800)
    assert made == chunks(2000, 800)
    assert {len(text) for text in made} == {800}
    assert len(set(made)) == 2000


def test_numbers_of_threads_are_no_more_than_cores_and_those_in_force_come_first() -> None:
    assert measure.threads(8, quick=False, now=2, runs=True) == [2, 1, 4, 8]
    assert measure.threads(1, quick=False, now=1, runs=True) == [1]
    assert measure.threads(8, quick=True, now=2, runs=True) == [2]


def test_a_flush_takes_time_and_leaves_nothing(tmp_path: Path) -> None:
    assert 0 < measure.flush(tmp_path / "not" / "there") < 5
    assert os.listdir(tmp_path) == []


def test_tune_measures_proposes_and_writes_only_when_told(tmp_path: Path) -> None:
    home = Home(tmp_path, {"memory": {"limit": "60MB"}})
    before = home.yaml.read_text()
    done = home.cli("tune", "--quick", "--apply", "--json")
    found = done.json
    assert done.status == 0
    assert found["facts"]["stored"] > 10
    assert found["facts"]["rss"] > 60 * MB
    [limit] = [change for change in found["proposal"]["changes"] if change["key"] == "memory.limit"]
    assert limit["now"] == "60MB"
    assert home.config.settings.memory.limit > 100 * MB
    assert home.yaml.with_name("bouquetd.yaml.bak").read_text() == before
    assert not [name for name in os.listdir(tmp_path) if name.startswith("bouquetd-tune")]


def test_limits_of_a_unit_are_written_as_a_drop_in_and_the_one_before_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config, unit = Home(tmp_path / "b").config, Unit("bouquetd.service", None, None, user=True)
    for high in (100, 200):
        proposal = Proposal((), Limits(high * MB, 300 * MB, "why"), (), 1.0, 1.0)
        [path] = tune._write(config, proposal, unit)
    assert Path(path) == tmp_path / ".config/systemd/user/bouquetd.service.d/memory.conf"
    assert Path(path).read_text() == "[Service]\nMemoryHigh=200M\nMemoryMax=300M\n"
    assert "MemoryHigh=100M" in Path(f"{path}.bak").read_text()
    assert tune._then(unit, proposal) == [
        "systemctl --user daemon-reload",
        "systemctl --user restart bouquetd.service",
    ]
