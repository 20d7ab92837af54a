"""The page in a real browser: Debian's Chromium without a window, driven by its own driver.

Pictures of it go into the folder that BOUQUETD_SCREENSHOTS names, else into a temporary one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness import Daemon, Home, until
from tests.tools.needed import needed
from tests.web import free_port

pytestmark = [pytest.mark.tools, pytest.mark.xdist_group("browser")]

HERONS = """# Herons

By day the herons stand in the shallows and fish.

## Rest

At dusk the herons return to the reeds, where they sleep standing on one leg, often in company. The young ones
sleep in the nest, high in the trees, until they can fly.
"""
HOSTILE = "<script>document.title = 'run'</script>.pdf"

Open = Callable[..., Any]


@dataclass
class Site:
    """A daemon with its page."""

    home: Home
    daemon: Daemon
    url: str


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    home = Home(tmp_path / "home", {"page": {"listen": f"127.0.0.1:{port}"}, "memory": {"limit": "500MB"}})
    with home.daemon() as daemon:
        yield Site(home, daemon, f"http://127.0.0.1:{port}/")


@pytest.fixture
def browser() -> Iterator[Open]:
    """Opens windows: ``browser(width, height, dark=..., script=...)``."""
    from selenium import webdriver

    programs = needed("chromium"), needed("chromedriver")
    opened: list[Any] = []

    def open_(width: int = 1280, height: int = 1000, *, dark: bool = False, script: bool = True) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = programs[0]
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        window = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
        opened.append(window)
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        window.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        return window

    yield open_
    for window in opened:
        window.quit()


def text(window: Any) -> str:
    from selenium.common.exceptions import WebDriverException

    try:
        return str(window.find_element("tag name", "body").text)
    except WebDriverException:  # it is just being loaded
        return ""


def press(window: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(window).send_keys(*keys).perform()


def focused(window: Any) -> str:
    """What has the focus, as it is read out."""
    return str(window.switch_to.active_element.accessible_name)


def go_by_tab(window: Any, name: str) -> None:
    """Press Tab until what has this name has the focus, and see that this shows."""
    from selenium.webdriver import Keys

    for _ in range(30):
        press(window, Keys.TAB)
        if focused(window) == name:
            outline = window.switch_to.active_element.value_of_css_property("outline-style")
            assert outline == "solid", f"nobody sees that {name} has the focus"
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def complaints(window: Any) -> list[str]:
    return [entry["message"] for entry in window.get_log("browser")]


def asked(window: Any) -> set[str]:
    """Where requests of the page itself went."""
    events = [json.loads(entry["message"])["message"] for entry in window.get_log("performance")]
    urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return {"{0.scheme}://{0.netloc}/".format(urlsplit(url)) for url in urls if not url.startswith("data:")}


def picture(window: Any, name: str, folder: Path) -> None:
    folder = Path(os.environ.get("BOUQUETD_SCREENSHOTS", folder))
    folder.mkdir(parents=True, exist_ok=True)
    assert window.save_screenshot(str(folder / f"{name}.png"))


def too_wide(window: Any) -> bool:
    return bool(window.execute_script("return document.documentElement.scrollWidth > window.innerWidth"))


def test_who_has_a_keyboard_only_sees_a_failure_tries_it_again_and_finds(site: Site, browser: Open) -> None:
    from selenium.webdriver import Keys

    window = browser()
    window.get(site.url)
    assert "No file failed." in text(window)

    site.home.put("birds/herons.md", HERONS)
    site.home.put("broken.pdf", b"%PDF-1.7\nnothing of the kind\n%%EOF\n")
    until(lambda: "broken.pdf" in text(window), "the failure comes up by itself", lambda: text(window))
    assert "The PDF is damaged." in text(window)

    (site.home.failed / "broken.pdf").write_text("It was text after all, about a lantern in the harbour. " * 9)
    go_by_tab(window, "Retry broken.pdf")
    press(window, Keys.ENTER)
    until(lambda: "broken.pdf is back in the inbox." in text(window), "it is told", lambda: text(window))
    site.daemon.reaches({"birds/herons.md": "filed", "broken.pdf": "filed"})
    until(lambda: "No file failed." in text(window), "the failure goes", lambda: text(window))

    go_by_tab(window, "Search")
    press(window, "where do herons sleep", Keys.ENTER)
    until(lambda: "Found for" in text(window), "an answer comes", lambda: text(window))
    marked = {mark.text.casefold() for mark in window.find_elements("tag name", "mark")}
    assert {"herons", "sleep"} <= marked
    assert str(site.home.archive / "birds/herons.md") in text(window)

    assert complaints(window) == []
    assert asked(window) == {site.url}


def test_without_javascript_it_is_read_searched_and_told_to_retry(site: Site, browser: Open) -> None:
    site.home.put("herons.md", HERONS)
    site.home.put("empty.txt", "")
    site.daemon.reaches({"herons.md": "filed", "empty.txt": "failed"})
    window = browser(script=False)
    until(lambda: window.get(site.url) or "empty.txt" in text(window), "it is listed", lambda: text(window))
    window.find_element("css selector", "#failures button").click()
    assert "empty.txt is back in the inbox." in text(window)
    field = window.find_element("id", "q")
    field.send_keys("where do herons sleep")
    field.submit()
    assert window.find_elements("tag name", "mark")


def test_a_button_keeps_the_focus_while_the_page_changes_under_it(site: Site, browser: Open) -> None:
    site.home.put("first.txt", "")
    site.daemon.reaches({"first.txt": "failed"})
    window = browser()
    window.get(site.url)
    go_by_tab(window, "Retry first.txt")
    site.home.put("second.txt", " ")
    until(lambda: "second.txt" in text(window), "the second comes up", lambda: text(window))
    assert focused(window) == "Retry first.txt"


def test_it_says_that_the_daemon_is_gone_and_that_it_is_back(site: Site, browser: Open) -> None:
    window = browser()
    window.get(site.url)
    site.daemon.stop()
    until(lambda: "The daemon does not answer" in text(window), "it is told", lambda: text(window))
    with site.home.daemon():
        until(lambda: "The daemon does not answer" not in text(window), "it is back", lambda: text(window))
        assert "idle" in text(window)


def test_names_that_are_code_are_shown_and_not_run(site: Site, browser: Open) -> None:
    site.home.put(HOSTILE.replace("/", "\N{FRACTION SLASH}"), b"%PDF-1.7\nnothing\n%%EOF\n")
    site.daemon.until(lambda: site.home.states(), "it is seen")
    window = browser()
    window.get(site.url)
    until(lambda: "<script>document.title" in text(window), "it is listed", lambda: text(window))
    assert window.title != "run"
    assert complaints(window) == []


@pytest.mark.parametrize(
    ("name", "width", "height", "dark"),
    [
        ("light", 1280, 1150, False),
        ("dark", 1280, 1150, True),
        ("phone", 360, 1500, False),
        ("phone-dark", 360, 1500, True),
    ],
)
def test_it_fits_wide_and_narrow_screens_in_light_and_dark(
    site: Site, browser: Open, tmp_path: Path, name: str, width: int, height: int, dark: bool
) -> None:
    site.home.put("birds/herons.md", HERONS)
    site.home.put(f"reports/{'a very long name without any end ' * 5}.pdf", b"%PDF-1.7\nnothing\n%%EOF\n")
    site.home.put("scans/" + "x" * 120 + ".txt", "")
    site.daemon.until(lambda: sorted(site.home.states().values()) == ["failed", "failed", "filed"], "all done")
    window = browser(width, height, dark=dark)
    for path in ("", "?q=where+do+herons+sleep"):
        window.get(site.url + path)
        until(lambda: "reports/" in text(window), "it is there", lambda: text(window))
        assert not too_wide(window)
        picture(window, f"{name}{'-search' * bool(path)}", tmp_path)
    paper = window.find_element("tag name", "body").value_of_css_property("background-color")
    assert (sum(map(int, paper.removeprefix("rgba(").split(",")[:3])) < 3 * 128) == dark
    drawn = "return document.getElementById('curve').naturalWidth"
    assert int(window.execute_script(drawn)) > 0
    assert complaints(window) == []
