"""A Debian of its own with a real systemd as PID 1: booted in seconds, killed and rebooted at will.

It needs root, `debootstrap`, overlayfs and a writable cgroup hierarchy, no virtual machine. A base tree is made
once and kept in `.cache/system`; every machine is an overlay on it, so that what happens in one stays there.
Namespaces keep it apart: its network is a loopback of its own. Its cgroups are children made for it and removed
after it (section 8 of the design).
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CGROUPS = Path("/sys/fs/cgroup")
NEEDED = ("memory", "pids", "cpu", "systemd", "unified")
"""Of cgroup v1: the controllers that the units use, and the two hierarchies that systemd keeps its books in."""

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "init-system-helpers",
    "libfaketime",
    "libpam-systemd",
    "dbus-user-session",
    "python3-venv",
)

BOOT = """
set -e
mount --make-rprivate /
mkdir -p "$ROOT"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755,size=256m tmpfs run
mount -t tmpfs -o mode=1777,size=512m tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    set -- $node
    mknod -m 666 "dev/$1" c "$2" "$3"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s /proc/self/fd dev/fd
if [ "$CGROUP" = 2 ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/memory sys/fs/cgroup/pids sys/fs/cgroup/cpu sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o memory cgroup sys/fs/cgroup/memory
    mount -t cgroup -o pids cgroup sys/fs/cgroup/pids
    mount -t cgroup -o cpu cgroup sys/fs/cgroup/cpu
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
mkdir -p .old
pivot_root . .old
umount -l .old
rmdir .old
exec env -i container=unshare TERM=dumb /lib/systemd/systemd
"""


def unfit() -> str | None:
    """Why this computer cannot boot a machine; None when it can."""
    if os.geteuid() != 0:
        return "only root can boot a machine with a systemd of its own"
    for tool in ("debootstrap", "unshare", "nsenter", "dpkg-deb"):
        if shutil.which(tool) is None:
            return f"{tool} is missing: apt-get install debootstrap util-linux dpkg"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "the kernel has no overlayfs"
    if not _unified() and not all(os.access(CGROUPS / name, os.W_OK) for name in NEEDED):
        return f"the cgroups under {CGROUPS} cannot be written"
    return None


def base(cache: Path, *more: str) -> Path:
    """What machines start from: this computer's own release with ``more`` packages; made if need be."""
    release, packages = platform.freedesktop_os_release()["VERSION_CODENAME"], sorted((*PACKAGES, *more))
    tree = cache / "-".join((release, *packages))
    if not tree.exists():
        partial = cache / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", release, partial,
             _mirror()],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        # Journals that outlive a reboot; a time zone is of no interest, a host name is.
        (partial / "var" / "log" / "journal").mkdir(exist_ok=True)
        (partial / "etc" / "hostname").write_text("machine\n")
        shutil.rmtree(partial / "var" / "cache" / "apt", ignore_errors=True)
        partial.rename(tree)
    return tree


@dataclass
class Machine:
    """One machine: off, until ``boot``. ``layers`` are the trees beneath its own, the uppermost first."""

    folder: Path
    layers: list[Path]
    process: subprocess.Popen[bytes] | None = None
    init: int = 0
    groups: list[Path] = field(default_factory=list)

    @property
    def upper(self) -> Path:
        """What is this machine's own; a layer for others once it is off."""
        return self.folder / "upper"

    def boot(self) -> None:
        """Start it and wait until systemd says that it runs."""
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        name = f"bouquetd-test-{uuid.uuid4().hex[:12]}"
        # Of each hierarchy, used here or not: its systemd takes whatever the kernel has.
        self.groups = [CGROUPS / name] if _unified() else [h / name for h in CGROUPS.iterdir() if h.is_dir()]
        for group in self.groups:
            group.mkdir()
            for share in ("cpuset.cpus", "cpuset.mems"):
                if (group / share).exists():
                    (group / share).write_text((group.parent / share).read_text())
        environment = {
            "PATH": os.environ["PATH"], "ROOT": str(self.folder / "root"), "UPPER": str(self.upper),
            "WORK": str(self.folder / "work"), "LOWER": ":".join(map(str, self.layers)),
            "CGROUP": "2" if _unified() else "1",
        }  # fmt: skip
        with open(self.folder / "console", "ab") as console:
            self.process = subprocess.Popen(
                ["unshare", "--cgroup", "--pid", "--mount", "--uts", "--ipc", "--net", "--fork", "--kill-child",
                 "sh", "-c", BOOT],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment,
                preexec_fn=self._enter_groups, start_new_session=True,
            )  # fmt: skip
        self.until(self._booted, "it has booted", 60)

    def _enter_groups(self) -> None:
        for group in self.groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def _booted(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"it did not boot:\n{(self.folder / 'console').read_text()[-2000:]}"
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if not children:
            return False
        self.init = int(children[0])
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def run(
        self, command: str, *, user: str = "root", check: bool = True, timeout: float = 300, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in it; ``text`` is its standard input."""
        inside = ["env", "-i", "-C", "/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        if user != "root":
            inside += ["runuser", "-u", user, "--"]
        done = subprocess.run(
            ["nsenter", "-t", str(self.init), "-a", "--", *inside, "sh", "-c", command],
            capture_output=True, text=True, errors="replace", timeout=timeout, input=text, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def out(self, command: str, **how: Any) -> str:
        """What a command prints."""
        return self.run(command, **how).stdout

    @property
    def root(self) -> Path:
        """Its file system, from here, while it is on."""
        return Path(f"/proc/{self.init}/root")

    def until(self, condition: Callable[[], Any], what: str, seconds: float) -> Any:
        """Wait for something in it; what the journal says last is told when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            if found := condition():
                return found
            if time.monotonic() > deadline:
                tail = self.run("journalctl -q -n 60 --no-pager", check=False).stdout if self.init else ""
                console = (self.folder / "console").read_text(errors="replace")[-1000:]
                raise AssertionError(f"waited {seconds:g} s until {what}\n{tail}\n{console}")
            time.sleep(0.2)

    def reboot(self) -> None:
        """As `systemctl reboot` does it."""
        self.run("systemctl reboot", check=False)
        self._gone(90)
        self.boot()

    def off(self) -> None:
        """As if the power went."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.init or self.process.pid, signal.SIGKILL)
        self._gone(30)

    def shut_down(self) -> None:
        """In good order."""
        self.run("systemctl poweroff", check=False)
        self._gone(90)

    def _gone(self, seconds: float) -> None:
        if self.process is not None:
            self.process.wait(seconds)
        self.process, self.init = None, 0
        for group in self.groups:
            _remove(group)
        self.groups = []


def _unified() -> bool:
    return (CGROUPS / "cgroup.controllers").exists()


def _remove(group: Path) -> None:
    deadline = time.monotonic() + 10
    while group.exists():
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):  # its last process may not be reaped yet
                os.rmdir(folder)
        assert time.monotonic() < deadline, f"{group} cannot be removed"


def _mirror() -> str:
    """Where this computer gets its own Debian packages."""
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(ORIGIN)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    uris = [line.split()[0] for line in found.stdout.splitlines() if "security" not in line]
    debian = [uri for uri in uris if uri.rstrip("/").endswith("/debian")]
    return (debian or uris)[0]
