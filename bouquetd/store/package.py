"""Chroma's package, imported late and without what it never uses here.

Commands that never touch the store must not pay 50 MB and 0.5 s for it. 13 MB of that are gRPC, imported for an
exporter of traces that works only where ``CHROMA_OTEL_COLLECTION_ENDPOINT`` says whither to send them.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

_EXPORTER = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"


def chromadb() -> Any:
    """The package ``chromadb``."""
    spared = "chromadb" not in sys.modules and _EXPORTER not in sys.modules
    if spared and not os.environ.get("CHROMA_OTEL_COLLECTION_ENDPOINT"):
        stand_in = ModuleType(_EXPORTER)
        stand_in.OTLPSpanExporter = None  # type: ignore[attr-defined]
        sys.modules[_EXPORTER] = stand_in
        try:
            import chromadb
        finally:
            del sys.modules[_EXPORTER]  # who wants the real one gets it
    else:
        import chromadb
    return chromadb
