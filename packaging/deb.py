"""Build the Debian package: bouquetd and its pinned dependencies in a prefix, nothing fetched later.

    python packaging/deb.py [--python 3.11] [--output dist]

One package serves the Debian and Ubuntu releases of one Python (``RELEASES``), this machine's unless told
otherwise: wheels hold machine code for one Python. Those for another are fetched, not built, so that any
machine makes all of them. Bytecode is compiled at installation.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RELEASES = {
    "3.11": "deb12",  # Debian 12
    "3.12": "ubuntu24.04",
    "3.13": "deb13",  # Debian 13
    "3.14": "ubuntu26.04",
}
"""The version suffix for each Python, after the release that made it its default."""

LEFT_OUT = {
    "sympy": "of onnxruntime, for tools that are not used",
    "mpmath": "of sympy",
    "kubernetes": "of chromadb's deployment tests",
    "websocket-client": "of kubernetes",
    "oauthlib": "of kubernetes",
    "requests-oauthlib": "of kubernetes",
    "durationpy": "of kubernetes",
    "uvicorn": "of chromadb's former server; `chroma run` is Rust now",
    "uvloop": "of uvicorn",
    "httptools": "of uvicorn",
    "watchfiles": "of uvicorn",
    "websockets": "of uvicorn",
    "bcrypt": "of chromadb's former server",
    "build": "of chromadb's tests",
    "pyproject-hooks": "of build",
    "hf-xet": "fetches models, of huggingface-hub; ours comes with bouquetd",
    "aiohttp": "of kubernetes",
    "aiohttp-retry": "of kubernetes",
    "aiohappyeyeballs": "of aiohttp",
    "aiosignal": "of aiohttp",
    "frozenlist": "of aiohttp",
    "multidict": "of aiohttp",
    "propcache": "of aiohttp",
    "yarl": "of aiohttp",
}
"""Dependencies of dependencies that bouquetd and `chroma run` never import, and whose they are."""

TOOLS = ("backend", "datasets", "quantization", "tools", "transformers")
"""Parts of onnxruntime that make models and do not run them: 9 MB with their bytecode."""

PICTURES = (
    "PIL/_avif.*", "PIL/_webp.*", "PIL/_imagingcms.*",
    "pillow.libs/libavif*", "pillow.libs/libwebp*", "pillow.libs/libsharpyuv*", "pillow.libs/liblcms2*",
)  # fmt: skip
"""Formats of Pillow's in which bouquetd draws nothing: 8 MB."""

PREFIX = Path("usr/lib/bouquetd")
PLUGINS = "/usr/local/lib/bouquetd/extractors"
"""Where extractors of other packages are installed; it need not exist."""

SCRIPT = """\
#!/{prefix}/bin/python -I
import sys
from {module} import {function}
sys.exit({function}())
"""

CONTROL = """\
Package: bouquetd
Version: {version}
Architecture: {architecture}
Maintainer: The bouquetd developers <bouquetd@localhost>
Section: text
Priority: optional
Installed-Size: {size}
Depends: python3 (>= {python}~), python3 (<< {next_python}~), libc6 (>= 2.34), libstdc++6, systemd (>= 247),
 init-system-helpers
Description: streams every file dropped into a folder into Chroma
 bouquetd watches an inbox and streams every file that is dropped there through a
 pipeline of bounded memory (extract, chunk, entities, embed) into Chroma. It pauses
 itself before its memory is used up, loses and doubles nothing when it is killed,
 and leaves recovery to systemd.
 .
 The package brings its own Chroma server, bouquetd-chroma.service.
"""


def main() -> None:
    """Build and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument("--python", choices=RELEASES, default=here, help=f"whose packages; {here} is this one")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="the folder to put it in")
    chosen = parser.parse_args()
    for tool in ("dpkg-deb", "dpkg"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing; apt-get install dpkg")
    os.umask(0o022)
    chosen.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bouquetd-deb-") as folder:
        tree = Path(folder) / "tree"
        deb = build(tree, Path(folder), chosen.python, chosen.output)
        installed = _size(tree)
    print(f"{deb}: {deb.stat().st_size / 2**20:.0f} MB, {installed / 2**20:.0f} MB installed")


def build(tree: Path, work: Path, python: str, output: Path) -> Path:
    """Fill ``tree`` and pack it; returns the package."""
    from bouquetd import __version__

    architecture = _run("dpkg", "--print-architecture").strip()
    site = tree / PREFIX / "lib" / f"python{python}" / "site-packages"
    site.mkdir(parents=True)
    _packages(site, work, python)
    _prefix(tree, site, python)
    _system(tree)
    _documentation(tree)
    (tree / "DEBIAN").mkdir()
    for script in ("postinst", "prerm", "postrm"):
        shutil.copy(ROOT / "packaging" / "debian" / script, tree / "DEBIAN" / script)
        (tree / "DEBIAN" / script).chmod(0o755)
    (tree / "DEBIAN" / "conffiles").write_text("/etc/bouquetd/bouquetd.yaml\n/etc/bouquetd-chroma.yaml\n")
    version = f"{__version__}-1~{RELEASES[python]}"
    major, minor = python.split(".")
    (tree / "DEBIAN" / "control").write_text(
        CONTROL.format(
            version=version, architecture=architecture, size=_size(tree) // 1024, python=python,
            next_python=f"{major}.{int(minor) + 1}",
        )
    )  # fmt: skip
    (tree / "DEBIAN" / "md5sums").write_text(_sums(tree))
    deb = output / f"bouquetd_{version}_{architecture}.deb"
    # zstd: half the time of xz, here and at installation; known to dpkg since Debian 12.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(_committed())}
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z12", "--build", str(tree), str(deb)],
        check=True, stdout=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    return deb


def _packages(site: Path, work: Path, python: str) -> None:
    """Install bouquetd and what it needs, at the versions that were tested."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = work / "wheels"
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)], check=True)
    (wheel,) = wheels.glob("bouquetd-*.whl")
    report = work / "report.json"
    resolve = [*pip, "install", "--dry-run", "--ignore-installed", "--report", str(report), str(wheel)]
    subprocess.run([*resolve, "--constraint", str(ROOT / "packaging" / "constraints.txt")], check=True)
    items = [
        (f"{item['metadata']['name']}=={item['metadata']['version']}", item["download_info"]["url"])
        for item in json.loads(report.read_text())["install"]
        if _name(item["metadata"]["name"]) not in {*LEFT_OUT, "bouquetd"}
    ]
    # What has no wheel is pure Python: built here, it serves any Python.
    if sources := [name for name, url in items if not url.endswith(".whl")]:
        subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), *sources], check=True)
    machine = os.uname().machine
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, 35)]
    foreign = ["--python-version", python, "--implementation", "cp", "--only-binary=:all:"]
    for platform in (*platforms, f"manylinux2014_{machine}"):
        foreign += ["--platform", platform]
    install = [*pip, "install", "--no-deps", "--no-compile", "--target", str(site), "--find-links", str(wheels)]
    subprocess.run([*install, *foreign, *(name for name, _ in items), str(wheel)], check=True)
    tools = (site / "onnxruntime" / name for name in TOOLS)
    for waste in (*site.glob("*/tests"), *site.glob("*/test"), *site.glob("bin"), *tools):
        shutil.rmtree(waste)
    # The library for programs in C, 35 MB; the module for Python is all of it once more and does not load it.
    for library in (site / "onnxruntime" / "capi").glob("libonnxruntime.so*"):
        library.unlink()
    for pattern in PICTURES:
        for library in site.glob(pattern):
            library.unlink()


def _prefix(tree: Path, site: Path, python: str) -> None:
    """An environment of its own: the interpreter, the two commands, the folder of plug-ins."""
    prefix = tree / PREFIX
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(f"/usr/bin/python{python}")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    for name, module, function in (("bouquetd", "bouquetd.cli", "main"), ("chroma", "chromadb.cli.cli", "app")):
        script = prefix / "bin" / name
        script.write_text(SCRIPT.format(prefix=PREFIX, module=module, function=function))
        script.chmod(0o755)
    (site / "extractors.pth").write_text(f"{PLUGINS}\n")
    (tree / "usr" / "bin").mkdir(parents=True)
    (tree / "usr" / "bin" / "bouquetd").symlink_to("../lib/bouquetd/bin/bouquetd")


def _system(tree: Path) -> None:
    """Units, the user, the folders, the configuration."""
    from bouquetd.config import for_system, write_fresh

    systemd = tree / "usr" / "lib" / "systemd" / "system"
    systemd.mkdir(parents=True)
    for kind in ("service", "slice", "path"):
        for unit in ROOT.glob(f"systemd/*.{kind}"):
            shutil.copy(unit, systemd)
    shutil.copy(ROOT / "systemd" / "inbox.tmpfiles", tree / PREFIX)
    for kind in ("sysusers", "tmpfiles"):
        folder = tree / "usr" / "lib" / f"{kind}.d"
        folder.mkdir()
        shutil.copy(ROOT / "systemd" / f"bouquetd.{kind}", folder / "bouquetd.conf")
    (tree / "etc" / "bouquetd").mkdir(parents=True)
    write_fresh(tree / "etc" / "bouquetd" / "bouquetd.yaml", for_system("bouquetd"))
    shutil.copy(ROOT / "config" / "chroma.yaml", tree / "etc" / "bouquetd-chroma.yaml")


def _documentation(tree: Path) -> None:
    """Man pages, completion, licence, changes."""
    import completion
    import man

    share = tree / "usr" / "share"
    for name, text in man.pages(time.strftime("%Y-%m-%d", time.gmtime(_committed()))).items():
        _compressed(share / "man" / f"{name}.gz", text)
    for name, text in completion.scripts().items():
        (share / name).parent.mkdir(parents=True)
        (share / name).write_text(text)
    about = share / "doc" / "bouquetd"
    about.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", about / "copyright")
    _compressed(about / "changelog.gz", (ROOT / "CHANGELOG.md").read_text())
    _compressed(about / "README.md.gz", (ROOT / "README.md").read_text())
    examples = about / "examples"
    examples.mkdir()
    shutil.copy(ROOT / "config" / "on-failure.example", examples / "on-failure")
    for shipped in ("prometheus/bouquetd.rules.yml", "grafana/bouquetd.json"):
        shutil.copy(ROOT / "config" / shipped, examples)


def _compressed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _committed() -> int:
    """When the source was last changed, in seconds since the epoch; now, outside a checkout."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False
    )
    return int(found.stdout) if found.returncode == 0 and found.stdout.strip() else int(time.time())


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _size(tree: Path) -> int:
    """Bytes on disk, links not followed."""
    return sum(p.lstat().st_blocks * 512 for p in tree.rglob("*"))


def _sums(tree: Path) -> str:
    files = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink() and "DEBIAN" not in p.parts)
    sums = (
        (hashlib.md5(p.read_bytes(), usedforsecurity=False).hexdigest(), p.relative_to(tree)) for p in files
    )
    return "".join(f"{digest}  {path}\n" for digest, path in sums)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
