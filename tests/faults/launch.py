"""Runs the command line of bouquetd in a process that counts what it embeds and, if told to, dies at one step.

    COUNTS [--die before|after MODULE:NAME N [warm]] -- once -c FILE [then verify -c FILE]

The process is forked from a server that has imported everything, which is most of what a start takes.

The N-th call of the named function kills its own process with SIGKILL, just before or just after the real work.
What is done to warm up does not count, unless ``warm`` is said after N; then nothing else does.
Each call of the embedder first appends a line to COUNTS: what asked for it, and how many texts it gave.
"""

import argparse
import functools
import importlib
import itertools
import multiprocessing
import os
import signal
import sys
import threading

import chromadb  # noqa: F401, for those who are forked

from bouquetd import cli, running, worker  # noqa: F401
from bouquetd.assembly import Engine
from bouquetd.embed.static import StaticEmbedder
from bouquetd.store import rebuild

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])

ASKING = threading.local()
"""``who`` asks for what is being done: "warm", "rows" (the rebuild of a sealed shard), or none of these."""


def begin(arguments, out, log):
    """A process of our own: the session, output and environment that a shell would give it. Pickled by name."""
    process = CONTEXT.Process(target=live, args=(arguments, str(out), str(log)))
    process.start()
    return process


def live(arguments, out, log):
    os.setsid()
    for path, stream in ((out, 1), (log, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, stream)
        os.close(file)
    for name in ("NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "WATCHDOG_USEC", "BOUQUETD_CONFIG"):
        os.environ.pop(name, None)
    main(arguments)


def main(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("counts")
    parser.add_argument("--die", nargs="+")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args(words)
    count_embedding(arguments.counts)
    asked_by("warm", Engine, "warm")
    asked_by("rows", rebuild, "from_kept")
    if arguments.die:
        worker.GATHER = float("inf")  # lest a slow machine have documents filed, and calls counted, otherwise
        when, step, call, *warm = arguments.die
        die(when, step, int(call), warm=bool(warm))
    for _, command in itertools.groupby(arguments.command, lambda word: word == "then"):
        status = run(list(command))
        if status not in (0, 1):
            break
    sys.exit(status)


def run(command):
    """The status that one command of bouquetd exits with."""
    if command == ["then"]:
        return 0
    sys.argv = ["bouquetd", *command]
    try:
        cli.main()
    except SystemExit as end:
        return end.code
    return 0


def asked_by(who, owner, name):
    function = getattr(owner, name)

    @functools.wraps(function)
    def run(*arguments, **named):
        ASKING.who = who
        try:
            return function(*arguments, **named)
        finally:
            del ASKING.who

    setattr(owner, name, run)


def count_embedding(path):
    """Counted before it is done, so that no text that was embedded can go uncounted."""
    counts = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    embed = StaticEmbedder.embed

    @functools.wraps(embed)
    def run(self, texts, tokens=None):
        os.write(counts, f"{getattr(ASKING, 'who', 'batch')} {len(texts)}\n".encode())
        return embed(self, texts, tokens)

    StaticEmbedder.embed = run


def die(when, step, call, *, warm):
    module, _, path = step.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    function, calls = getattr(owner, name), itertools.count(1)

    @functools.wraps(function)
    def run(*arguments, **named):
        counts = (getattr(ASKING, "who", "") == "warm") == warm
        if when == "before" and counts and next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if when == "after" and counts and next(calls) == call:  # of those that came to something
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, run)
