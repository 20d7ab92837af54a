import random
import re

import pytest

from bouquetd.model import Hit
from bouquetd.ops.search import rank, runs
from tests.harness import Home, prose


def hit(id_, text, distance):
    return Hit(id_, text, {"source": id_}, distance)


def ids(hits):
    return [h.id for h in hits]


def test_a_passage_that_shares_the_questions_words_overtakes_nearer_ones_that_do_not():
    hits = [hit("a", "about cats", 0.1), hit("b", "about dogs", 0.2), hit("c", "where herons sleep", 0.3)]
    assert ids(rank("Where do herons sleep?", hits)) == ["c", "a", "b"]
    assert ids(rank("Where do birds rest?", [*hits[:2], hit("c", "herons sleep", 0.3)])) == ["a", "b", "c"]


def test_scores_of_an_index_of_words_take_the_place_of_those_over_the_hits():
    hits = [hit("a", "herons", 0.1), hit("b", "nothing of the kind", 0.2)]
    first, second = rank("herons", hits, {"b": 7.0, "a": 1.0})
    assert (first.id, first.by_meaning, first.by_words) == ("b", 2, 1)
    assert (second.id, second.by_meaning, second.by_words) == ("a", 1, 2)
    assert [h.by_words for h in rank("herons", hits, {"b": 7.0})] == [1, None]


def test_the_distances_from_what_came_first_rank_all_once_more_and_each_says_its_place_by_its_own():
    hits = [hit("a", "x", 0.1), hit("b", "x", 0.2), hit("c", "x", 0.3)]
    ranked = rank("y", hits, again=lambda best: [abs(n - best) / 10 for n in (0, 2, 1)])
    assert ids(ranked) == ["a", "c", "b"]
    assert [(h.by_meaning, h.distance) for h in ranked] == [(1, 0.1), (3, 0.3), (2, 0.2)]


def test_without_a_shared_word_the_nearest_comes_first():
    hits = [hit("far", "one", 0.9), hit("near", "two", 0.1), hit("middle", "three", 0.5)]
    assert ids(rank("something else", hits)) == ["near", "middle", "far"]


def test_a_rare_word_counts_for_more_than_a_common_one():
    hits = [hit("a", "a report", 0.1), hit("b", "a report", 0.2), hit("rare", "a heron", 0.3)]
    assert ids(rank("report heron", hits)) == ["rare", "a", "b"]


def test_words_weigh_less_than_meaning_in_a_long_question_and_more_in_a_short_one():
    hits = [hit("near", "about birds", 0.1), hit("middle", "about fish", 0.2), hit("says it", "herons", 0.3)]
    assert ids(rank("herons", hits))[0] == "says it"
    assert ids(rank("where might I read how the herons build their nests", hits))[0] == "near"


def test_words_are_compared_without_regard_to_case_and_punctuation():
    hits = [hit("a", "ein Weg", 0.1), hit("b", "ein Pfad", 0.2), hit("it", "HAUPTSTRASSE, (Nord)!", 0.3)]
    assert ids(rank("hauptstraße nord", hits)) == ["it", "a", "b"]


def test_the_ranking_loses_and_invents_nothing_and_does_not_depend_on_the_order_of_the_hits():
    words = ["heron", "reed", "river", "stone", "bank"]
    chance = random.Random(7)
    hits = [hit(str(n), " ".join(chance.choices(words, k=4)), n / 100) for n in range(50)]
    ranked = ids(rank("heron at the river", hits))
    assert sorted(ranked) == sorted(ids(hits))
    chance.shuffle(hits)
    assert ids(rank("heron at the river", hits)) == ranked


@pytest.mark.parametrize("question", ["", "?!", "\x00", "a" * 10_000])
def test_odd_questions_rank_by_distance(question):
    assert ids(rank(question, [hit("b", "x", 0.2), hit("a", "y", 0.1)])) == ["a", "b"]
    assert rank(question, []) == []


def test_words_in_the_order_of_the_question_count_for_more_than_the_same_words_apart():
    hits = [hit("apart", "sleep where the herons do", 0.1), hit("together", "where herons sleep", 0.2)]
    assert ids(rank("where herons sleep", hits)) == ["together", "apart"]


def test_each_hit_says_its_place_by_meaning_and_by_words():
    ranked = rank("heron", [hit("near", "a bird", 0.1), hit("named", "a heron", 0.2)])
    assert {h.id: (h.by_meaning, h.by_words) for h in ranked} == {"near": (1, None), "named": (2, 1)}


def test_the_longest_runs_of_words_that_do_not_overlap_are_looked_for():
    pattern = runs("the herons, standing motionless; and a reed (bent) by the wind")
    assert pattern is not None
    assert re.search(pattern, "HERONS -- standing\nmotionless")
    assert not re.search(pattern, "herons and motionless standing")


def test_a_question_too_short_for_a_run_is_looked_for_word_by_word():
    pattern = runs("Bitterns, of")
    assert pattern is not None
    assert re.search(pattern, "two bitterns")
    assert not re.search(pattern, "herons of the reed")


@pytest.mark.parametrize("question", ["", "an ox", "?! ..."])
def test_a_question_without_a_word_long_enough_is_looked_for_by_meaning_only(question):
    assert runs(question) is None


def test_a_rare_word_alone_finds_its_passage_among_many(tmp_path):
    home = Home(tmp_path / "home")
    for n in range(4):
        home.put(f"{n}.txt", prose(120_000, n))
    home.put("rare.txt", prose(1500, 9) + " A single xylotomous beetle. " + prose(1500, 10))
    assert home.once().status == 0
    [hit] = home.cli("search", "xylotomous", "-n", "1", "--json").json
    assert hit["source"] == "rare.txt"
    assert "xylotomous" in hit["text"]


@pytest.mark.parametrize("text", ["-5 degrees in Sodankylä", "-1.75", "-n is what an option begins with"])
def test_what_begins_with_a_dash_is_looked_for_too(tmp_path, text):
    home = Home(tmp_path / "home")
    home.put("a.txt", f"It said: {text}, and no more. ".encode() * 3)
    home.once()
    assert [hit["source"] for hit in home.cli("search", text, "-n", "1", "--json").json] == ["a.txt"]


def test_the_value_of_an_option_may_begin_with_a_dash(tmp_path):
    home = Home(tmp_path / "home")
    home.put("cold.txt", b"Frost came in the night, and at dawn it was -5 \xc2\xb0C.")
    home.put("mild.txt", b"Frost came in the night, and at dawn it was 5 \xc2\xb0C.")
    home.once()
    found = home.cli("search", "frost", "--containing", "-5 \N{DEGREE SIGN}C", "--json")
    assert [hit["source"] for hit in found.json] == ["cold.txt"]


def test_a_search_can_be_narrowed_by_metadata_and_by_words_that_must_stand_there(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", b"The heron waits in the reeds. It never hurries.")
    home.put("b.md", b"# Birds\n\nThe heron waits in the reeds. Its name is Anton.")
    assert home.once().status == 0

    def found(*options):
        return {hit["source"] for hit in home.cli("search", "heron", *options, "--json").json}

    assert found() == {"a.txt", "b.md"}
    assert found("--where", 'media_type = "text/markdown"') == {"b.md"}
    assert found("--where", 'name != "b.md"', "--containing", "hurries", "--containing", "reeds") == {"a.txt"}
    assert found("--kind", "markdown", "--since", "1h", "--source", "b*", "--source", "c*") == {"b.md"}
    nothing = home.cli("search", "heron", "--where", 'name = "c"', "--kind", "text")
    assert nothing.status == 1
    assert nothing.out.splitlines()[:3] == [
        "Nothing found. Searched: 2 documents, 2 chunks.",
        "   --kind text: 1 chunk",
        "   --where: no chunk",
    ]
    shown = home.cli("search", "the herons name", "-n", "1").out.splitlines()
    assert shown[0] == "1. b.md, Birds"
    assert shown[1] == "   # Birds The heron waits in the reeds. Its name is Anton."
    assert re.fullmatch(r"   1st by meaning \(distance 0\.\d\d\), 1st by words: heron, name", shown[2])
    assert shown[3] == f"   {home.archive / 'b.md'}"
    for option in ("--kind", "--since", "--language", "--entity"):
        assert home.cli("search", "heron", option, "").status == 2
    wrong = home.cli("search", "heron", "--where", "name = c")
    assert wrong.status == 2
    assert "Expected a value, text in quotes" in " ".join(wrong.err.replace("│", " ").split())
