"""The operator's rules: what of the inbox is not taken, from now on and across restarts."""

import shlex

import pytest

from bouquetd.errors import Rejected
from bouquetd.inbox.rules import MOST, Rules
from tests.harness import Home, work


@pytest.mark.parametrize(
    ("rule", "source", "fits"),
    [
        ("wrong/*", "wrong/a.txt", True),
        ("wrong/*", "wrong/deep/a.txt", True),
        ("wrong", "wrong/deep/a.txt", True),
        ("wrong", "wrong.txt", False),
        ("*.log", "deep/er/x.log", True),
        ("a[1].txt", "a1.txt", True),
        ("a[1].txt", "a[1].txt", True),
        ("old [1]", "old [1]/b.txt", True),
        ("old [1]", "old [1].txt", False),
        ("Wrong/*", "wrong/a.txt", False),
    ],
)
def test_a_rule_is_a_glob_of_the_whole_source_or_a_folder(rule, source, fits):
    assert Rules(["other", rule])(source) == (rule if fits else None)
    assert Rules()(source) is None


def test_what_waits_leaves_the_queue_at_once_and_comes_back_when_the_rule_goes(tmp_path):
    home = Home(tmp_path / "home")
    home.put("good.txt", "Good.")
    home.put("wrong/a.txt", "Wrong.")
    with home.engine() as (parts, _log):
        asked = parts.service.handlers(lambda function: function())["ignore"]
        parts.intake.refresh()
        assert parts.queue.count() == 2
        assert asked({"add": ["wrong/"], "remove": []}) == {"rules": ["wrong"], "unknown": []}
        work(parts)
        assert home.states() == {"good.txt": "filed"}
    with home.engine() as (parts, _log):
        work(parts)
        assert home.states() == {"good.txt": "filed"}
        assert home.cli("files", "--ignored").out == "wrong/a.txt: the operator's rule wrong\n1 ignored.\n"
        asked = parts.service.handlers(lambda function: function())["ignore"]
        assert asked({"add": [], "remove": ["wrong", "never"]}) == {"rules": [], "unknown": ["never"]}
        work(parts)
        assert home.states()["wrong/a.txt"] == "filed"


def test_the_command_says_what_it_does_and_what_stays(tmp_path):
    home = Home(tmp_path / "home")
    home.put("wrong/a.txt", "Wrong.")
    home.put("wrong/b.bin", b"\x00\x01" * 100)
    home.once()
    home.put("wrong/c.txt", "Waits.")
    preview = home.cli("ignore", "-n", f"{home.inbox}/wrong/*").out
    assert preview == "wrong/c.txt\n1 would be ignored, of what waits in the inbox.\n"
    assert home.cli("ignore", "--list").out.startswith("There are no rules")
    out = home.cli("ignore", "wrong/*").out
    assert "wrong/*: ignored from now on; `bouquetd ignore --remove 'wrong/*'` takes that back" in out
    assert "In failed/, and to stay there: 1 file.\n" in out
    assert "In the store, and to stay there: 1 document; `bouquetd forget` takes it out.\n" in out
    assert home.cli("ignore", "--list").out == "wrong/*\n"
    assert home.cli("explain", "wrong/c.txt").out.startswith("wrong/c.txt: in the inbox, not taken\n")
    assert home.cli("ignore", "--remove", "nothing").status == 1
    assert home.cli("ignore", "/elsewhere/*").status == 2
    assert home.cli("ignore", "*").status == 69
    assert "taken" in home.cli("ignore", "--remove", "wrong/*").out
    assert home.cli("files", "--ignored").out == "Nothing in the inbox is ignored.\n"


def test_a_quote_in_a_rule_is_no_end_of_the_command_that_takes_it_back(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", "Here.")
    home.once()
    command = home.cli("ignore", "it's;id/*").out.split("`")[1]
    assert shlex.split(command) == ["bouquetd", "ignore", "--remove", "it's;id/*"]


def test_there_are_two_hundred_at_most_and_one_too_many_adds_none(tmp_path):
    with Home(tmp_path / "home").engine() as (parts, _log):
        ledger = parts.ledger
        ledger.add_rules([f"{n}/*" for n in range(MOST - 1)], MOST)
        with pytest.raises(Rejected, match="more than 200 rules"):
            ledger.add_rules(["a", "b"], MOST)
        assert len(ledger.rules()) == MOST - 1
        ledger.add_rules(["a", "a", "5/*"], MOST)
        assert len(ledger.rules()) == MOST
