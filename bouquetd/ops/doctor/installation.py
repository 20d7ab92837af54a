"""Is what bouquetd needs installed, in versions that it works with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from bouquetd.extract import ocr
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.surroundings import NOT_THERE, Surroundings

HOME = Path("/usr/lib/bouquetd")
"""Where the package, and install.sh, put the program, with a Python of its own."""

BESIDE = "/usr/local/lib/bouquetd/extractors"
"""Where that finds what is installed beside it."""

LISTED = "/var/lib/dpkg/info/bouquetd.list"
"""There is such a file where it came as a package."""


def reinstall(around: Surroundings) -> str:
    """The command that installs the program that runs anew."""
    if _packaged(around):
        return package(around)
    return f"{shlex.quote(around.interpreter)} -m pip install --upgrade bouquetd"


def package(around: Surroundings) -> str:
    """The command, for a checkout, that installs bouquetd with its units."""
    if _packaged(around) and around.read(LISTED) is None:
        return f"make wheel && {_sudo(around)}packaging/install.sh dist/bouquetd-*.whl"
    return f"make deb && {_sudo(around)}apt-get install --reinstall ./dist/bouquetd_*.deb"


def extra(around: Surroundings, name: str) -> str:
    """The command that installs what an extra of bouquetd's asks for, where the program that runs finds it."""
    from packaging.requirements import Requirement

    if not _packaged(around):
        return f"{shlex.quote(around.interpreter)} -m pip install 'bouquetd[{name}]'"
    asked = map(Requirement, around.packages.requirements)
    wanted = (f"{each.name}{each.specifier}" for each in asked if f'extra == "{name}"' in str(each.marker))
    return f"{_sudo(around)}python3 -m pip install --target {BESIDE} {shlex.join(wanted)}"


def _packaged(around: Surroundings) -> bool:
    return HOME in Path(around.interpreter).parents


def _sudo(around: Surroundings) -> str:
    return "" if around.root else "sudo "


def dependencies(around: Surroundings) -> Iterator[Finding]:
    """Every package that bouquetd asks for, in a version that it allows; Chroma by name."""
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in around.packages.requirements]
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    wrong = []
    for each in wanted:
        found = around.packages.version(each.name)
        if found is None:
            wrong.append(f"{each.name} is not installed")
        elif not each.specifier.contains(found, prereleases=True):
            wrong.append(f"{each.name} {found} is not {each.specifier}")
    if not wanted:
        yield warned("It cannot be told which packages bouquetd needs: its own package is not installed.")
    elif wrong:
        yield failed(f"Packages do not fit: {'; '.join(wrong)}.", reinstall(around))
    else:
        chroma = around.packages.version("chromadb")
        yield passed(f"Python {around.packages.python}, chromadb {chroma}, {len(wanted)} packages as needed.")


def sqlite(around: Surroundings) -> Iterator[Finding]:
    """The SQLite of this Python can index words."""
    if around.packages.full_text:
        yield passed(f"SQLite {around.packages.sqlite} with full-text search.")
    else:
        yield failed(
            f"The SQLite {around.packages.sqlite} of this Python has no FTS5, which indexes words; use the"
            " Python of your distribution."
        )


def recognition(around: Surroundings) -> Iterator[Finding]:
    """Scans: is tesseract there, with the languages that the settings name."""
    settings = around.settings.ocr
    if settings.mode == "never":
        yield passed("Scans are not read (ocr.mode: never).")
        return
    said = around.run(["tesseract", "--list-langs"])
    wanted = settings.languages.split("+")
    if said.status == NOT_THERE:
        packages = " ".join(f"tesseract-ocr-{name.replace('_', '-').lower()}" for name in wanted)
        yield passed(
            "Scans are counted and not read, for there is no tesseract.",
            f"{around.sudo}apt-get install tesseract-ocr {packages}",
        )
        return
    there = set(said.out.split("\n")[1:])
    if missing := [name for name in wanted if name not in there]:
        packages = " ".join(f"tesseract-ocr-{name.replace('_', '-').lower()}" for name in missing)
        yield warned(
            f"tesseract does not know {' and '.join(missing)} (ocr.languages), so no scan is read.",
            f"{around.sudo}apt-get install {packages}",
        )
        return
    found = ocr.find(settings)
    if isinstance(found, str):
        yield warned(f"Scans are not read: {found}.")
    else:
        yield passed(f"Scans are read in {' and '.join(wanted)} by tesseract {found.version}.")
