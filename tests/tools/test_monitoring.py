"""Metrics, alert rules and dashboard, judged by the programs that read them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness import Home, prose
from tests.tools.needed import needed
from tests.web import ask, free_port

pytestmark = [pytest.mark.tools, pytest.mark.xdist_group("monitoring")]

CONFIG = Path(__file__).resolve().parents[2] / "config"
RULES = CONFIG / "prometheus" / "bouquetd.rules.yml"
DASHBOARD = CONFIG / "grafana" / "bouquetd.json"

NAME = re.compile(r"\bbouquetd_[a-z_]+")


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a real daemon answers that has stored a file and refused one."""
    port = free_port()
    home = Home(tmp_path_factory.mktemp("home"), {"metrics": {"listen": f"127.0.0.1:{port}"}})
    with home.daemon() as daemon:
        home.put("good.txt", prose(9000))
        home.put("empty.txt", "")
        daemon.reaches({"good.txt": "filed", "empty.txt": "failed"})
        daemon.until(lambda: 'outcome="failed"} 1' in ask(port, "/metrics").text, "it is counted")
        return ask(port, "/metrics").text


def names(scrape: str) -> set[str]:
    return {sample.name for family in text_string_to_metric_families(scrape) for sample in family.samples}


def promtool(*arguments: str | Path, **options: Any) -> None:
    done = subprocess.run(
        [needed("promtool"), *arguments], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_to_mend_in_a_scrape(scrape: str) -> None:
    promtool("check", "metrics", input=scrape)


def test_the_rules_are_sound_and_each_alert_does_what_it_is_for() -> None:
    promtool("check", "rules", RULES)
    promtool("test", "rules", "bouquetd.rules.test.yml", cwd=RULES.parent)
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    tried = (RULES.parent / "bouquetd.rules.test.yml").read_text()
    assert all(re.search(rf"alertname: {alert}\n +exp_alerts:\n +- exp_labels", tried) for alert in alerts)


def test_what_the_rules_ask_for_is_in_a_scrape(scrape: str) -> None:
    expressions = "\n".join(re.findall(r"expr: (.*)", RULES.read_text()))
    assert set(NAME.findall(expressions)) <= names(scrape)


# -- the dashboard ----------------------------------------------------------------------------------------


def queries(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (one["expr"] for one in dashboard["annotations"]["list"])


def test_what_the_dashboard_asks_for_is_in_a_scrape_and_can_be_parsed(scrape: str, tmp_path: Path) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = list(queries(dashboard))
    variables = "\n".join(one.get("query", "") for one in dashboard["templating"]["list"])
    assert set(NAME.findall("\n".join([*asked, variables]))) <= names(scrape)
    rules = [
        {"record": f"q:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(asked)
    ]
    written = tmp_path / "queries.yml"
    written.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", written)


def read_back(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard as Grafana's own models understand it."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    found: dict[str, Any] = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    return found


def lost(given: Any, kept: Any, place: str = "") -> Iterator[str]:
    """Where ``kept`` has not what ``given`` has."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept.get(key), f"{place}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{place}[{number}]")
    elif given != kept:
        yield f"{place}: {given!r} is read as {kept!r}"


def test_grafanas_own_models_lose_nothing_of_the_dashboard() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert list(lost(dashboard, read_back(dashboard))) == []


def test_grafanas_own_models_would_tell_of_what_they_do_not_know() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    dashboard["panels"][0]["targets"][0]["expresion"] = "up"
    dashboard["panels"][0]["fieldConfig"]["defaults"]["unti"] = "s"
    dashboard["tilte"] = "x"
    assert len(list(lost(dashboard, read_back(dashboard)))) == 3


def test_no_panel_lies_over_another_and_all_have_a_title_and_say_what_they_show() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not own & taken
        taken |= own
        assert panel["title"]
        assert panel["description"].endswith(".")
    assert len({panel["id"] for panel in panels}) == len(panels)
