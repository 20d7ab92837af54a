"""Embedders: ours beside Chroma's own function on the same model, and how little is lost on the way to Chroma.

Each case runs in a process of its own (``tests.bench.embedders CASE MODEL CHUNKS``), on chunks of real
text as the daemon cuts them. Chroma's function takes as many threads as there are cores; ours is given as many.
The model with 32 bits is built from the published weights, which pip fetches.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bouquetd.chunk import chunk
from bouquetd.config import Embed
from bouquetd.embed.choice import chosen
from bouquetd.embed.folder import MINILM
from bouquetd.model import Piece
from bouquetd.ops.models import install_minilm
from tests.bench.machine import memory
from tests.bench.process import Bench, Home, child, say
from tests.bench.report import Result, Table
from tests.bench.text import paragraphs, plain_files

AIMS = {"fp32": 3.0, "int8": 1.5}
"""Times as fast per chunk as Chroma's function on the model with 32 bits, and on ours."""

GROWTH_MB, KEPT = 5, 0.9

BATCH = 20


def measure(bench: Bench) -> Result:
    """Speed by case, growth over many chunks, and what is left of the embedder's speed end to end."""
    log = bench.folder / "log"
    exact = str(install_minilm(None, say, bench.folder / "all-MiniLM-L6-v2", exact=True).path)
    chunks, cores = bench.pick(60, 500), len(os.sched_getaffinity(0))
    cases = {
        "Chroma's function, 32 bits": ("chroma", exact),
        "Chroma's function, 8 bits": ("chroma", str(MINILM)),
        "onnx, 32 bits": ("onnx", exact),
        "minilm (8 bits)": ("minilm", "-"),
        "static": ("static", "-"),
    }
    speeds = {name: child("embedders", *case, chunks, log=log) for name, case in cases.items()}
    ours = speeds["minilm (8 bits)"]
    times = {
        bits: {key: speeds[f"Chroma's function, {kind} bits"][key] / ours[key] for key in ("seconds", "cpu")}
        for bits, kind in (("fp32", 32), ("int8", 8))
    }
    growth = child("embedders", "growth", "-", bench.pick(1_000, 20_000), log=log)
    ends = {provider: _end_to_end(bench, provider, bench.pick(200, 2_000)) for provider in ("minilm", "static")}
    rows = [
        [name, chunks / run["seconds"], 1e3 * run["cpu"] / chunks, run["before_mb"], run["peak_mb"]]
        for name, run in speeds.items()
    ]
    kept = [[name, run["chunks"], run["bare"], run["whole"], run["ratio"]] for name, run in ends.items()]
    return Result(
        [
            Table(
                f"Embedders, {chunks} chunks of real text, {cores} threads",
                ["", "chunks/s", "CPU ms a chunk", "RSS before the model MB", "peak RSS MB"],
                rows,
            ),
            Table(
                "End to end: files to Chroma beside the bare embedder, the same texts",
                ["", "chunks", "bare, seconds", "whole, seconds", "ratio"],
                kept,
            ),
        ],
        {"speeds": speeds, "times": times, "growth": growth, "ends": ends},
        [
            f"minilm is {times['fp32']['seconds']:.1f} times as fast as Chroma's function on 32 bits"
            f" ({times['fp32']['cpu']:.1f} by CPU time; the aim is {AIMS['fp32']}) and"
            f" {times['int8']['seconds']:.1f} times on the same file ({times['int8']['cpu']:.1f};"
            f" {AIMS['int8']}).",
            f"Over {growth['chunks']:,} chunks of 1 to 3,000 characters its warm RSS grew by"
            f" {growth['grown_mb']:.1f} MB; the aim is under {GROWTH_MB}.",
            f"End to end the aim is {KEPT} of the bare embedder or more.",
        ],
    )


def _end_to_end(bench: Bench, provider: str, chunks: int) -> dict[str, Any]:
    folder, log = bench.folder / provider, bench.folder / "log"
    files = plain_files(folder / "files", chunks, (30_000,))
    home = Home.fresh(folder / "home", embed={"provider": provider})
    home.drop(files)
    whole = child("stages", home.config, len(files), log=log)
    home.prove(len(files))
    bare = child("embedders", "bare", provider, folder / "files", log=log)
    return {
        "chunks": whole["chunks"], "whole": whole["seconds"], "bare": bare["seconds"],
        "ratio": bare["seconds"] / whole["seconds"], "stages": whole["stages"], "peak_mb": whole["peak_mb"],
    }  # fmt: skip


def _texts(number: int) -> list[str]:
    pieces = (Piece(f"{part}\n\n") for part in paragraphs(11))
    return [found.text for found in islice(chunk(pieces), number)]


def _mixed(number: int) -> list[str]:
    """Real text cut anywhere: from one character to several windows."""
    rng, source = random.Random(5), paragraphs(7)
    text = "\n".join(islice(source, 2_000))
    found = []
    for _ in range(number):
        start, size = rng.randrange(len(text) - 3_000), int(3_000 ** rng.random())
        found.append(text[start : start + size])
    return found


def _function(case: str, model: str) -> Callable[[Sequence[str]], Any]:
    if case == "chroma":
        from chromadb.utils.embedding_functions import ONNXMiniLM_L6_V2

        # Where it looks, and no download: the folder has all files that it asks for.
        ONNXMiniLM_L6_V2.DOWNLOAD_PATH = Path(model).parent
        ONNXMiniLM_L6_V2.EXTRACTED_FOLDER_NAME = Path(model).name
        own = ONNXMiniLM_L6_V2()
        return lambda texts: own(list(texts))
    threads = len(os.sched_getaffinity(0)) if case != "static" else None
    path = model if case == "onnx" else ""
    return chosen(Embed.read({"provider": case, "model": path, "threads": threads})).embed


def _speed(case: str, model: str, number: int) -> dict[str, Any]:
    texts, before = _texts(number + BATCH), memory()[0]
    embed = _function(case, model)
    embed(texts[:BATCH])
    began, cpu = time.perf_counter(), time.process_time()
    for start in range(BATCH, len(texts), BATCH):
        embed(texts[start : start + BATCH])
    return {
        "seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu,
        "before_mb": before, "peak_mb": memory()[1],
    }  # fmt: skip


def _growth(number: int) -> dict[str, Any]:
    texts = _mixed(number)
    embed = chosen(Embed()).embed
    embed(texts[:BATCH])
    warm = [memory()[0]]
    for start in range(BATCH, len(texts), BATCH):
        embed(texts[start : start + BATCH])
        warm.append(memory()[0])
    return {"chunks": number, "grown_mb": max(warm) - warm[0], "rss_mb": warm[:: max(1, len(warm) // 100)]}


def _bare(provider: str, folder: Path) -> dict[str, Any]:
    texts = [
        found.text
        for file in sorted(folder.iterdir())
        for found in chunk([Piece(file.read_text(encoding="utf-8"))])
    ]
    embed = chosen(Embed.read({"provider": provider})).embed
    embed(texts[:BATCH])
    began = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        embed(texts[start : start + BATCH])
    return {"chunks": len(texts), "seconds": time.perf_counter() - began}


def main(case: str, model: str, what: str) -> None:
    """Measure one case, print."""
    if case == "bare":
        print(json.dumps(_bare(model, Path(what))))
    elif case == "growth":
        print(json.dumps(_growth(int(what))))
    else:
        print(json.dumps(_speed(case, model, int(what))))


if __name__ == "__main__":
    main(*sys.argv[1:4])
