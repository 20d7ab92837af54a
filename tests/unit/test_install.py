"""``bouquetd install --user``, on a home made for it."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from bouquetd.cli.setup import init
from bouquetd.config import load
from bouquetd.errors import ConfigError
from bouquetd.ops.install import for_me

UNITS = Path(__file__).parents[2] / "systemd"


def installed(home: Path, program: str = "/opt/b/bin/bouquetd") -> list[str]:
    return for_me(home, {"XDG_RUNTIME_DIR": str(home / "run")}, Path(program))


def test_it_writes_a_unit_that_calls_this_very_program_and_a_configuration_that_loads(tmp_path):
    told = installed(tmp_path)
    unit = (tmp_path / ".config/systemd/user/bouquetd.service").read_text()
    assert 'ExecStart="/opt/b/bin/bouquetd" run' in unit
    assert "@BOUQUETD@" not in unit
    settings = load(tmp_path / ".config/bouquetd/bouquetd.yaml").settings
    assert settings.paths.runtime == tmp_path / "run/bouquetd"
    assert settings.store.mode == "embedded"
    assert any("systemctl --user enable --now bouquetd" in line for line in told)


def test_a_configuration_that_is_there_stays_and_the_unit_is_renewed(tmp_path):
    installed(tmp_path)
    yaml = tmp_path / ".config/bouquetd/bouquetd.yaml"
    yaml.write_text("# mine\n")
    told = installed(tmp_path, "/opt/new/bouquetd")
    assert yaml.read_text() == "# mine\n"
    assert "/opt/new/bouquetd" in (tmp_path / ".config/systemd/user/bouquetd.service").read_text()
    assert any("as it is" in line for line in told)


def test_a_path_that_systemd_would_misread_is_quoted(tmp_path):
    installed(tmp_path, "/opt/100% mine/bouquetd")
    unit = (tmp_path / ".config/systemd/user/bouquetd.service").read_text()
    assert 'ExecStart="/opt/100%% mine/bouquetd" run' in unit


def test_the_home_of_the_configuration_may_be_elsewhere(tmp_path):
    for_me(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "etc")}, Path("/b"))
    assert (tmp_path / "etc/systemd/user/bouquetd.service").exists()
    assert (tmp_path / "etc/bouquetd/bouquetd.yaml").exists()


def test_a_home_that_may_not_be_written_is_told(tmp_path):
    (tmp_path / ".config").write_text("a file in the way")
    with pytest.raises(ConfigError, match="cannot be written"):
        installed(tmp_path)


def test_root_makes_no_folder_of_an_instance_within_one_that_others_may_write():
    lines = (UNITS / "bouquetd@.service").read_text().splitlines()
    [as_root] = [line for line in lines if line.startswith("ExecStartPre=+")]
    assert [word for word in as_root.split() if word.startswith("/var/")] == ["/var/spool/bouquetd-%i"]
    assert " -m 2750 " in as_root


def test_the_name_of_the_chroma_servers_folder_is_no_name_of_an_instance():
    with pytest.raises(typer.BadParameter, match="take another NAME"):
        init(None, "chroma")


def test_the_inbox_of_an_instance_is_for_its_group_to_write(tmp_path):
    lines = (UNITS / "bouquetd@.service").read_text().splitlines()
    [made] = [line.partition("=")[2] for line in lines if line.startswith("ExecStartPre=/bin/sh")]
    spool = tmp_path / "bouquetd-a"
    spool.mkdir()
    spool.chmod(0o2750)
    command = shlex.split(made.replace("/var/spool/bouquetd-%i", str(spool)))
    assert subprocess.run(command, check=False).returncode == 0
    assert (spool / "inbox").stat().st_mode & 0o7777 == 0o2770


def test_a_purge_leaves_of_every_inbox_what_people_dropped_and_nothing_else_of_ours(tmp_path):
    for name in (
        "var/lib/bouquetd/state/ledger.db", "var/lib/bouquetd-chroma/chroma.sqlite3",
        "var/lib/bouquetd-press/state/ledger.db", "var/lib/bouquetd-theirs/notes.txt",
        "var/spool/bouquetd/archive/kept.txt", "etc/bouquetd/press.yaml", "etc/bouquetd/bouquetd.yaml.bak",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "var/spool/bouquetd-press/inbox").mkdir(parents=True)
    script = (UNITS.parent / "packaging/debian/postrm").read_text()
    here = re.sub(r"(?<!\w)/(var|etc|run|usr)/", rf"{tmp_path}/\1/", script)
    done = subprocess.run(["sh", "-c", here, "postrm", "purge"], capture_output=True, text=True, check=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"var/lib/bouquetd-theirs/notes.txt", "var/spool/bouquetd/archive/kept.txt"}
    assert not (tmp_path / "etc/bouquetd").exists()
    spool = tmp_path / "var/spool/bouquetd"
    assert done.stdout == f"bouquetd: files of yours are still in {spool}; remove them yourself\n"
