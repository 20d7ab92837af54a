"""A machine with bouquetd installed from its package, new for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.machine import base, unfit
from tests.system.served import Served

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "system"


@pytest.fixture(scope="session")
def tree() -> Path:
    """A minimal Debian that has never heard of bouquetd."""
    if why := unfit():
        if os.environ.get("CI"):
            pytest.fail(f"the tests under a real systemd cannot be run: {why}")
        pytest.skip(why)
    return base(CACHE)


@pytest.fixture(scope="session")
def package(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `make deb` builds it, for that Debian's Python."""
    python = os.readlink(tree / "usr" / "bin" / "python3").removeprefix("python")
    output = tmp_path_factory.mktemp("package")
    command = [sys.executable, str(ROOT / "packaging" / "deb.py"), "--python", python, "--output", str(output)]
    subprocess.run(command, check=True)
    (deb,) = output.glob("bouquetd_*.deb")
    return deb


@pytest.fixture(scope="session")
def installed(tree: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The layers of a machine on which it was installed, with two people, one of them in its group."""
    yield from _installed(tree, package, tmp_path_factory)


@pytest.fixture(scope="session")
def installed_beside_tesseract(
    tree: Path, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Path]]:
    """The same where text recognition was there before."""
    yield from _installed(base(tree.parent, "tesseract-ocr"), package, tmp_path_factory)


def _installed(tree: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    machine = Served(tmp_path_factory.mktemp("installed"), [tree])
    machine.boot()
    try:
        machine.install(package)
        machine.until(machine.ready, "the service is ready after its installation", 90)
        machine.run("useradd -m -G bouquetd anna; useradd -m mallory")
        machine.shut_down()
    finally:
        machine.off()
    yield [machine.upper, tree]
    shutil.rmtree(machine.folder, ignore_errors=True)


@pytest.fixture
def bare(tree: Path, tmp_path: Path) -> Iterator[Served]:
    """A machine without bouquetd, off."""
    yield from _used(Served(tmp_path / "machine", [tree]))


@pytest.fixture
def fresh(installed: list[Path], tmp_path: Path) -> Iterator[Served]:
    """A machine with bouquetd as it was installed, off."""
    yield from _used(Served(tmp_path / "machine", installed))


@pytest.fixture
def recognising(installed_beside_tesseract: list[Path], tmp_path: Path) -> Iterator[Served]:
    """A machine with bouquetd and tesseract, off."""
    yield from _used(Served(tmp_path / "machine", installed_beside_tesseract))


@pytest.fixture
def machine(fresh: Served) -> Served:
    """The same with the embedder of bulk loads: tests change what they need, then boot it."""
    fresh.bring_words()
    return fresh


def _used(machine: Served) -> Iterator[Served]:
    (machine.upper / "etc" / "systemd" / "system").mkdir(parents=True)
    try:
        yield machine
    finally:
        machine.off()
        shutil.rmtree(machine.folder, ignore_errors=True)
