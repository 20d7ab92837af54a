"""SIGKILL at random moments while a store grows: mostly new documents, shards filled and sealed on the way."""

from pathlib import Path

import pytest

from tests.faults.campaign import AS_SHIPPED, FULL, LARGE, Quota, campaign, drop_mostly_new
from tests.faults.world import World

pytestmark = pytest.mark.faults


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", [AS_SHIPPED, LARGE])
def test_fifty_kills_while_a_store_grows_past_its_first_shard_leave_no_trace(
    tmp_path: Path, shard: int
) -> None:
    world = World(tmp_path / "killed", shard_chunks=shard)
    quota = Quota(kills=50, full=FULL[shard], replacing=2, shard=shard // 2, small=44 - FULL[shard], sealed=1)
    campaign(world, quota, drop_mostly_new, "fifty, growing", chunks=(60, 240), kept=1500)
