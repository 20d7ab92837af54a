"""Entities found by a pipeline of spaCy: whichever is installed, its labels brought to our kinds.

Models are packages of their own (https://spacy.io/models): ``pip install`` the wheel of one of them beside
bouquetd, and name it in ``entities.model``; the folder of a pipeline does too. What has a grammar is found by
our patterns here as well: they verify what they find, and a model does not.

One text at a time, whatever ``entities.max_concurrent`` says: a pipeline keeps every word it has seen, and
gives them back only at the end of a ``memory_zone``, which cannot be shared.

Measured (design, section 7): the small English model 52 chunks/s, 156 MB of RSS.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from importlib.metadata import distributions
from importlib.util import find_spec
from types import MappingProxyType

from bouquetd.entities import Provider
from bouquetd.entities.patterns import MOST, patterns
from bouquetd.errors import ConfigError

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "PERSON": "person", "PER": "person", "persName": "person", "PS": "person", "PRS": "person",
        "ORG": "organisation", "orgName": "organisation", "OG": "organisation",
        "ORGANIZATION": "organisation",
        "GPE": "place", "LOC": "place", "FAC": "place", "LC": "place", "placeName": "place",
        "geogName": "place",
        "LOCATION": "place",
    }
)  # fmt: skip
"""Our kind by the label of a model; those of the newer and the older corpora that spaCy's are trained on."""

_OURS = frozenset(("person", "organisation", "place"))
_REMEDY = "name the package of a pipeline that is installed (https://spacy.io/models), or its folder"
_UNUSED = ("tagger", "parser", "lemmatizer", "attribute_ruler", "textcat", "senter")


def pipeline(model: str) -> Provider:
    """The provider behind ``entities.provider: spacy``; ``model`` is an installed package or a folder.

    Raises ``ConfigError`` where spaCy or the model is missing, or the model finds no entities.
    """
    require(model)
    import spacy

    try:
        nlp = spacy.load(model, exclude=_UNUSED)
    except (OSError, ValueError) as error:
        raise ConfigError(
            [f"entities.model: {model} cannot be loaded: {str(error).splitlines()[0][:200]}; {_REMEDY}"]
        ) from error
    if not {"ner", "entity_ruler", "span_ruler"} & set(nlp.pipe_names):
        raise ConfigError([f"entities.model: {model} finds no entities (it has {', '.join(nlp.pipe_names)})"])
    lock, grammar = threading.Lock(), patterns()

    def found(text: str) -> list[str]:
        with lock, nlp.memory_zone():
            named = [(label, " ".join(e.text.split())) for e in nlp(text).ents if (label := _kind(e.label_))]
        both = dict.fromkeys([*grammar(text), *(f"{kind}:{value}" for kind, value in named if value)])
        return list(both)[: 2 * MOST]

    return found


def require(model: str) -> None:
    """See that spaCy and a pipeline are there, loading neither. Raises ``ConfigError`` where they are not."""
    if not find_spec("spacy"):
        raise ConfigError(
            ["entities.provider: spacy is not installed here; install it with: pip install 'bouquetd[spacy]'"]
        )
    if os.path.sep in model:
        if not os.path.exists(os.path.join(model, "meta.json")):
            raise ConfigError([f"entities.model: {model} is no folder of a pipeline of spaCy; {_REMEDY}"])
    elif not os.path.exists(model) and not any(distributions(name=model)):
        raise ConfigError(
            [
                f"entities.model: the pipeline {model} is not installed here; install it with:"
                f" {sys.executable} -m spacy download {model}"
            ]
        )


def _kind(label: str) -> str | None:
    return LABELS.get(label) or (label.lower() if label.lower() in _OURS else None)
