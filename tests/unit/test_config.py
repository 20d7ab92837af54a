"""The configuration: what it accepts, what it refuses, and how well it says why."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bouquetd.config import (
    LIVE,
    OPTIONS,
    Config,
    Embed,
    Invalid,
    Settings,
    advise,
    changed,
    check_paths,
    find,
    load,
    render,
    shard_chunks,
    write_fresh,
)
from bouquetd.config.loader import defaults
from bouquetd.config.settings import DIMENSIONS, PROFILES, notation, value
from bouquetd.config.units import Quantity
from bouquetd.embed.choice import chosen
from bouquetd.embed.static import StaticEmbedder
from bouquetd.errors import ConfigError

MB = 1024 * 1024
QUANTITIES = {key: option.quantity for key, option in OPTIONS.items() if option.quantity}


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    return tmp_path / "bouquetd.yaml"


def loaded(file: Path, text: str = "", **environ: str) -> Config:
    file.write_text(text)
    return load(file, environ)


def problems(file: Path, text: str, **environ: str) -> list[str]:
    """What ``load`` complains about, without the file's name in front: ``LINE: ...``."""
    with pytest.raises(ConfigError) as caught:
        loaded(file, text, **environ)
    assert all(problem.startswith(f"{file}:") for problem in caught.value.problems)
    return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]


# What an empty file means


def test_an_empty_file_is_the_balanced_profile(yaml_file: Path) -> None:
    config = loaded(yaml_file)
    assert config.path == yaml_file
    assert changed(config.settings, config.settings) == []
    assert config.settings.profile == "balanced"
    assert config.settings.inbox.settle == 2.0
    assert config.settings.inbox.max_file_size == 50 * MB
    assert config.settings.memory.limit == 500 * MB
    assert config.settings.memory.throttle == 0.8
    assert config.settings.memory.pause_limit == 300.0
    assert config.settings.store.batch_size == 250


@pytest.mark.parametrize("text", ["# nothing", "---\n", "memory:\n  # limit: 1GB\n", "\ufeffmemory: {}\n"])
def test_a_file_or_a_section_with_comments_only_changes_nothing(yaml_file: Path, text: str) -> None:
    assert loaded(yaml_file, text).settings == loaded(yaml_file).settings


def test_settings_cannot_be_changed(yaml_file: Path) -> None:
    settings = loaded(yaml_file).settings
    with pytest.raises(AttributeError, match="frozen"):
        settings.memory.limit = 1
    with pytest.raises(AttributeError, match="frozen"):
        del settings.memory.limit
    assert settings == loaded(yaml_file).settings


def test_a_copy_differs_in_what_is_named_and_nothing_else() -> None:
    memory = Settings().memory
    copy = memory.but(limit=1)
    assert (copy.limit, copy.but(limit=memory.limit)) == (1, memory)
    assert hash(copy.but(limit=memory.limit)) == hash(memory)
    assert repr(copy).startswith("Memory(limit=1, throttle=0.8, ")
    with pytest.raises(TypeError, match="no options: limt"):
        memory.but(limt=1)


def test_all_that_is_wrong_is_said_at_once_by_dotted_key() -> None:
    with pytest.raises(Invalid) as caught:
        Settings.read({"memory": {"limit": "5", "limt": 1}, "chunk": 5, "entities": {"provider": 5}})
    assert caught.value.faults == {
        "memory.limt": "unknown option; remove it",
        "memory.limit": "5 is too small; use 50MB or more",
        "chunk": "5 is no section",
        "entities.provider": "5 is not one of patterns, spacy, openai, none; use one of these",
    }


# Profiles


@pytest.mark.parametrize(
    ("profile", "file_size", "read_size", "batch", "concurrent"),
    [
        ("speed", 100 * MB, MB, 50, 5),
        ("balanced", 50 * MB, 256 * 1024, 20, 2),
        ("safety", 25 * MB, 128 * 1024, 10, 1),
    ],
)
def test_a_profile_sets_the_limits_of_the_guide(
    yaml_file: Path, profile: str, file_size: int, read_size: int, batch: int, concurrent: int
) -> None:
    settings = loaded(yaml_file, f"profile: {profile}").settings
    assert settings.inbox.max_file_size == file_size
    assert settings.stream.read_size == read_size
    assert settings.pipeline.batch_size == batch
    assert settings.entities.max_concurrent == concurrent


def test_the_file_goes_before_the_profile_and_the_profile_before_the_default(yaml_file: Path) -> None:
    config = loaded(yaml_file, "profile: speed\npipeline: {batch_size: 7}\n")
    assert config.settings.pipeline.batch_size == 7
    assert config.origin["pipeline.batch_size"] == "file"
    assert config.settings.entities.max_concurrent == 5
    assert config.origin["entities.max_concurrent"] == "profile"
    assert config.origin["pipeline.max_attempts"] == "default"
    assert set(config.origin) == set(OPTIONS)


def test_the_balanced_profile_is_the_default_of_the_model(yaml_file: Path) -> None:
    balanced = loaded(yaml_file).settings
    assert [
        key
        for key in OPTIONS
        if not key.startswith("paths.") and value(balanced, key) != value(Settings(), key)
    ] == []


def test_all_profiles_set_the_same_options(yaml_file: Path) -> None:
    sets = [
        {key for key, origin in loaded(yaml_file, f"profile: {name}").origin.items() if origin == "profile"}
        for name in PROFILES
    ]
    assert sets[0] == sets[1] == sets[2]
    assert sorted(path.stem for path in (defaults() / "profiles").iterdir()) == sorted(PROFILES)


# The commented file


def uncommented() -> str:
    """The commented file with the options in force that it leaves to the profile: ``#key: value``, no space."""
    return re.sub(r"(?m)^( *)#(?=\w+:)", r"\1", (defaults() / "bouquetd.yaml").read_text())


def test_the_commented_file_has_every_option_at_its_default_and_nothing_else(yaml_file: Path) -> None:
    config = loaded(yaml_file, uncommented())
    assert {key for key, origin in config.origin.items() if origin != "file"} == {"paths.runtime"}
    assert re.search(r"(?m)^  runtime: null\b", uncommented())
    assert changed(config.settings, loaded(yaml_file).settings) == []


def test_the_commented_file_writes_values_as_render_does(yaml_file: Path) -> None:
    for key, text, _ in render(loaded(yaml_file)):
        if not key.startswith("paths."):
            assert re.search(rf"(?m)^ *{key.rpartition('.')[2]}: {re.escape(text)}( +#|$)", uncommented()), key


def test_the_commented_file_leaves_to_the_profile_what_profiles_set(yaml_file: Path) -> None:
    write_fresh(yaml_file)
    speed = yaml_file.read_text().replace("\nprofile: balanced", "\nprofile: speed")
    assert loaded(yaml_file, speed).settings == loaded(yaml_file, "profile: speed").settings


def test_the_commented_file_names_the_range_of_every_quantity() -> None:
    text = (defaults() / "bouquetd.yaml").read_text()
    for key, quantity in QUANTITIES.items():
        if (key.startswith("memory.") and quantity.kind.example.endswith("%")) or key == "chunk.overlap":
            continue  # their bounds are other options, and said in words
        low, high = quantity.kind.write(quantity.low), quantity.kind.write(quantity.high)
        assert f"{low} to {high}" in text, key


def test_init_writes_a_file_that_loads_with_its_folders_beside_it(tmp_path: Path) -> None:
    home = tmp_path / "a folder"
    home.mkdir()
    write_fresh(home / "mine.yaml")
    paths = load(home / "mine.yaml", {}).settings.paths
    assert paths.inbox == home / "inbox"
    assert paths.archive == home / "archive"
    assert paths.failed == home / "failed"
    assert paths.store == home / "store"
    assert paths.runtime == home / "state" / "run"


def test_init_never_overwrites(yaml_file: Path) -> None:
    yaml_file.write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_fresh(yaml_file)
    assert yaml_file.read_text() == "mine"


def test_init_into_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written \(No such file or directory\)"):
        write_fresh(tmp_path / "nowhere" / "bouquetd.yaml")


# Notation


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1MB", MB),
        ("1MiB", MB),
        ("1 MB", MB),
        ("1mb", MB),
        ("4096KB", 4 * MB),
        ("1.5MB", MB * 3 // 2),
        ("1GB", 1024 * MB),
        ("1048576", MB),
        ("1048576B", MB),
    ],
)
def test_sizes_are_bytes_in_binary_units(yaml_file: Path, text: str, size: int) -> None:
    assert loaded(yaml_file, f"inbox: {{max_file_size: {text}}}").settings.inbox.max_file_size == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2), ("1.5s", 1.5), ("5m", 300), ("1h", 3600), ("1d", 86400)],
)
def test_durations_are_seconds(yaml_file: Path, text: str, seconds: float) -> None:
    assert loaded(yaml_file, f"inbox: {{rescan: {text}}}").settings.inbox.rescan == seconds


@pytest.mark.parametrize(("text", "fraction"), [("90%", 0.9), ("'85 %'", 0.85), ("82.5%", 0.825)])
def test_percents_are_fractions(yaml_file: Path, text: str, fraction: float) -> None:
    assert loaded(yaml_file, f"memory: {{throttle: {text}}}").settings.memory.throttle == fraction


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "inbox: {max_file_size: 50XB}",
            "'50XB' has the unknown unit 'XB'; use TB, GB, MB, KB, for instance 50MB",
        ),
        ("inbox: {max_file_size: big}", "'big' is not a size; write for instance 50MB"),
        ("inbox: {max_file_size: -1MB}", "'-1MB' is not a size; write for instance 50MB"),
        ("inbox: {max_file_size: 10}", "10 is too small; use 1KB or more"),
        ("inbox: {max_file_size: 11GB}", "11GB is too large; use 10GB or less"),
        ("inbox: {max_file_size: 2000.5}", "'2000.5' is not a whole number; write for instance 50MB"),
        ("inbox: {settle: 2}", "'2' has no unit; use d, h, m, s, ms, for instance 2s"),
        ("inbox: {settle: '1:30'}", "'1:30' is not a duration; write for instance 2s"),
        ("inbox: {settle: }", "nothing is not a duration; write for instance 2s"),
        ("inbox: {settle: [2s]}", "['2s'] is not a duration; write for instance 2s"),
        ("memory: {throttle: 0.8}", "'0.8' has no unit; use %, for instance 80%"),
        ("memory: {throttle: 100%}", "100% is too large; use 99% or less"),
        ("chunk: {size: many}", "'many' is not a whole number; write for instance 20"),
        ("chunk: {size: 800.5}", "'800.5' is not a whole number; write for instance 20"),
        ("chunk: {size: 1KB}", "'1KB' is not a whole number; write for instance 20"),
        ("inbox: {after: no}", "'no' is not one of archive, delete, keep; use one of these"),
        ("logging: {level: warn}", "'warn' is not one of debug, info, warning, error; did you mean warning?"),
        ("profile: sped", "'sped' is not one of speed, balanced, safety; did you mean speed?"),
        ('inbox: {watch: "\\ud800"}', "'\\ud800' is not one of auto, native, polling;"),
        ('embed: {model: "\\ud800"}', "'\\ud800' is not the name of a model;"),
        ("store: {batch_size: 6000}", "6000 is too large; use 5461 or less"),
        ("paths: {inbox: }", "nothing is not a folder; write its path, for instance inbox"),
        ('paths: {inbox: "a\\0b"}', "'a\\x00b' contains a NUL character; take it out"),
        (
            "paths: {inbox: ~nobody-of-that-name/in}",
            "names a home that is not known here; write the path in full",
        ),
        (
            "inbox: {ignore: '*.tmp'}",
            "'*.tmp' is not a list of up to 200 patterns; write for instance [\"*.tmp\"]",
        ),
        ("inbox: {ignore: [a/b]}", "'a/b' has a slash"),
        ("inbox: {ignore: ['*']}", "'*' ignores every file; take it out"),
        ("inbox: {ignore: ['']}", "'' is not a pattern"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write_instead(yaml_file: Path, line: str, message: str) -> None:
    [problem] = problems(yaml_file, line)
    section, _, rest = line.partition(": ")
    key = section if section == "profile" else f"{section}.{rest[1:].partition(':')[0]}"
    assert problem.startswith(f"1: {key}: ")
    assert message in problem


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)
@examples(deadline=None)
@given(data=st.data())
def test_what_is_written_reads_back_as_the_same_number(quantity: Quantity, data: st.DataObject) -> None:
    grains = data.draw(st.integers(quantity.low, quantity.high))
    number = quantity.parse(quantity.kind.write(grains))
    assert number == grains / quantity.kind.grains
    assert quantity.parse(quantity.show(number)) == number
    assert quantity.parse(number) == number


def test_numbers_from_python_are_taken_as_they_are() -> None:
    settings = Settings.read({"memory": {"limit": 600 * MB, "throttle": 0.9}, "inbox": {"settle": 0.25}})
    assert (settings.memory.limit, settings.memory.throttle, settings.inbox.settle) == (600 * MB, 0.9, 0.25)


# Shape


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("memory:\n  limt: 5", "2: memory.limt: unknown option; did you mean `limit`?"),
        ("memroy: {limit: 5}", "1: memroy: unknown option; did you mean `memory`?"),
        ("max_file_size: 5MB", "1: max_file_size: unknown option; write `max_file_size` under `inbox:`"),
        ("memory.limit: 5MB", "1: memory.limit: unknown option; write `limit` under `memory:`"),
        ("inbox: {profile: speed}", "1: inbox.profile: unknown option; write `profile` at the left margin"),
        ("max_file_sise: 5MB", "1: max_file_sise: unknown option; did you mean `inbox.max_file_size`?"),
        ("chunk: {zzz: 1}", "1: chunk.zzz: unknown option; remove it, or use one of size, overlap"),
        ("? [a]\n: 1", "1: a key must be a plain word; remove the brackets or the `?` in front of it"),
        ("memory: 5", "1: memory: is a section; write its options under it, for instance `limit: ...`"),
        ("memory: [5]", "1: memory: is a section; write its options under it, for instance `limit: ...`"),
        (
            "memory: {limit: {a: 1}}",
            "1: memory.limit: has options of its own here; write one value behind the colon",
        ),
        (
            "inbox: {ignore: [[a]]}",
            "1: inbox.ignore: has options of its own here; write one value behind the colon",
        ),
        ("- a", "1: the file holds no options; write lines such as `profile: balanced`"),
        ("just text", "1: the file holds no options; write lines such as `profile: balanced`"),
        ("profile: speed\n\nprofile: safety", "3: profile: given twice, first in line 1; keep one of them"),
    ],
)
def test_a_key_or_a_shape_that_does_not_belong_is_refused(yaml_file: Path, text: str, problem: str) -> None:
    assert problems(yaml_file, text) == [problem]


def test_a_section_given_twice_is_refused_and_both_parts_are_checked(yaml_file: Path) -> None:
    found = problems(yaml_file, "memory:\n  limit: x\ninbox: {}\nmemory:\n  limit: 1GB\n  resume: y\n")
    assert [line.partition(";")[0] for line in found] == [
        "2: memory.limit: 'x' is not a size",
        "4: memory: given twice, first in line 1",
        "5: memory.limit: given twice, first in line 2",
        "6: memory.resume: 'y' is not a percentage",
    ]


def test_every_problem_is_reported_at_once_in_the_order_of_the_file(yaml_file: Path) -> None:
    text = """\
memory:
  limit: 500XB
  resume: 90%
chunk: {size: 100, overlap: 50}
inbox:
  aftr: keep
  settle: 2
paths: {archive: inbox/archive}
"""
    assert [line.split(": ")[:2] for line in problems(yaml_file, text)] == [
        ["2", "memory.limit"],
        ["3", "memory.resume"],
        ["4", "chunk.overlap"],
        ["6", "inbox.aftr"],
        ["7", "inbox.settle"],
        ["8", "paths.archive"],
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n  b: 2\n", 2),
        ("a: [1, 2\n", 2),
        ("inbox:\n\tafter: keep\n", 2),
        ("inbox:\n  ignore: [*.part]\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\n\x07", 2),
        ('a: "\\UFFFFFFFF"', 1),
        ("[" * 1500, 1),
    ],
)
def test_broken_yaml_is_one_problem_with_its_line(yaml_file: Path, text: str, line: int) -> None:
    [problem] = problems(yaml_file, text)
    assert problem.startswith(f"{line}: not valid YAML: ")


def test_a_file_that_is_not_utf8_says_in_which_line(yaml_file: Path) -> None:
    yaml_file.write_bytes(b"profile: speed\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r":2: is not UTF-8; save the file as UTF-8"):
        load(yaml_file, {})


def test_a_file_that_is_far_too_large_is_not_read_to_its_end(yaml_file: Path) -> None:
    with open(yaml_file, "wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ConfigError, match="is larger than 256 KB"):
        load(yaml_file, {})


def test_a_file_that_is_not_there_says_how_to_make_one(yaml_file: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no such file; write a fresh one with `bouquetd init .*bouquetd\.yaml`"
    ):
        load(yaml_file, {})


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path, {})


PLAUSIBLE = st.recursive(
    st.one_of(
        st.sampled_from(
            ["5MB", "2s", "80%", "keep", "null", "~", "-1", "1e9", "*", "&a", "*a", "!!bool x", "<<", "''"]
        ),
        st.text(max_size=6),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.dictionaries(
            st.sampled_from([part for key in OPTIONS for part in key.split(".")]), inner, max_size=4
        ).map(lambda items: "{" + ", ".join(f"{key}: {item}" for key, item in items.items()) + "}"),
    ),
    max_leaves=8,
)


@examples(deadline=None)
@given(data=st.one_of(st.binary(max_size=200), PLAUSIBLE.map(lambda text: text.encode("utf-8", "replace"))))
def test_whatever_the_file_holds_it_loads_or_says_why_not_line_by_line(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    file.write_bytes(data)
    found: tuple[str, ...] = ()
    try:
        printed = [text for _, text, _ in render(load(file, {}))]
    except ConfigError as error:
        found = error.problems
        printed = list(found)
    assert all(re.match(rf"{re.escape(str(file))}:\d+: \S", problem) for problem in found)
    assert printed
    assert all(text.isprintable() for text in printed)


# Combinations


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("memory: {resume: 80%}", "memory.resume", "memory.resume (80%) must be below memory.throttle (80%)"),
        (
            "memory: {throttle: 70%}",
            "memory.throttle",
            "memory.resume (70%) must be below memory.throttle (70%)",
        ),
        ("memory: {operation: 1GB}", "memory.operation", "must be below memory.limit (500MB)"),
        ("chunk: {size: 200}", "chunk.size", "chunk.overlap (100) must be less than half of chunk.size (200)"),
        ("stream: {buffer_size: 512KB}", "stream.buffer_size", "must be at most stream.read_size (256KB)"),
        (
            "stream: {read_size: 16MB}\ninbox: {max_file_size: 8MB}",
            "stream.read_size",
            "at most inbox.max_file_size (8MB)",
        ),
        ("pipeline: {batch_size: 251}", "pipeline.batch_size", "must be at most store.batch_size (250)"),
        (
            "store: {shard_chunks: 100}",
            "store.shard_chunks",
            "store.batch_size (250) must be at most store.shard_chunks (100)",
        ),
    ],
)
def test_an_impossible_combination_is_refused_at_the_line_that_made_it(
    yaml_file: Path, text: str, key: str, message: str
) -> None:
    [problem] = problems(yaml_file, text)
    assert problem.startswith(f"1: {key}: ")
    assert message in problem


def test_a_combination_with_a_value_of_the_profile_is_refused_at_the_line_in_the_file(yaml_file: Path) -> None:
    [problem] = problems(yaml_file, "profile: speed\nstore:\n  batch_size: 30\n")
    assert problem.startswith(
        "3: store.batch_size: pipeline.batch_size (50) must be at most store.batch_size (30)"
    )


def test_a_wrong_value_is_not_also_blamed_for_a_combination(yaml_file: Path) -> None:
    assert len(problems(yaml_file, "chunk: {size: x, overlap: 5000}")) == 1


# Paths


def test_relative_paths_start_at_the_file_and_not_at_the_working_directory(
    yaml_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml_file.write_text("paths: {inbox: drop/here}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load(Path("../bouquetd.yaml"), {})
    assert config.path == yaml_file
    assert config.settings.paths.inbox == tmp_path / "drop" / "here"
    assert config.settings.paths.archive == tmp_path / "archive"


def test_a_tilde_is_the_home_and_absolute_paths_stay(yaml_file: Path) -> None:
    paths = loaded(
        yaml_file, "paths: {inbox: ~/in, archive: /srv/archive}", HOME="/home/someone"
    ).settings.paths
    assert paths.inbox == Path("/home/someone/in")
    assert paths.archive == Path("/srv/archive")


def test_a_folder_may_have_a_number_for_a_name(yaml_file: Path, tmp_path: Path) -> None:
    assert loaded(yaml_file, "paths: {inbox: 2024-01-01}").settings.paths.inbox == tmp_path / "2024-01-01"


def test_the_runtime_folder_is_the_one_systemd_gives(yaml_file: Path, tmp_path: Path) -> None:
    def runtime(text: str, **environ: str) -> Path:
        return loaded(yaml_file, text, **environ).settings.paths.runtime

    assert runtime("") == tmp_path / "state" / "run"
    assert runtime("paths: {state: s}") == tmp_path / "s" / "run"
    assert runtime("paths: {runtime: null}", RUNTIME_DIRECTORY="/run/bouquetd") == Path("/run/bouquetd")
    assert runtime("", RUNTIME_DIRECTORY="/run/bouquetd:/run/other") == Path("/run/bouquetd")
    assert runtime("paths: {runtime: r}", RUNTIME_DIRECTORY="/run/bouquetd") == tmp_path / "r"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("archive: inbox/archive", "lies inside paths.inbox"),
        ("archive: inbox", "paths.inbox and paths.archive are the same folder"),
        ("inbox: archive/in", "lies inside paths.archive"),
        ("archive: failed/archive", "lies inside paths.failed"),
        ("state: inbox/.state", "lies inside paths.inbox"),
        ("store: state", "paths.state and paths.store are the same folder"),
        ("runtime: inbox/run", "lies inside paths.inbox"),
        ("runtime: state", "paths.state and paths.runtime are the same folder"),
        ("archive: ./x/../inbox", "paths.inbox and paths.archive are the same folder"),
    ],
)
def test_folders_in_each_other_are_refused(yaml_file: Path, text: str, message: str) -> None:
    [problem] = problems(yaml_file, f"paths:\n  {text}\n")
    assert problem.startswith(f"2: paths.{text.partition(':')[0]}: ")
    assert message in problem


def test_folders_that_are_one_through_a_link_are_refused(yaml_file: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "link").symlink_to("inbox")
    [problem] = problems(yaml_file, "paths: {archive: link/archive}")
    assert f"paths.archive ({tmp_path}/inbox/archive) lies inside paths.inbox ({tmp_path}/inbox)" in problem


def test_a_link_made_later_is_found_by_looking_again(yaml_file: Path, tmp_path: Path) -> None:
    settings = loaded(yaml_file).settings
    assert check_paths(settings) == []
    (tmp_path / "failed").symlink_to("archive")
    (tmp_path / "archive").mkdir()
    [problem] = check_paths(settings)
    assert problem.startswith("paths.failed: paths.archive and paths.failed are the same folder")


def test_a_loop_of_links_is_no_folder(yaml_file: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").symlink_to("inbox")
    [problem] = problems(yaml_file, "")
    assert "inbox is there, but is not a folder" in problem


def test_the_file_itself_must_not_lie_in_the_inbox(yaml_file: Path, tmp_path: Path) -> None:
    away = "\n".join(f"  {name}: {tmp_path}-{name}" for name in ("archive", "failed", "state", "store"))
    [problem] = problems(yaml_file, f"paths:\n  inbox: .\n{away}\n")
    assert problem.startswith("2: paths.inbox: this very file lies inside the inbox")


def test_a_file_where_a_folder_belongs_is_refused(yaml_file: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    assert problems(yaml_file, "paths:\n  inbox: taken\n  store: taken2/../taken/store\n")[0].startswith(
        f"2: paths.inbox: {tmp_path}/taken is there, but is not a folder"
    )
    [problem] = problems(yaml_file, "paths: {store: taken/deep/store}")
    assert f"{tmp_path}/taken/deep/store cannot be made in {tmp_path}/taken, no folder" in problem


def read_only(_path: object) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, os.ST_RDONLY, 255))


def test_an_inbox_that_nothing_can_leave_is_refused_unless_files_stay(
    yaml_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", read_only)
    [problem] = problems(yaml_file, "paths:\n  inbox: inbox\n")
    assert problem.startswith("2: paths.inbox: ")
    assert "read-only file system" in problem
    assert loaded(yaml_file, "inbox: {after: keep}").settings.inbox.after == "keep"


# Advice


def test_nothing_is_advised_about_the_defaults(yaml_file: Path) -> None:
    assert advise(loaded(yaml_file).settings) == []


def test_folders_on_another_file_system_are_allowed_with_a_warning(yaml_file: Path, tmp_path: Path) -> None:
    if os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.fail("needs a second file system")
    far = "paths: {archive: /dev/shm/bouquetd-a, failed: /dev/shm/bouquetd-f}\n"
    advice = advise(loaded(yaml_file, far).settings)
    assert [line.partition(":")[0] for line in advice] == ["paths.failed", "paths.archive"]
    assert "files are copied there, not renamed" in advice[0]
    advice = advise(loaded(yaml_file, far + "inbox: {after: delete}\n").settings)
    assert [line.partition(":")[0] for line in advice] == ["paths.failed"]


def test_a_shard_that_is_large_for_the_limit_is_warned_of(yaml_file: Path) -> None:
    [advice] = advise(loaded(yaml_file, "store: {shard_chunks: 100000}").settings)
    assert advice.startswith("store.shard_chunks: 100000 chunks in a shard take some 195 MB of RSS")


def test_a_single_collection_is_warned_of_with_the_size_at_which_work_stops(yaml_file: Path) -> None:
    [advice] = advise(loaded(yaml_file, "store: {shard_chunks: 0}").settings)
    assert advice.startswith("store.shard_chunks: 0 puts all chunks into one collection")
    assert "at some 128,000 chunks work stops for good at memory.limit (500MB)" in advice


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("", 5_000),
        ("memory: {limit: 100MB}", 3_000),
        ("memory: {limit: 50MB}", 2_000),
        ("memory: {limit: 64GB}", 5_000),
        ("memory: {limit: 50MB}\nstore: {batch_size: 3000}", 3_000),
        ("store: {shard_chunks: auto}", 5_000),
        ("store: {shard_chunks: 700}", 700),
        ("store: {shard_chunks: 0}", 0),
    ],
)
def test_the_size_of_a_shard_follows_from_the_limit_unless_it_is_set(
    yaml_file: Path, text: str, chunks: int
) -> None:
    config = loaded(yaml_file, text)
    assert shard_chunks(config.settings) == chunks


def test_the_dimensions_known_to_the_configuration_are_the_embedders() -> None:
    assert DIMENSIONS["static"] == StaticEmbedder.dimensions
    assert DIMENSIONS["minilm"] == chosen(Embed()).dimensions
    assert {*DIMENSIONS, "openai"} == set(Embed.options["provider"].choices)


def test_the_folder_of_a_model_lies_beside_the_file_and_threads_are_chosen_unless_given(
    yaml_file: Path,
) -> None:
    embed = loaded(yaml_file, "embed: {provider: onnx, model: models/e5, threads: auto}").settings.embed
    assert (embed.model, embed.threads) == (str(yaml_file.parent / "models/e5"), None)


# Finding, comparing, printing


def test_the_configuration_is_looked_for_where_the_manual_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "etc.yaml"
    monkeypatch.setattr("bouquetd.config.loader.SYSTEM_FILE", system)
    with pytest.raises(ConfigError, match=r"write a fresh one with `bouquetd init bouquetd\.yaml`"):
        find(None, {}, tmp_path)
    system.touch()
    assert find(None, {"BOUQUETD_CONFIG": ""}, tmp_path) == system
    (tmp_path / "bouquetd.yaml").touch()
    assert find(None, {}, tmp_path) == tmp_path / "bouquetd.yaml"
    assert find(None, {"BOUQUETD_CONFIG": "env.yaml"}, tmp_path) == tmp_path / "env.yaml"
    assert find(Path("/named.yaml"), {"BOUQUETD_CONFIG": "env.yaml"}, tmp_path) == Path("/named.yaml")


def test_two_settings_are_compared_by_dotted_key(yaml_file: Path) -> None:
    old = loaded(yaml_file).settings
    new = loaded(yaml_file, "profile: safety\nmemory: {limit: 1GB}\ninbox: {ignore: ['*.x']}").settings
    assert changed(old, new) == [
        "profile",
        "inbox.max_file_size",
        "inbox.ignore",
        "stream.read_size",
        "entities.max_concurrent",
        "pipeline.batch_size",
        "memory.limit",
    ]


def test_what_can_be_reloaded_are_options() -> None:
    assert set(OPTIONS) >= LIVE
    shown = {key for key in OPTIONS if key.startswith(("memory.", "logging."))}
    assert shown - LIVE == {"memory.trace"}  # it has to be there before anything is loaded
    assert not any(key.startswith(("paths.", "store.", "embed.", "chunk.")) for key in LIVE)


def test_effective_values_are_printed_in_the_notation_of_the_file(yaml_file: Path, tmp_path: Path) -> None:
    rows = {
        key: (text, origin)
        for key, text, origin in render(loaded(yaml_file, "inbox: {settle: 1500ms, rescan: 90s}"))
    }
    assert list(rows) == list(OPTIONS)
    assert rows["memory.limit"] == ("500MB", "default")
    assert rows["inbox.max_file_size"] == ("50MB", "profile")
    assert rows["inbox.settle"] == ("1500ms", "file")
    assert rows["inbox.rescan"] == ("90s", "file")
    assert rows["memory.throttle"] == ("80%", "default")
    assert rows["chunk.size"] == ("800", "default")
    assert rows["paths.inbox"] == (f"{tmp_path}/inbox", "default")


def test_what_is_printed_can_be_written_back(yaml_file: Path) -> None:
    config = loaded(yaml_file, "profile: safety\nmemory: {pressure: 12.5%}\ninbox: {ignore: ['é*', \"'\"]}")
    lines = []
    for key in OPTIONS:
        section, _, option = key.rpartition(".")
        if section and f"{section}:" not in lines:
            lines.append(f"{section}:")
        lines.append(f"{'  ' if section else ''}{option}: {notation(config.settings, key)}")
    assert loaded(yaml_file, "\n".join(lines)).settings == config.settings


def test_an_installed_package_finds_its_profiles_inside_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "bouquetd"
    checkout = defaults()
    monkeypatch.setattr("bouquetd.config.fresh.__file__", str(package / "config" / "load.py"))
    with pytest.raises(ConfigError, match="install bouquetd again"):
        defaults()
    shutil.copytree(checkout, package / "defaults")
    assert defaults() == package / "defaults"


# Addresses


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ('""', ""),
        ("127.0.0.1:9464", "127.0.0.1:9464"),
        ("localhost:9464", "localhost:9464"),
        ('"[::1]:9464"', "[::1]:9464"),
        ('"[0:0::1]:9464"', "[::1]:9464"),
        ("unix:/run/b/m.sock", "unix:/run/b/m.sock"),
        ("0.0.0.0:9464", "0.0.0.0:9464"),
    ],
)
def test_an_address_is_loopback_any_other_or_a_unix_socket(yaml_file: Path, text: str, listen: str) -> None:
    settings = loaded(yaml_file, f"metrics:\n  listen: {text}\n").settings
    assert settings.metrics.listen == listen
    written = notation(settings, "metrics.listen")
    assert loaded(yaml_file, f"metrics:\n  listen: {written}\n").settings == settings


def test_a_relative_unix_socket_lies_beside_the_file(yaml_file: Path) -> None:
    settings = loaded(yaml_file, "page: {listen: 'unix:page.sock'}").settings
    assert settings.page.listen == f"unix:{yaml_file.parent}/page.sock"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9464", "'9464' is not an address; write for instance 127.0.0.1:9464"),
        ("127.0.0.1", "'127.0.0.1' is not an address"),
        ("127.0.0.1:0", "has no port between 1 and 65535"),
        ("127.0.0.1:70000", "has no port between 1 and 65535"),
        ("example.org:80", "names no IP address"),
        ("http://127.0.0.1:80", "is not an address"),
        ("'unix:'", "is not a socket"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(yaml_file: Path, text: str, message: str) -> None:
    [problem] = problems(yaml_file, f"metrics:\n  listen: {text}\n")
    assert problem.startswith("2: metrics.listen: ")
    assert message in problem


@pytest.mark.parametrize("listen", ["0.0.0.0:9465", "192.0.2.7:9465", "'[::]:9465'"])
def test_a_page_that_others_may_reach_is_refused_without_a_token(yaml_file: Path, listen: str) -> None:
    [problem] = problems(yaml_file, f"page:\n  listen: {listen}\n")
    assert problem.startswith("2: page.listen: whoever reaches")
    assert "page.token_file" in problem
    (yaml_file.parent / "token").touch()
    [advice] = advise(loaded(yaml_file, f"page:\n  listen: {listen}\n  token_file: token\n").settings)
    assert advice.startswith("page.listen: on ")
    assert "unencrypted" in advice


@pytest.mark.parametrize("listen", ["127.0.0.1:9465", "localhost:9465", "'[::1]:9465'", "unix:/p.sock"])
def test_a_page_for_this_machine_alone_wants_no_token(yaml_file: Path, listen: str) -> None:
    assert advise(loaded(yaml_file, f"page:\n  listen: {listen}\n").settings) == []


def test_metrics_may_be_read_from_elsewhere_with_a_warning(yaml_file: Path) -> None:
    [advice] = advise(loaded(yaml_file, "metrics: {listen: '0.0.0.0:9464'}").settings)
    assert advice.startswith("metrics.listen: whoever reaches 0.0.0.0:9464 may read the figures")


def test_a_token_file_that_is_not_there_is_told_with_how_to_make_it(yaml_file: Path) -> None:
    [advice] = advise(loaded(yaml_file, "page: {listen: 'localhost:1', token_file: nowhere}").settings)
    assert advice.startswith(f"page.token_file: {yaml_file.parent}/nowhere is not there")
    assert "openssl rand" in advice


def test_where_nobody_listens_is_the_default(yaml_file: Path) -> None:
    settings = loaded(yaml_file).settings
    assert (settings.metrics.listen, settings.page.listen, settings.page.token_file) == ("", "", None)
    assert not {"metrics.listen", "page.listen", "page.token_file"} & LIVE
