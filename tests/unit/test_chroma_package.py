"""Chroma's package comes without what it never uses here, and nobody else is the poorer for it."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from bouquetd.store.package import chromadb
chroma = chromadb()
print(chroma.__name__, "grpc" in sys.modules)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
print(OTLPSpanExporter.__name__, chromadb() is chroma)
"""


@pytest.mark.parametrize(("told", "loaded"), [("", "False"), ("http://127.0.0.1:4317", "True")])
def test_grpc_is_loaded_only_where_traces_are_to_be_sent(told: str, loaded: str) -> None:
    environ = {**os.environ, "CHROMA_OTEL_COLLECTION_ENDPOINT": told}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["chromadb", loaded, "OTLPSpanExporter", "True"]
