"""SIGKILL at every named step of a document's life, just before it and just after it."""

import random
import shutil
from pathlib import Path

import pytest

from tests import samples
from tests.faults import documents
from tests.faults.snapshot import snapshot
from tests.faults.world import (
    BATCH,
    World,
    assert_ends_as_undisturbed,
    assert_nothing_lost_or_doubled,
    assert_same,
    make,
)

pytestmark = pytest.mark.faults

LIFE = [
    # what happens, the function that does it, which of its calls
    ("warmed, a scratch batch in Chroma", "bouquetd.store.chroma:Chroma.add", 1, "warm"),
    ("seen", "bouquetd.inbox.queue:Queue.see_all", 1),
    ("taken", "bouquetd.worker:Worker._take", 2),
    ("hashed", "bouquetd.worker:digest", 2),
    ("claimed", "bouquetd.ledger:Ledger.claim", 1),
    ("first batch embedded", "bouquetd.embed.static:StaticEmbedder.embed", 1),
    ("a later batch embedded", "bouquetd.embed.static:StaticEmbedder.embed", 4),
    ("first batch journalled", "bouquetd.ledger:Ledger.journal", 1),
    ("a later batch journalled", "bouquetd.ledger:Ledger.journal", 8),
    ("given to the store", "bouquetd.store.shards:Store.add", 3),
    ("marked dirty", "bouquetd.ledger:Ledger.mark_dirty", 1),
    ("first batch in Chroma", "bouquetd.store.chroma:Chroma.add", 1),
    ("a later batch in Chroma", "bouquetd.store.chroma:Chroma.add", 4),
    ("flushed", "bouquetd.store.shards:Store.flush", 1),
    ("sealing", "bouquetd.store.shards:Store._seal", 1),
    ("sealing, at rest", "bouquetd.store.shards:Store.rest", 1),
    ("sealing, called clean", "bouquetd.ledger:Ledger.mark_clean", 2),  # the first is the start's
    ("sealing, proven equal", "bouquetd.store.rebuild:equals_journal", 1),
    ("sealing, vectors kept", "bouquetd.store.kept:Kept.keep", 1),
    ("sealed", "bouquetd.ledger:Ledger.seal", 1),
    ("next shard created", "bouquetd.store.embedded:Embedded.create", 1),
    ("complete", "bouquetd.ledger:Ledger.complete", 1),
    ("moved", "bouquetd.filing:file_away", 1),
    ("renamed", "bouquetd.inbox.move:rename_new", 1),
    ("renamed, archive folder synced", "bouquetd.filing:sync_folders", 1),
    ("empty folders removed", "bouquetd.filing:remove_empty_parents", 1),
    ("filed", "bouquetd.ledger:Ledger.filed", 1),
    ("old content leaves a sealed shard", "bouquetd.store.chroma:Chroma.remove", 1),
    ("old content leaves the next sealed shard", "bouquetd.store.chroma:Chroma.remove", 2),
    ("old content removed", "bouquetd.ledger:Ledger.removed", 1),
    ("empty shard deleted", "bouquetd.store.embedded:Embedded.delete", 1),
    ("empty shard forgotten", "bouquetd.ledger:Ledger.drop_shard", 1),
    ("empty shard's vectors removed", "bouquetd.store.kept:Kept.drop", 1),
    ("duplicate noted", "bouquetd.ledger:Ledger.duplicate", 1),
    ("duplicate filed", "bouquetd.ledger:Ledger.duplicate", 2),
    ("known content filed again", "bouquetd.ledger:Ledger.seen_again", 1),
    ("rejected", "bouquetd.ledger:Ledger.failed", 1),
    ("rejected half-way", "bouquetd.ledger:Ledger.failed", 3),
    ("rejected, moved", "bouquetd.filing:fail_away", 1),
    ("rejected, reason written", "bouquetd.inbox.archive:_write", 1),
    ("rejected, recorded", "bouquetd.ledger:Ledger.failed", 2),
]

TORN = ("after", "bouquetd.store.chroma:Chroma.remove", 2)
"""Dies while it takes old content out of a sealed shard: that one and the active one are to be rebuilt."""

RECOVERY = [
    ("swept", "bouquetd.store.embedded:Embedded.sweep", 1),
    ("torn index put aside", "bouquetd.store.embedded:Embedded.detach", 1),
    ("rebuilding from kept records", "bouquetd.store.rebuild:from_kept", 2),
    ("new collection made", "bouquetd.store.embedded:Embedded.create", 2),
    ("page 1 of the rows", "bouquetd.store.chroma:Chroma.add", 1),
    ("page 2 of the rows", "bouquetd.store.chroma:Chroma.add", 2),
    ("new collection named", "bouquetd.ledger:Ledger.rename_shard", 2),
    ("old collection deleted", "bouquetd.store.embedded:Embedded.delete", 2),
    ("rebuilding from the journal", "bouquetd.store.rebuild:from_journal", 1),
    ("active collection deleted", "bouquetd.store.embedded:Embedded.delete", 3),
    ("active collection made", "bouquetd.store.embedded:Embedded.create", 3),
    ("page 1 of the journal", "bouquetd.store.chroma:Chroma.add", 3),
    ("page 2 of the journal", "bouquetd.store.chroma:Chroma.add", 4),
    ("called clean", "bouquetd.ledger:Ledger.mark_clean", 1),
    ("reconciled", "bouquetd.worker:Worker.reconcile", 1),
    ("old content removed at last", "bouquetd.ledger:Ledger.removed", 1),
]

JOURNALLED = ("after", "bouquetd.ledger:Ledger.journal", 8)
"""Dies with a batch in the journal that Chroma has yet to see."""

CATCHING_UP = [
    ("trusted no longer", "bouquetd.store.embedded:Embedded.distrust", 1),
    ("compared", "bouquetd.store.rebuild:_beginning", 1),
    ("what it lacks added", "bouquetd.store.chroma:Chroma.add", 1),
    ("called clean", "bouquetd.ledger:Ledger.mark_clean", 1),
]

UNFILED = ("after", "bouquetd.ledger:Ledger.complete", 1)
"""Dies when documents are whole and their files still lie in the inbox."""

RECONCILING = [
    ("moved", "bouquetd.filing:file_away", 1),
    ("renamed", "bouquetd.inbox.move:rename_new", 1),
    ("filed", "bouquetd.ledger:Ledger.filed", 1),
]

REJECTED = ("after", "bouquetd.ledger:Ledger.failed", 3)
"""Dies when a half-stored document turned out broken, before its chunks are gone and its file moved."""

REJECTING = [
    ("chunks removed", "bouquetd.ledger:Ledger.removed", 1),
    ("moved", "bouquetd.filing:fail_away", 1),
    ("reason written", "bouquetd.inbox.archive:_write", 1),
    ("recorded", "bouquetd.ledger:Ledger.failed", 2),
]

FORGETTING = [
    ("noted", "bouquetd.ledger:Ledger.forgotten", 1),
    ("chunks leave a shard", "bouquetd.store.chroma:Chroma.remove", 1),
    ("removed", "bouquetd.ledger:Ledger.removed", 1),
]

MOVING_FAR = [
    ("copied", "bouquetd.inbox.move:copy", 1),
    ("renamed", "bouquetd.inbox.move:rename_new", 1),  # after one that finds out it is another file system
    ("the original unlinked", "bouquetd.inbox.move:discard", 1),
]

DELETING = [
    ("deleted", "bouquetd.filing:delete_source", 1),
    ("unlinked", "bouquetd.inbox.move:_clear", 2),  # the first looks for what an earlier call left
]


class Story:
    """What lies in the store from yesterday, and what is dropped today: all that can happen to a document.

    A shard takes ``120 * scale`` chunks, so that today seals several, empties one and changes others.
    """

    def __init__(self, root: Path, scale: int) -> None:
        self.scale = scale
        self.yesterday = World(root / "yesterday", 120 * scale, 40)
        rng = random.Random(f"yesterday {scale}")
        for source, chunks in (
            ("first.txt", 130), ("second.md", 50), ("third.html", 40), ("fourth.pdf", 12), ("gone.docx", 70),
            ("last.csv", 25),
        ):  # fmt: skip
            self.yesterday.offer(source, make(rng, source, chunks * scale))
        self.yesterday.drain()
        self.today = self._today(random.Random(f"today {scale}"))
        self.calm = self.morning(root / "calm")
        self.wanted = assert_nothing_lost_or_doubled(self.calm, "once")

    def copy(self, root: Path, **options) -> World:
        """Yesterday's state, in a place of its own."""
        shutil.copytree(self.yesterday.root, root, dirs_exist_ok=True)
        return World(
            root,
            self.yesterday.shard_chunks,
            self.yesterday.store_batch,
            lives=self.yesterday.lives,
            offered=list(self.yesterday.offered),
            latest=dict(self.yesterday.latest),
            **options,
        )

    def morning(self, root: Path) -> World:
        """Yesterday's state with today's files in the inbox, the oldest first."""
        world = self.copy(root)
        for source, data in self.today:
            world.offer(source, data)
        return world

    def _today(self, rng: random.Random) -> list[tuple[str, bytes]]:
        def new(source: str, chunks: float) -> tuple[str, bytes]:
            return source, make(rng, source, chunks * self.scale)

        old = self.yesterday.latest
        return [
            new("deep/down/first.txt", 15),
            new("first.txt", 45),
            new("second.md", 45),
            ("twin.html", old["third.html"]),
            ("fourth.pdf", old["fourth.pdf"]),
            ("locked.pdf", samples.encrypted_pdf()),
            ("half.jsonl", documents.broken_half_way(rng, 50 * self.scale)),
            new("last.csv", 20),
            new("tenth.docx", 60),
            new("eleventh.json", 40),
            new("last.jsonl", 9),
        ]

    def killed(self, root: Path, *deaths: tuple, rebooted: bool = False) -> None:
        """Today, with these deaths one after the other; in the end all must be as if there had been none.

        With ``rebooted`` the system itself ended each time: what Chroma wrote last may not be on the disk.
        """
        world = self.morning(root)
        for death in deaths:
            world.start(die=death).until_dead()
            for trace in (world.root / "store").glob("*/trace.json") if rebooted else ():
                trace.unlink()
        found = assert_nothing_lost_or_doubled(world, "once")
        assert_same(found, self.wanted)
        assert world.documents() == self.calm.documents()
        over = world.embedded() - self.calm.embedded()
        assert over["batch"] <= len(deaths) * BATCH
        assert not over["rows"]
        assert over["warm"] <= len(deaths) * BATCH


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("story"), scale=1)


@pytest.fixture(scope="session")
def long_story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Its shards take 600 chunks, more than one page of a rebuild."""
    return Story(tmp_path_factory.mktemp("long-story"), scale=5)


def just_after(steps):
    """Each step once: they follow each other, so that just after one is just before the next."""
    return [pytest.param(("after", *step), id=f"after {name}") for name, *step in steps]


def around(steps):
    """Each step twice: the process dies just before it, and just after it."""
    return [
        pytest.param((when, *step), id=f"{when} {name}")
        for name, *step in steps
        for when in ("before", "after")
    ]


THAT_MATTER = [
    ("after", "bouquetd.ledger:Ledger.journal", 8),
    ("after", "bouquetd.store.chroma:Chroma.remove", 1),
    ("after", "bouquetd.inbox.move:rename_new", 1),
]


def test_a_kill_at_a_step_that_matters_leaves_no_trace(story: Story, tmp_path: Path) -> None:
    for number, death in enumerate(THAT_MATTER):
        story.killed(tmp_path / str(number), death)


@pytest.mark.long
@pytest.mark.parametrize("death", just_after(LIFE))
def test_a_kill_at_any_step_of_a_life_leaves_no_trace(story: Story, tmp_path: Path, death) -> None:
    story.killed(tmp_path, death)


@pytest.mark.long
@pytest.mark.parametrize("death", just_after(RECOVERY))
def test_a_kill_while_shards_are_rebuilt_leaves_no_trace(long_story: Story, tmp_path: Path, death) -> None:
    long_story.killed(tmp_path, TORN, death, rebooted=True)


@pytest.mark.long
@pytest.mark.parametrize("death", just_after(CATCHING_UP))
def test_a_kill_while_a_shard_is_given_what_it_lacks_leaves_no_trace(
    story: Story, tmp_path: Path, death
) -> None:
    story.killed(tmp_path, JOURNALLED, death)


@pytest.mark.long
@pytest.mark.parametrize("death", just_after(RECONCILING))
def test_a_kill_while_whole_documents_are_filed_at_start_leaves_no_trace(
    story: Story, tmp_path: Path, death
) -> None:
    story.killed(tmp_path, UNFILED, death)


@pytest.mark.long
@pytest.mark.parametrize("death", just_after(REJECTING))
def test_a_kill_while_a_rejection_is_finished_at_start_leaves_no_trace(
    story: Story, tmp_path: Path, death
) -> None:
    story.killed(tmp_path, REJECTED, death)


@pytest.mark.long
@pytest.mark.parametrize("death", around(FORGETTING))
def test_a_kill_while_a_document_is_forgotten_leaves_all_of_it_or_nothing(
    story: Story, tmp_path: Path, death
) -> None:
    world = story.copy(tmp_path)
    before = snapshot(world.root / "store")
    world.start("forget gone.docx", die=death).until_dead()
    world.run("forget gone.docx")
    found = assert_nothing_lost_or_doubled(world)
    wanted = {k: v for k, v in before["records"].items() if v[1]["source"] != "gone.docx"}
    assert 0 < len(wanted) < len(before["records"])
    assert_same(found, {**before, "records": wanted, "hits": found["asked"] * before["hits"] / before["asked"]})


@pytest.mark.long
@pytest.mark.parametrize("death", around([("abandoned", "bouquetd.ledger:Ledger.abandon", 1)]))
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "deleted"])
def test_a_kill_while_a_file_that_went_away_half_way_is_dropped_leaves_no_chunk_of_it(
    story: Story, tmp_path: Path, death, replaced
) -> None:
    world, rng = story.copy(tmp_path / "killed"), random.Random("abandoned")
    world.offer("new.txt", make(rng, "new.txt", 60))
    world.start(die=("after", "bouquetd.ledger:Ledger.journal", 2)).until_dead()
    (world.inbox / "new.txt").unlink()
    world.offered.pop()
    if replaced:
        world.offer("new.txt", make(rng, "new.txt", 50))
    else:
        del world.latest["new.txt"]
    world.start(die=death).until_dead()
    assert_ends_as_undisturbed(world, tmp_path / "calm", kills=2)


@pytest.mark.long
@pytest.mark.parametrize("death", around(MOVING_FAR))
def test_a_kill_while_a_file_is_moved_to_another_file_system_leaves_it_there_once(
    tmp_path: Path, elsewhere: Path, death
) -> None:
    world, rng = World(tmp_path / "killed", archive=elsewhere), random.Random("far")
    for source in ("one.txt", "two.html"):
        world.offer(source, make(rng, source, 30))
    world.start(die=death).until_dead()
    assert_ends_as_undisturbed(world, tmp_path / "calm", kills=1)


@pytest.mark.long
@pytest.mark.parametrize("death", around(DELETING))
def test_a_kill_while_an_ingested_file_is_deleted_leaves_its_chunks_once(tmp_path: Path, death) -> None:
    world, rng = World(tmp_path / "killed", after="delete"), random.Random("deleted")
    for source in ("one.txt", "two.html"):
        world.offer(source, make(rng, source, 30))
    world.start(die=death).until_dead()
    assert_ends_as_undisturbed(world, tmp_path / "calm", kills=1)


@pytest.fixture
def elsewhere(tmp_path: Path):
    """A folder on another file system than the inbox."""
    home = tmp_path.stat().st_dev
    other = next(p for p in map(Path, ("/dev/shm", "/run", "/tmp", "/var/tmp")) if p.stat().st_dev != home)
    folder = other / f"bouquetd-{tmp_path.name}-{random.getrandbits(64):x}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)
