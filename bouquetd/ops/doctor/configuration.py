"""Is there a configuration, is it sound, and what in it is slower or riskier than it need be."""

from __future__ import annotations

from collections.abc import Iterator

from bouquetd.config import advise
from bouquetd.model import printable
from bouquetd.ops.doctor.finding import Finding, ended, failed, passed, warned
from bouquetd.ops.doctor.surroundings import Surroundings


def valid(around: Surroundings) -> Iterator[Finding]:
    """The YAML can be read and every option in it stands."""
    if around.config_file is None:
        for problem in around.problems:
            yield failed(ended(problem), f"{around.program} init bouquetd.yaml")
        return
    if around.problems:
        around.read(str(around.config_file))  # raises ``NoRights``
    for problem in around.problems:
        there = around.config_file.exists()
        mend = around.edit if there else f"{around.program} init {printable(str(around.config_file))}"
        yield failed(ended(problem), mend)
    if around.config is not None:
        yield passed(f"{printable(str(around.config_file))} is valid.")


def advice(around: Surroundings) -> Iterator[Finding]:
    """What works but could be better: folders on two file systems, shards too large, keys in the clear."""
    lines = advise(around.settings)
    for line in lines:
        yield warned(ended(line), around.edit)
    if not lines:
        yield passed("inbox, archive and failed are on one file system: files are moved, not copied.")
