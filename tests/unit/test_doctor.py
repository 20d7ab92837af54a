"""The doctor's checks, each before a machine made for it: what is well, what wants a look, what is broken."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from bouquetd.cli import app, everything
from bouquetd.config import Config, Paths, Settings
from bouquetd.config.settings import Embed, Entities, Inbox, Ocr, Store
from bouquetd.control import NoDaemon
from bouquetd.errors import ConfigError, Unavailable
from bouquetd.inbox.scan import Ignore
from bouquetd.ledger import Corrupt, Ledger
from bouquetd.model import MB
from bouquetd.ops.doctor import CHECKS, Check, NoRights, Surroundings, examine, machine
from bouquetd.ops.doctor.surroundings import (
    NOT_THERE,
    Account,
    Memory,
    Packages,
    Room,
    Said,
    Seen,
    Service,
    Tree,
    run,
)
from bouquetd.recipe import Recipe

RECIPE = Recipe("minilm/all-MiniLM-L6-v2-0a1b2c3d", 384, "chunk/2/800/100")
SEEN = Seen(
    running=True, shards=3, dirty=1, chunks=12_000, failed=0, filled=True, recipe=RECIPE, generation=0
)  # fmt: skip
STATUS = {
    "state": "idle", "why": "", "remedy": "", "pid": 77, "at": 1_800_000_000.0, "since": 1_799_990_000.0,
    "rss_mb": 180.0, "limit_mb": 500.0, "queue": {"files": 0},
}  # fmt: skip
FACTS = {
    "LoadState": "loaded", "FragmentPath": "/usr/lib/systemd/system/bouquetd.service", "DropInPaths": "",
    "UnitFileState": "enabled", "ActiveState": "active", "SubState": "running", "NeedDaemonReload": "no",
    "WatchdogUSec": "1min", "User": "bouquetd", "Slice": "bouquetd.slice", "MemoryHigh": str(850 * MB),
    "MemoryMax": str(1000 * MB), "MemorySwapMax": "0", "NRestarts": "0", "Result": "success",
    "ExecMainStatus": "0", "ProtectSystem": "strict", "ProtectHome": "yes",
    "ReadWritePaths": "/var/spool/bouquetd -/run/bouquetd-inbox", "StateDirectory": "bouquetd",
    "RuntimeDirectory": "bouquetd", "IPAddressDeny": "::/0 0.0.0.0/0", "IPAddressAllow": "127.0.0.0/8 ::1/128",
}  # fmt: skip
UNIT = "[Service]\nExecStart=/usr/bin/bouquetd run\n"
FILES = {
    "/proc/sys/fs/inotify/max_user_watches": "65536\n",
    "/proc/sys/fs/inotify/max_user_instances": "128\n",
    "/proc/sys/fs/inotify/max_queued_events": "16384\n",
    FACTS["FragmentPath"]: UNIT,
    "/var/lib/dpkg/info/bouquetd.list": "/usr/bin/bouquetd\n",
}
PROGRAMS = {
    "tesseract": Said(0, "List of available languages (2):\neng\nosd\n"),
    "timedatectl": Said(0, "yes\n"),
    "journalctl": Said(0, ""),
    "systemctl": Said(0, f"MemoryMax={1500 * MB}\n"),
}


def settings(**sections: Any) -> Settings:
    places = Paths(
        inbox="/var/spool/bouquetd/inbox", archive="/var/spool/bouquetd/archive",
        failed="/var/spool/bouquetd/failed", state="/var/lib/bouquetd/state",
        store="/var/lib/bouquetd/store", runtime="/run/bouquetd",
    )  # fmt: skip
    return Settings(**{"paths": places, "ocr": Ocr(mode="never"), **sections})


def moved(**places: str) -> Settings:
    return settings(paths=Paths(**{**vars(settings().paths), **places}))


def around(given: Settings | None = None, **changes: Any) -> Surroundings:
    """A packaged service on a machine of 8 GB where everything is well, but for what is changed."""
    files = {**FILES, **changes.pop("files", {})}
    programs = {**PROGRAMS, **changes.pop("programs", {})}
    facts = changes.pop("facts", {})
    path = Path("/etc/bouquetd/bouquetd.yaml")
    made = Surroundings(
        config_file=path, named=False, config=Config(path, given or settings(), {}), uid=0,
        interpreter="/usr/lib/bouquetd/bin/python",
        account=Account("bouquetd", 990, 990), home=Path("/root"), now=1_800_000_001.0, systemd=True,
        service=Service("bouquetd.service", False, {**FACTS, **facts}),
        packages=Packages("3.11.7", ("chromadb<2,>=1.5.9", "spacy>=3.8; extra == 'spacy'"),
            {"chromadb": "1.5.9"}.get, "3.40.1", True),
        memory=Memory(8192 * MB, 4096 * MB, 8192 * MB, 0),
        run=lambda command: programs.get(command[0], Said(NOT_THERE, err="not there")),
        read=files.get, room=lambda _: Room(1, "ext4", 100_000 * MB, 50_000 * MB, 10**6, 10**6),
        may=lambda _path, _rights: True, walk=lambda _: Tree(40, 1000, (), whole=True),
        shipped=lambda _: UNIT, status=lambda _: STATUS, alive=lambda _: True, ledger=lambda _: SEEN,
        prove=lambda _: True, words=lambda *_: True, ends=lambda *_: (), asked=lambda _: RECIPE,
        reach=lambda _: None, connect=lambda *_: None, resolve=lambda _: ["192.0.2.7"],
    )  # fmt: skip
    return replace(made, **changes)


def look(group: str, name: str, at: Surroundings) -> list[Any]:
    """What one check finds."""
    [result] = examine(at, tuple(c for c in CHECKS if (c.group, c.name) == (group, name)))
    return list(result.findings or ())


def levels(group: str, name: str, at: Surroundings) -> list[str]:
    return [str(found.level) for found in look(group, name, at)]


def raising(error: Exception) -> Any:
    def reader(*_: object) -> Any:
        raise error

    return reader


EVIL = {
    ("Configuration", "valid", "fail"): {"config": None, "problems": ("x.yaml:3: memory.limit: too small",)},
    ("Daemon", "runs", "fail"): {"status": lambda _: None},
    ("Daemon", "works", "fail"): {"status": lambda _: {**STATUS, "state": "holding", "why": "disk full"}},
    ("Daemon", "works", "warn"): {"status": lambda _: {**STATUS, "state": "throttled", "why": "memory"}},
    ("Daemon", "failures", "warn"): {"ledger": lambda _: replace(SEEN, failed=4)},
    ("Service", "installed", "fail"): {"facts": {"LoadState": "not-found"}},
    ("Service", "installed", "warn"): {"facts": {"UnitFileState": "disabled"}},
    ("Service", "active", "fail"): {"facts": {"ActiveState": "failed", "SubState": "failed"}},
    ("Service", "active", "warn"): {"facts": {"NeedDaemonReload": "yes"}},
    ("Service", "shipped", "warn"): {"files": {FACTS["FragmentPath"]: "[Service]\nExecStart=/bin/true\n"}},
    ("Memory", "limit", "warn"): {"facts": {"MemoryMax": str(400 * MB)}},
    ("Memory", "slice", "warn"): {"programs": {"systemctl": Said(0, f"MemoryMax={500 * MB}\n")}},
    ("Memory", "available", "warn"): {"memory": Memory(8192 * MB, 100 * MB, 8192 * MB, 0)},
    ("Memory", "swap", "warn"): {
        "memory": Memory(8192 * MB, 4096 * MB, 8192 * MB, 2048 * MB),
        "facts": {"MemorySwapMax": "infinity"},
    },
    ("Inbox", "there", "fail"): {},
    ("Inbox", "watches", "fail"): {"walk": lambda _: Tree(60_000, 10, (), whole=True)},
    ("Inbox", "watches", "warn"): {"files": {"/proc/sys/fs/inotify/max_user_instances": "8\n"}},
    ("Inbox", "times", "warn"): {"walk": lambda _: Tree(1, 1, ("late.txt",), whole=True)},
    ("Disk", "free", "fail"): {"room": lambda _: Room(1, "ext4", 9000 * MB, 20 * MB, 10**6, 10**6)},
    ("Disk", "free", "warn"): {"room": lambda _: Room(1, "ext4", 50_000 * MB, 900 * MB, 10**6, 10**6)},
    ("Disk", "rights", "fail"): {},
    ("Store", "ledger", "fail"): {"ledger": raising(Corrupt("page 4"))},
    ("Store", "shards", "warn"): {"ledger": lambda _: replace(SEEN, running=False, dirty=1)},
    ("Store", "words", "warn"): {"words": lambda *_: False},
    ("Models", "sound", "fail"): {"asked": raising(ConfigError(["embed.provider: the model is missing"]))},
    ("Models", "matches", "fail"): {"asked": lambda _: replace(RECIPE, embedder="static/x")},
    ("Machine", "dependencies", "fail"): {
        "packages": Packages("3.11.7", ("chromadb<2,>=1.5.9",), {"chromadb": "2.1"}.get, "3.40.1", True)
    },
    ("Machine", "sqlite", "fail"): {"packages": Packages("3.11.7", (), {}.get, "3.40.1", False)},
    ("Machine", "clock", "fail"): {"now": 10_000.0},
    ("Machine", "clock", "warn"): {"programs": {"timedatectl": Said(0, "no\n")}},
}  # fmt: skip
"""By check and level, the one thing that is changed about a machine on which all is well."""


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings whose folders are there."""
    names = ("inbox", "archive", "failed", "state", "store")
    for name in names:
        (tmp_path / name).mkdir()
    return settings(
        paths=Paths(**{name: str(tmp_path / name) for name in names}, runtime=str(tmp_path / "run"))
    )


def test_one_that_hangs_is_said_to_fail_and_not_to_work_besides() -> None:
    seen = {**STATUS, "hung": "embed for 130 s", "state": "hung", "why": "embed for 130 s"}
    assert levels("Daemon", "runs", around(status=lambda _: seen)) == ["fail"]
    assert levels("Daemon", "works", around(status=lambda _: seen)) == []


def test_a_machine_on_which_all_is_well_gets_no_warning(home: Settings) -> None:
    well = around(home, facts={"ProtectSystem": "no", "ProtectHome": "no"})
    bad = [(r.check.name, f.told) for r in examine(well) for f in r.findings or () if f.level != "pass"]
    assert not bad
    assert sum(len(r.findings or ()) for r in examine(well)) > 20


@pytest.mark.parametrize(("group", "name", "level"), EVIL, ids=lambda word: word)
def test_a_check_sees_what_is_wrong_and_names_a_command(
    group: str, name: str, level: str, tmp_path: Path, home: Settings
) -> None:
    changes = dict(EVIL[group, name, level])
    given: Settings | None = home if name == "rights" else None
    if name == "rights":
        changes["may"] = lambda path, _: path.name != "archive"
    found = look(group, name, around(given, **changes))
    assert level in [str(f.level) for f in found]
    for each in found:
        assert each.told.endswith(".")
        if each.level != "pass" and name != "sqlite":
            assert each.remedy, each


def test_every_check_is_seen_to_pass_and_to_complain_but_for_those_with_tests_of_their_own() -> None:
    own = {
        "advice",
        "restarts",
        "noticed",
        "sandbox",
        "server",
        "entities",
        "servers",
        "network",
        "recognition",
    }
    assert {check.name for check in CHECKS} == {name for _, name, _ in EVIL} | own


# -- configuration ----------------------------------------------------------------------------------------


def test_with_a_broken_configuration_that_fails_and_whatever_can_be_is_still_checked() -> None:
    results = list(examine(around(config=None, problems=("x.yaml:3: memory.limit: wrong; mend it",))))
    found = {result.check.name: result.findings for result in results}
    assert [f.told for f in found["valid"] or ()] == ["x.yaml:3: memory.limit: wrong; mend it."]
    assert found["free"] is None
    assert found["runs"] is None
    for name in ("dependencies", "active", "restarts", "clock", "swap"):
        assert found[name], name


def test_folders_on_two_file_systems_are_advice(home: Settings) -> None:
    assert levels("Configuration", "advice", around(home)) == ["pass"]
    embed = Embed(provider="openai", url="http://gpu/v1", model="m", dimensions=3, key_file="/etc/hostname")
    keyed = home.but(embed=embed)
    [found] = look("Configuration", "advice", around(keyed))
    assert found.level == "warn"
    assert "unencrypted" in found.told


# -- the daemon -------------------------------------------------------------------------------------------


def test_a_daemon_that_is_silent_for_ten_seconds_hangs() -> None:
    [found] = look("Daemon", "runs", around(now=1_800_000_030.0))
    assert (found.level, found.remedy) == ("fail", "systemctl restart bouquetd.service")
    [found] = look("Daemon", "runs", around(now=1_800_000_030.0, service=None))
    assert found.remedy == "kill -9 77 && runuser -u bouquetd -- bouquetd run"


PAUSED = {"/var/lib/bouquetd/state/paused.json": '{"since": 1800000000, "reason": "new disk"}'}


def test_an_intake_paused_by_hand_is_told_with_the_way_back() -> None:
    by_status = {**STATUS, "state": "paused", "why": "by the operator since 14:05", "remedy": "bouquetd resume"}
    torn = dict.fromkeys(PAUSED, "torn")
    for at in (around(files=PAUSED), around(files=torn), around(status=lambda _: by_status)):
        [found] = look("Daemon", "works", at)
        assert (found.level, found.remedy) == ("warn", "bouquetd resume")
        assert "paused by the operator" in found.told
    assert "(new disk)" in look("Daemon", "works", around(files=PAUSED))[0].told


def test_a_daemon_that_says_itself_that_a_step_hangs_is_a_failure() -> None:
    assert levels("Daemon", "runs", around(status=lambda _: {**STATUS, "hung": "embed for 130 s"})) == ["fail"]


def test_what_holds_the_daemon_up_is_told_with_its_own_remedy() -> None:
    held = {**STATUS, "state": "holding", "why": "the disk is full", "remedy": "free some space"}
    [found] = look("Daemon", "works", around(status=lambda _: held))
    assert found.told == "It is holding: the disk is full. Free some space."


def test_a_daemon_older_than_what_is_installed_is_to_be_restarted() -> None:
    found = look("Daemon", "works", around(status=lambda _: {**STATUS, "version": "0.0.1"}))
    assert [f.level for f in found] == ["warn", "pass"]


def test_a_daemon_in_the_foreground_may_be_stopped() -> None:
    assert levels("Daemon", "runs", around(status=lambda _: None, service=None)) == ["warn"]


# -- the unit ---------------------------------------------------------------------------------------------


def test_without_systemd_the_unit_is_no_failure() -> None:
    assert levels("Service", "installed", around(systemd=False)) == ["warn"]
    assert levels("Service", "active", around(facts={"LoadState": ""})) == []
    assert levels("Service", "installed", around(service=None)) == ["pass"]


def test_a_drop_in_is_named_and_not_blamed() -> None:
    found = look("Service", "shipped", around(facts={"DropInPaths": "/etc/systemd/system/b.d/memory.conf"}))
    assert [f.level for f in found] == ["pass", "pass"]
    assert "memory.conf" in found[1].told


def test_a_changed_copy_that_hides_the_packaged_unit_is_reverted() -> None:
    copy = "/etc/systemd/system/bouquetd.service"
    facts, files = {"FragmentPath": copy}, {copy: "[Service]\nNice=19\n"}
    [found] = look("Service", "shipped", around(facts=facts, files=files | {
        "/usr/lib/systemd/system/bouquetd.service": UNIT}))  # fmt: skip
    assert (found.level, found.remedy) == ("warn", "systemctl revert bouquetd.service")


def test_a_users_unit_is_the_same_wherever_the_program_lies() -> None:
    ours = 'ExecStart="@BOUQUETD@" run\n'
    theirs = {FACTS["FragmentPath"]: 'ExecStart="/home/a b/.venv/bin/bouquetd" run\n'}
    mine = Service("bouquetd.service", True, FACTS)
    assert levels("Service", "shipped", around(files=theirs, service=mine, shipped=lambda _: ours)) == ["pass"]


def test_a_unit_without_a_watchdog_is_told() -> None:
    found = look("Service", "active", around(facts={"WatchdogUSec": "0"}))
    assert "WatchdogSec=1min" in found[-1].remedy


def journal(*messages: str) -> Said:
    entries = [
        {"MESSAGE": text, "__REALTIME_TIMESTAMP": str((1_799_990_000 + n) * 10**6)}
        for n, text in enumerate(messages)
    ]
    return Said(0, "\n".join(map(json.dumps, entries)) + "\nno json\n")


def test_each_death_is_told_once_with_what_says_most_about_it() -> None:
    said = journal(
        "bouquetd.service: A process of this unit has been killed by the OOM killer.",
        "bouquetd.service: Main process exited, code=killed, status=9/KILL",
        "bouquetd.service: Failed with result 'oom-kill'.",
        "bouquetd.service: Scheduled restart job, restart counter is at 1.",
        "Started bouquetd.service.",
        "bouquetd.service: Watchdog timeout (limit 1min)!",
        "bouquetd.service: Main process exited, code=dumped, status=6/ABRT",
        "Started bouquetd.service.",
        "bouquetd.service: Main process exited, code=exited, status=78/CONFIG",
    )
    found = look("Service", "restarts", around(programs={"journalctl": said}))
    assert [f.level for f in found] == ["warn"] * 3
    assert [re.sub(r"^.*?: ", "", f.told, count=1).split(":")[-1].strip() for f in found] == [
        "the kernel killed it for its memory.",
        "no progress for a minute.",
        "configuration or machine do not fit.",
    ]


def test_many_deaths_are_counted_and_a_stop_is_none() -> None:
    kill = ("bouquetd.service: Main process exited, code=killed, status=9/KILL", "Started bouquetd.service.")
    found = look("Service", "restarts", around(programs={"journalctl": journal(*kill * 9)}))
    assert len(found) == 4
    assert "9 times" in found[-1].told
    stopped = journal("Stopping bouquetd.service...", "Stopped bouquetd.service.")
    assert levels("Service", "restarts", around(programs={"journalctl": stopped})) == ["pass"]


def test_without_a_unit_the_daemons_own_record_tells_of_deaths() -> None:
    at = around(service=None)
    assert levels("Service", "restarts", at) == ["pass"]
    [found] = look("Service", "restarts", replace(at, ends=lambda *_: [(1_799_990_000.0, "signal KILL")]))
    assert (found.level, found.remedy) == ("warn", "bouquetd memory --since 7d")
    assert "the daemon died, signal KILL." in found.told
    assert levels("Service", "restarts", replace(at, ends=raising(NoRights("not yours")))) == []


def test_a_journal_that_may_not_be_read_says_as_whom_to_ask() -> None:
    hint = Said(0, "", "Hint: You are currently not seeing messages from other users and the system.")
    [found] = look("Service", "restarts", around(uid=1000, programs={"journalctl": hint}))
    assert (found.level, found.remedy) == ("warn", "sudo bouquetd doctor")


# -- inbox, disk, rights ----------------------------------------------------------------------------------


def test_an_inbox_that_was_never_made_is_no_failure() -> None:
    assert levels("Inbox", "there", around(status=lambda _: None)) == ["pass"]


@pytest.mark.parametrize(
    ("kind", "watch", "level", "says"),
    [
        ("ext4", "auto", "pass", "kernel tells"),
        ("nfs4", "auto", "pass", "looked at each 5 s"),
        ("9p", "native", "warn", "inbox.watch: auto"),
        ("xfs", "polling", "pass", "looked at each"),
    ],
)
def test_a_silent_file_system_wants_polling(kind: str, watch: Any, level: str, says: str) -> None:
    room = Room(1, kind, 10**12, 10**12, 0, 0)
    [found] = look("Inbox", "noticed", around(settings(inbox=Inbox(watch=watch)), room=lambda _: room))
    assert found.level == level
    assert says in found.told


def test_watches_that_the_daemon_found_in_use_are_a_failure_whatever_the_limit() -> None:
    found = look(
        "Inbox", "watches", around(status=lambda _: {**STATUS, "watches_full": "user.max_inotify_watches"})
    )
    assert found[0].level == "fail"
    assert "sysctl user.max_inotify_watches=524288" in found[0].remedy


def test_few_inodes_are_told_like_few_bytes_and_where_none_are_counted_nothing_is() -> None:
    few = Room(1, "ext4", 10**12, 10**12, 10**6, 900)
    none = Room(1, "btrfs", 10**12, 10**12, 0, 0)
    [found] = look("Disk", "free", around(room=lambda _: few))
    assert (found.level, "df -i" in found.remedy) == ("fail", True)
    assert levels("Disk", "free", around(room=lambda _: none)) == ["pass"]


def test_folders_on_file_systems_of_their_own_have_lines_of_their_own() -> None:
    spool, rest = Room(1, "ext4", 10**12, 10**12, 0, 0), Room(2, "xfs", 10**12, 10**12, 0, 0)
    at = around(room=lambda path: spool if "spool" in str(path) else rest)
    assert [f.told.split(" for ")[1] for f in look("Disk", "free", at)] == [
        "inbox, archive, failed.",
        "state, store.",
    ]


def test_a_folder_outside_of_what_the_unit_may_write_is_told_with_the_drop_in() -> None:
    [found] = look("Disk", "sandbox", around(moved(inbox="/srv/drop")))
    assert found.level == "fail"
    assert "ReadWritePaths=/srv/drop" in found.remedy
    assert levels("Disk", "sandbox", around()) == ["pass"]


STRICT = "[Service]\nProtectSystem=strict\nReadWritePaths=/var/spool/bouquetd\nStateDirectory=bouquetd\n"


def test_the_drop_in_for_one_folder_keeps_what_an_earlier_one_opened() -> None:
    at = around(
        moved(inbox="/srv/drop", archive="/srv/kept"),
        facts={"ReadWritePaths": "/var/spool/bouquetd /srv/drop"},
        shipped=lambda _: STRICT,
    )
    [found] = look("Disk", "sandbox", at)
    assert found.told.endswith("write /srv/kept.")
    assert "ReadWritePaths=/srv/drop /srv/kept\\n" in found.remedy


def test_of_an_instance_the_folders_of_its_own_are_not_in_the_drop_in() -> None:
    at = around(
        moved(
            inbox="/srv/drop", archive="/var/spool/bouquetd-a/archive", failed="/var/spool/bouquetd-a/failed"
        ),
        service=Service("bouquetd@a.service", False, {**FACTS, "ReadWritePaths": "/var/spool/bouquetd-a"}),
        shipped=lambda _: STRICT.replace("/var/spool/bouquetd", "-/var/spool/bouquetd-%i"),
    )
    [found] = look("Disk", "sandbox", at)
    assert "ReadWritePaths=/srv/drop\\n" in found.remedy


def test_a_folder_that_is_not_there_is_made_before_the_unit_is_to_write_it(tmp_path: Path) -> None:
    at = around(moved(inbox=str(tmp_path / "drop"), failed=str(tmp_path)), shipped=lambda _: STRICT)
    [found] = look("Disk", "sandbox", at)
    assert found.remedy.startswith(f"install -d -o bouquetd -g 990 -m 2770 {tmp_path}/drop && printf ")


def test_a_folder_with_a_space_is_one_word_to_systemd_and_known_by_the_drop_in() -> None:
    at = around(moved(inbox='/srv/100% "my" drop'), shipped=lambda _: STRICT)
    [found] = look("Disk", "sandbox", at)
    written = shlex.split(found.remedy[found.remedy.index("printf ") :])[1]
    line = run(["printf", written]).out
    assert line == '[Service]\nReadWritePaths="/srv/100%% \\"my\\" drop"\n'
    name = "/etc/systemd/system/bouquetd.service.d/paths.conf"
    assert levels("Disk", "sandbox", replace(at, read={name: line}.get, service=Service(
        "bouquetd.service", False, {**FACTS, "DropInPaths": name}))) == ["pass"]  # fmt: skip


def test_a_folder_in_a_home_is_hidden_by_the_packaged_unit() -> None:
    assert "ProtectHome=no" in look("Disk", "sandbox", around(moved(inbox="/home/eve/drop")))[0].remedy


def test_a_folder_on_the_way_that_may_not_be_entered_is_the_one_to_mend(home: Settings) -> None:
    way = home.paths.inbox.parent
    found = look("Disk", "rights", around(home, may=lambda path, _: way != path and way not in path.parents))
    assert {(f.level, f.remedy) for f in found} == {("fail", f"chmod o+x {way}")}


def test_to_a_stranger_a_daemon_is_not_said_to_be_absent(home: Settings) -> None:
    denied = raising(NoRights("/run/bouquetd is not yours to read"))
    open_ = {"ProtectSystem": "no", "ProtectHome": "no"}
    stranger = around(
        home, uid=1000, facts=open_, status=denied, ledger=denied, words=denied, may=lambda *_: None
    )
    found = [(r.check.name, f) for r in examine(stranger) for f in r.findings or () if f.level != "pass"]
    assert [(name, f.level) for name, f in found] == [("runs", "warn"), ("rights", "warn"), ("ledger", "warn")]


def test_a_configuration_that_may_not_be_read_says_as_whom_to_run_it() -> None:
    at = around(uid=1000, config=None, problems=("x: cannot be read",), read=raising(NoRights("not yours")))
    [found] = look("Configuration", "valid", at)
    assert (found.level, found.remedy) == ("warn", "sudo bouquetd doctor")


def test_who_may_not_read_the_ledger_is_told_once(tmp_path: Path) -> None:
    results = examine(around(uid=1000, ledger=raising(NoRights("not yours"))))
    assert [r.check.name for r in results for f in r.findings or () if "not yours" in f.told] == ["ledger"]


def test_what_may_not_be_looked_at_is_a_warning_that_says_as_whom_to_run_it(home: Settings) -> None:
    [found] = look("Disk", "rights", around(home, uid=1000, may=lambda *_: None))
    assert (found.level, found.remedy) == ("warn", "sudo bouquetd doctor")
    [found] = look("Store", "ledger", around(uid=1000, ledger=raising(NoRights("not yours"))))
    assert (found.level, found.remedy) == ("warn", "sudo bouquetd doctor")


# -- store and models -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("Chroma at x did not accept the token (401)", "sudoedit /etc/bouquetd/bouquetd.yaml"),
        ("Chroma at x cannot be reached: refused", "sudo systemctl restart bouquetd-chroma.service"),
    ],
)
def test_a_server_that_refuses_is_told_apart_from_one_that_is_away(reason: str, remedy: str) -> None:
    server = settings(store=Store(mode="server"))
    [found] = look("Store", "server", around(server, uid=1000, reach=raising(Unavailable(reason, "mend it"))))
    assert (found.level, found.remedy) == ("fail", remedy)
    assert levels("Store", "server", around(server)) == ["pass"]
    assert levels("Store", "server", around()) == []


def test_servers_of_models_that_do_not_answer_are_failures() -> None:
    remote = settings(
        embed=Embed(provider="openai", url="http://127.0.0.1:1/v1", model="m", dimensions=8),
        entities=Entities(provider="openai", url="https://127.0.0.1:1/v1", model="m"),
    )
    away = around(remote, connect=raising(ConnectionRefusedError(111, "Connection refused")))
    assert levels("Models", "servers", away) == ["fail", "fail"]
    assert levels("Models", "servers", around(remote)) == ["pass", "pass"]


def test_a_server_elsewhere_that_the_unit_shuts_out_is_told_with_the_drop_in() -> None:
    far = settings(store=Store(mode="server", url="https://chroma.example.org"))
    [found] = look("Models", "network", around(far))
    assert (found.level, "IPAddressAllow=192.0.2.7" in found.remedy) == ("warn", True)
    let = around(far, facts={"IPAddressAllow": "127.0.0.0/8 192.0.2.0/24"})
    assert levels("Models", "network", let) == ["pass"]
    assert levels("Models", "network", around(settings(store=Store(mode="server")))) == []


def test_the_drop_in_for_one_server_keeps_those_that_an_earlier_one_let_in() -> None:
    two = settings(
        embed=Embed(provider="openai", url="http://gpu/v1", model="m", dimensions=8),
        entities=Entities(provider="openai", url="http://llm/v1", model="m"),
    )
    addresses = {"gpu": ["192.0.2.1"], "llm": ["192.0.2.2"]}
    at = around(two, resolve=addresses.get, facts={"IPAddressAllow": "127.0.0.0/8 192.0.2.1/32"})
    [found] = look("Models", "network", at)
    assert " llm (" in found.told
    assert "IPAddressAllow=192.0.2.1 192.0.2.2\\n" in found.remedy


def test_a_server_that_both_entities_and_vectors_could_come_from_is_asked_for_whichever_does() -> None:
    shared = settings(
        embed=Embed(provider="openai", url="http://gpu/v1", model="m", dimensions=8),
        entities=Entities(url="http://gpu/v1"),
    )
    assert levels("Models", "network", around(shared)) == ["warn"]


def test_a_missing_pipeline_for_entities_is_a_failure() -> None:
    spacy = settings(entities=Entities(provider="spacy", model="no_such_pipeline"))
    assert levels("Models", "entities", around(spacy)) == ["fail"]


VENV = {"interpreter": "/home/eve/a b/bin/python"}


def test_what_is_missing_is_installed_where_the_program_that_runs_finds_it() -> None:
    extras = Packages("3.11.7", ("chromadb>=1.5", 'spacy>=3.8; extra == "spacy"'), {}.get, "3.40.1", True)
    spacy = settings(entities=Entities(provider="spacy", model="no_such_pipeline"))
    [found] = look("Models", "entities", around(spacy, uid=1000, packages=extras))
    where = "/usr/local/lib/bouquetd/extractors"
    assert found.remedy == f"sudo python3 -m pip install --target {where} 'spacy>=3.8'"
    [found] = look("Models", "entities", around(spacy, **VENV))
    assert found.remedy == "'/home/eve/a b/bin/python' -m pip install 'bouquetd[spacy]'"


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({}, "make deb && apt-get install --reinstall ./dist/bouquetd_*.deb"),
        ({"uid": 1000}, "make deb && sudo apt-get install --reinstall ./dist/bouquetd_*.deb"),
        ({"read": lambda _: None}, "make wheel && packaging/install.sh dist/bouquetd-*.whl"),
        (VENV, "'/home/eve/a b/bin/python' -m pip install --upgrade bouquetd"),
    ],
)
def test_a_program_whose_packages_do_not_fit_is_installed_anew_as_it_was(changes: Any, remedy: str) -> None:
    torn = Packages("3.11.7", ("chromadb>=1.5",), {}.get, "3.40.1", True)
    [found] = look("Machine", "dependencies", around(packages=torn, **changes))
    assert found.remedy == remedy


@pytest.mark.parametrize(
    ("reason", "level", "remedy"),
    [
        ("written by an older bouquetd (schema 4)", "warn", "systemctl restart"),
        ("written by a newer bouquetd (schema 9)", "fail", "apt-get install"),
        ("the ledger x cannot be used: disk I/O error", "fail", "df -h"),
        ("the daemon did not answer within 10 s", "warn", "bouquetd status"),
    ],
)
def test_a_ledger_that_cannot_be_used_is_told_by_why(reason: str, level: str, remedy: str) -> None:
    [found] = look("Store", "ledger", around(ledger=raising(Unavailable(reason, "mend it"))))
    assert found.level == level
    assert remedy.replace("restart", "start") in found.remedy


def test_without_a_daemon_the_ledger_is_proven_unless_it_is_large() -> None:
    stopped = around(ledger=lambda _: replace(SEEN, running=False))
    assert "is undamaged" in look("Store", "ledger", stopped)[0].told
    assert "the next start proves" in look("Store", "ledger", replace(stopped, prove=lambda _: False))[0].told
    assert levels("Store", "ledger", replace(stopped, prove=raising(Corrupt("page 4")))) == ["fail"]


def test_an_empty_store_takes_any_embedder() -> None:
    assert levels("Models", "matches", around(ledger=lambda _: None)) == ["pass"]


def test_languages_that_tesseract_lacks_are_named() -> None:
    german = settings(ocr=Ocr(languages="eng+deu"))
    [found] = look("Machine", "recognition", around(german))
    assert (found.level, "tesseract-ocr-deu" in found.remedy) == ("warn", True)
    absent = around(german, programs={"tesseract": Said(NOT_THERE)})
    assert levels("Machine", "recognition", absent) == ["pass"]


# -- the examination --------------------------------------------------------------------------------------


def test_a_check_that_crashes_is_a_warning_that_names_it() -> None:
    [result] = examine(around(), (Check("Disk", "odd", raising(ZeroDivisionError("by zero"))),))
    [found] = result.findings or ()
    assert (found.level, found.told) == ("warn", "odd failed: ZeroDivisionError: by zero.")


def test_a_check_that_hangs_is_left_behind_and_all_together_have_an_end() -> None:
    stop = time.monotonic() + 5

    def hangs(_: Surroundings) -> Any:
        while time.monotonic() < stop:
            time.sleep(0.01)
        return iter(())

    ticks = iter([0.0, 0.0, 100.0])
    first, second = examine(
        around(), (Check("A", "slow", hangs),) * 2, one=0.05, most=60, now=lambda: next(ticks)
    )
    assert "did not come to an end" in (first.findings or ())[0].told
    assert "not looked at" in (second.findings or ())[0].told


@cache
def remedies() -> list[str]:
    """What the checks name on the machines above, to root, to a stranger, without a unit, of a named file."""
    dead = [(1_799_990_000.0, "signal KILL")]
    found = [each.remedy for each in look("Service", "restarts", around(service=None, ends=lambda *_: dead))]
    found += [f.remedy for r in examine(around(files=PAUSED)) for f in r.findings or ()]
    for (group, name, _), changes in EVIL.items():
        for who in ({"uid": 0}, {"uid": 1000}, {"service": None}, {"named": True}):
            found += [each.remedy for each in look(group, name, around(**{**changes, **who}))]
    return sorted({remedy for remedy in found if remedy})


def test_every_command_of_ours_that_a_remedy_names_exists_with_its_options() -> None:
    everything()
    group: Any = typer.main.get_command(app)
    called = re.compile(r"(?:^|&& |-u bouquetd (?:-- )?)bouquetd (.*?)(?: &&|$)")
    ours = {call for remedy in remedies() for call in called.findall(remedy)}
    assert len(ours) > 8
    for name, *rest in map(shlex.split, sorted(ours)):
        group.commands[name].make_context(name, rest)  # raises for an option that is not there


def test_every_remedy_can_be_read_by_a_shell(tmp_path: Path) -> None:
    (tmp_path / "all.sh").write_text("\n".join(remedies()))
    done = run(["sh", "-n", str(tmp_path / "all.sh")])
    assert (done.status, done.err) == (0, "")


# -- the readers ------------------------------------------------------------------------------------------


def test_a_walk_counts_folders_sees_the_future_and_has_an_end(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "late.txt").touch()
    os.utime(tmp_path / "a" / "late.txt", (2e9, 2e9))
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / ".ignored").touch()
    assert machine.walk(tmp_path, 1.8e9, Ignore()) == Tree(3, 1, ("a/late.txt",), whole=True)
    monkeypatch.setattr(machine, "MOST_WALKED", 1)
    assert not machine.walk(tmp_path, 1.8e9, Ignore()).whole


def test_rights_are_those_of_the_account(tmp_path: Path) -> None:
    me = Account("me", os.getuid(), os.getgid())
    assert machine.may(tmp_path, "rwx", me) is True
    nobody = Account("nobody", 65534, 65534)
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    assert machine.may(shut, "rx", nobody) is (False if os.getuid() == 0 else None)


def test_the_daemon_runs_as_the_unit_says_and_without_one_as_whose_the_state_is(tmp_path: Path) -> None:
    unit = Service("bouquetd.service", False, {"LoadState": "loaded", "User": "nobody"})
    assert machine.account(unit, tmp_path).name == "nobody"
    assert machine.account(Service("bouquetd.service", False, {"LoadState": "loaded"}), tmp_path).uid == 0
    assert machine.account(None, tmp_path).uid == tmp_path.stat().st_uid
    assert machine.account(None, None).uid == os.getuid()


def test_the_room_of_a_place_that_is_not_there_is_that_of_where_it_would_be(tmp_path: Path) -> None:
    there, absent = machine.room(tmp_path), machine.room(tmp_path / "none" / "at all")
    assert (absent.device, absent.kind, absent.size) == (there.device, there.kind, there.size)


def test_a_program_that_is_not_there_or_hangs_is_answered_for(monkeypatch: Any) -> None:
    assert run(["/no/such/program"]).status == NOT_THERE
    monkeypatch.setattr("bouquetd.ops.doctor.surroundings.PATIENCE", 0.05)
    assert "did not answer" in run(["sleep", "5"]).err


def test_a_ledger_is_read_without_being_changed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    before = path.read_bytes()
    ledger = Ledger(path, read_only=True)
    assert ledger.shards() == []
    with pytest.raises(Unavailable):
        ledger.remember("a", "b")
    ledger.close()
    assert path.read_bytes() == before
    with pytest.raises(Unavailable, match="cannot be used"):
        Ledger(tmp_path / "none.db", read_only=True)


def test_a_ledger_of_a_newer_bouquetd_or_a_torn_one_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = Ledger(path)
    ledger._db.execute("PRAGMA user_version=99")
    ledger.close()
    with pytest.raises(Unavailable, match="a newer bouquetd"):
        Ledger(path, read_only=True)
    path.write_bytes(b"no ledger" * 1000)
    with pytest.raises(Corrupt):
        Ledger(path, read_only=True)


def test_what_the_ledger_says_of_the_store_is_what_the_checks_read(tmp_path: Path) -> None:
    from bouquetd.ops.consistency import consistency

    ledger = Ledger(tmp_path / "ledger.db")
    ledger.remember("recipe", json.dumps(RECIPE.recorded()))
    found = consistency(ledger, settings().paths, {"facts": ["recipe", "generation"]})
    ledger.close()
    facts = found.pop("facts")
    assert Recipe.of(json.loads(facts["recipe"])) == RECIPE
    assert Seen(running=False, recipe=RECIPE, generation=0, **found).filled is False
    assert issubclass(NoDaemon, Unavailable)
