import re
from pathlib import Path

import pytest

from bouquetd.config.settings import Memory, Ocr
from bouquetd.model import MB
from bouquetd.ops.fit import Unit, advise, unit_of

PLENTY = 64 * 1024 * MB
UNITS = Path(__file__).resolve().parents[2] / "systemd"


def shipped(unit: str) -> Unit:
    """A unit as it is packaged."""
    high, most = re.findall(r"^Memory(?:High|Max)=(\d+)M$", (UNITS / unit).read_text(), re.M)
    return Unit(unit, int(high) * MB, int(most) * MB)


@pytest.mark.parametrize("unit", ["bouquetd.service", "bouquetd@.service", "user/bouquetd.service"])
def test_the_packaged_figures_fit_and_leave_room_for_a_page_of_text_recognition(unit: str) -> None:
    family = shipped("bouquetd.slice").maximum
    assert family is not None
    assert advise(Memory().limit, family, shipped(unit), Ocr().memory) == []


def test_no_unit_and_enough_memory_is_nothing_to_speak_of() -> None:
    assert advise(500 * MB, PLENTY, None) == []
    assert advise(500 * MB, PLENTY, Unit("bouquetd.service", None, None)) == []


def test_a_limit_that_the_kernel_would_meet_first_is_told_with_the_drop_in_that_mends_it() -> None:
    [line] = advise(500 * MB, 512 * MB, Unit("bouquetd.service", None, 512 * MB))
    assert line == (
        "memory.limit: 500MB does not fit under MemoryMax=512M of bouquetd.service: the kernel would kill the"
        " daemon before it pauses; lower memory.limit to 370MB, or raise the unit's with"
        " `systemctl edit bouquetd.service`: [Service] MemoryHigh=550M MemoryMax=670M"
        " (and MemoryMax of bouquetd.slice with them)"
    )


def test_what_is_advised_fits() -> None:
    for limit in range(100, 3000, 37):
        [line] = advise(limit * MB, PLENTY, Unit("u", 90 * MB, 95 * MB))
        high, maximum = (int(line.split(f"{key}=")[-1].split("M")[0]) for key in ("MemoryHigh", "MemoryMax"))
        assert advise(limit * MB, PLENTY, Unit("u", high * MB, maximum * MB)) == []
    for maximum in range(200, 3000, 37):
        [line] = advise(5000 * MB, PLENTY, Unit("u", None, maximum * MB))
        lower = int(line.split("lower memory.limit to ")[1].split("MB")[0])
        assert advise(lower * MB, PLENTY, Unit("u", None, maximum * MB)) == []


@pytest.mark.parametrize("page", [150, 300, 2000])
def test_what_is_advised_with_text_recognition_fits(page: int) -> None:
    for limit in range(100, 3000, 37):
        [line] = advise(limit * MB, PLENTY, Unit("u", 90 * MB, 95 * MB), page * MB)
        high, maximum = (int(line.split(f"{key}=")[-1].split("M")[0]) for key in ("MemoryHigh", "MemoryMax"))
        assert advise(limit * MB, PLENTY, Unit("u", high * MB, maximum * MB), page * MB) == []
    for maximum in range(200, 6000, 37):
        unit, limit = Unit("u", None, maximum * MB), 2000
        for line in advise(limit * MB, PLENTY, unit, page * MB):
            if lower := re.search(r"lower memory.limit to (\d+)MB", line):
                assert advise(int(lower[1]) * MB, PLENTY, unit, page * MB) == []
            if lower := re.search(r"lower ocr.memory to (\d+)MB", line):
                assert advise(limit * MB, PLENTY, unit, int(lower[1]) * MB) == []
            if "set ocr.mode" in line and "lower memory.limit and" not in line:
                assert advise(limit * MB, PLENTY, unit) == []


def test_a_page_that_has_no_room_beside_the_daemon_is_told_with_all_that_mends_it() -> None:
    [line] = advise(500 * MB, 2048 * MB, Unit("bouquetd.service", 650 * MB, 850 * MB), 300 * MB)
    assert line == (
        "memory.limit: 500MB and ocr.memory: 300MB do not fit under MemoryMax=850M of bouquetd.service: the"
        " kernel would kill text recognition while a page is read; lower memory.limit to 400MB, or lower"
        " ocr.memory to 180MB, or set ocr.mode to never, or raise the unit's with"
        " `systemctl edit bouquetd.service`: [Service] MemoryHigh=850M MemoryMax=970M (and MemoryMax of"
        " bouquetd.slice with them)"
    )


def test_a_daemon_that_does_not_fit_alone_is_not_told_that_text_recognition_is_at_fault() -> None:
    [line] = advise(500 * MB, 300 * MB, None, 300 * MB)
    assert "would kill the daemon before it pauses; lower memory.limit and set ocr.mode to never" in line


def test_a_memory_high_below_the_limit_is_told_too() -> None:
    [line] = advise(500 * MB, PLENTY, Unit("bouquetd@a.service", 450 * MB, 900 * MB))
    assert "MemoryHigh=450M of bouquetd@a.service" in line
    assert "slow the daemon down" in line


def test_a_machine_that_is_too_small_is_told_without_a_unit_to_edit() -> None:
    [line] = advise(900 * MB, 1024 * MB, Unit("bouquetd.service", 2000 * MB, 3000 * MB))
    assert "this machine or its container has (1024 MB): the kernel" in line
    assert "lower memory.limit to 800MB" in line
    assert "systemctl" not in line


def test_a_users_unit_is_edited_by_the_user() -> None:
    [line] = advise(500 * MB, PLENTY, Unit("bouquetd.service", None, 400 * MB, user=True))
    assert "`systemctl --user edit bouquetd.service`" in line


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/etc/bouquetd/bouquetd.yaml", ("bouquetd.service", False)),
        ("/etc/bouquetd/reports.yaml", ("bouquetd@reports.service", False)),
        ("/home/eve/.config/bouquetd/bouquetd.yaml", ("bouquetd.service", True)),
        ("/home/eve/bouquetd.yaml", None),
        ("/etc/bouquetd/notes.txt", None),
    ],
)
def test_the_unit_of_a_configuration_is_known_by_its_place(path: str, unit: tuple[str, bool] | None) -> None:
    assert unit_of(Path(path), Path("/home/eve")) == unit
