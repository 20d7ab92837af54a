"""SIGKILL at random moments while documents are replaced: new content comes in, old chunks must go."""

from pathlib import Path

import pytest

from tests.faults.campaign import AS_SHIPPED, FULL, LARGE, Quota, campaign, drop_mostly_replacements
from tests.faults.world import World

pytestmark = pytest.mark.faults


def test_a_few_kills_while_documents_come_and_are_replaced_leave_no_trace(tmp_path: Path) -> None:
    world = World(tmp_path / "killed", shard_chunks=300, store_batch=40)
    quota = Quota(kills=2, full=1, replacing=1, shard=100)
    campaign(world, quota, drop_mostly_replacements, "a few", chunks=(20, 60), kept=150)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", [AS_SHIPPED, LARGE])
def test_fifty_kills_while_documents_of_a_large_shard_are_replaced_leave_no_trace(
    tmp_path: Path, shard: int
) -> None:
    world = World(tmp_path / "killed", shard_chunks=shard)
    quota = Quota(kills=50, full=FULL[shard], replacing=24, shard=shard // 2, small=44 - FULL[shard])
    campaign(world, quota, drop_mostly_replacements, "fifty, replaced", chunks=(60, 240), kept=1000)
