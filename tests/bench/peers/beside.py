"""Peers: the daemon beside what LangChain and LlamaIndex document, and the bare loop, on the same files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from bouquetd.model import MB
from tests.bench.peers import environment
from tests.bench.process import Bench, child
from tests.bench.report import Result, Table
from tests.bench.speed import SIZES, row, run_bare, run_ours
from tests.bench.text import mixed_files

PEERS = {"langchain": "LangChain", "llamaindex": "LlamaIndex"}
"""Names by what their module, their requirements and their environment are called after."""

OFFLINE = {
    "ANONYMIZED_TELEMETRY": "False",
    "HF_HUB_OFFLINE": "1",
    "LANGSMITH_TRACING": "false",
    "PYTHONWARNINGS": "ignore::DeprecationWarning",
}
"""What keeps peers from talking to anybody. LlamaIndex carries NLTK's data and its tokenizer's with it."""

AT_ONCE = {"LangChain": "Chroma.add_documents", "LlamaIndex": "IngestionPipeline.run"}
"""Documented calls that do not keep to Chroma's limit, as ``from_documents`` does."""

AIM_SPEED, AIM_RSS = 1.0, 1 / 3


def measure(bench: Bench) -> Result:
    """One run each; all warm before the clock starts, all with everything in Chroma when it stops."""
    pythons = {peer: environment.python(peer) for peer in PEERS}
    files = mixed_files(bench.folder / "files", bench.pick(4_000, 40_000), SIZES)
    text = sum(file.stat().st_size for file in files) / MB
    runs = {"bouquetd": run_ours(bench, 0, len(files)), "bare loop": run_bare(bench, 0)}
    for peer, python in pythons.items():
        runs[PEERS[peer]] = _peer(bench, peer, python)
    rows = [row(name, [run], text) for name, run in runs.items()]
    ours, others = rows[0], rows[1:]
    ratios = {
        other["name"]: {
            "chunks/s": ours["chunks/s"] / other["chunks/s"],
            "MB/s": ours["MB/s"] / other["MB/s"],
            "peak RSS MB": ours["peak RSS MB"] / other["peak RSS MB"],
        }
        for other in others
    }
    refusals = [
        f"{name}'s `{call}`, given one chunk more than Chroma takes in a call, is refused: {refusal}."
        for name, call in AT_ONCE.items()
        if (refusal := runs[name]["refusal"])
    ]
    return Result(
        [
            Table(
                f"Peers: {len(files)} text, Markdown and HTML files, {text:.1f} MB",
                ["", *(key for key in ours if key != "name")],
                [list(values.values()) for values in rows],
            ),
            Table(
                "bouquetd beside each, its figure divided by the other's",
                ["", *next(iter(ratios.values()))],
                [[name, *ratio.values()] for name, ratio in ratios.items()],
            ),
        ],
        {"rows": rows, "ratios": ratios, "runs": runs, "files": len(files), "text_mb": text},
        [
            f"The aim beside LangChain and LlamaIndex is more than {AIM_SPEED:.0f} of their speed and at most"
            f" {AIM_RSS:.2f} of their peak RSS. Every splitter cuts the same text into different numbers of"
            " chunks; the ratio by bytes stands beside that by chunks.",
            *refusals,
        ],
    )


def _peer(bench: Bench, peer: str, python: Path) -> dict[str, Any]:
    store = bench.folder / peer
    try:
        return child(
            f"peers.{peer}_way", bench.folder / "files", store, log=bench.folder / f"{peer}.log",
            python=python, **OFFLINE,
        )  # fmt: skip
    finally:
        shutil.rmtree(store, ignore_errors=True)
