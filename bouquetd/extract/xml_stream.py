"""The events of an XML document, by Expat as a stream, and what makes one hostile or no XML at all."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from bouquetd.errors import Rejected
from bouquetd.extract.reading import Reading, beyond
from bouquetd.model import MB

_LONGEST_TAG = MB
_LONGEST_DECLARATIONS = 1 * MB
_MOST_NAMES = 20_000  # of elements and attributes, which expat remembers all


class Broken(Exception):
    """The file is no XML that can be followed; the text says why."""


class Handler:
    """Takes the events of a document; attributes are names and values in turn."""

    def attach(self, parser: expat.XMLParserType) -> None:
        """Have the parser tell what the handler wants to know."""
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end

    def start(self, name: str, attributes: list[str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def reached(self, position: int) -> None:
        """All up to that byte was read."""


def parsed(blocks: Iterator[str], handler: Handler) -> Iterator[None]:
    """Hand a document to a handler, block by block.

    Raises Broken when it is no XML, or has too many names; Rejected when a tag has no end.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate("utf-8", None, names)
    parser.ordered_attributes = True
    parser.specified_attributes = True
    parser.UseForeignDTD(True)  # noqa: FBT003  # a name that nobody defines is no damage
    handler.attach(parser)
    fed = 0
    try:
        for text in blocks:
            data = text.encode("utf-8", "replace")
            parser.Parse(data, False)  # noqa: FBT003
            fed += len(data)
            if fed - max(0, parser.CurrentByteIndex) > _LONGEST_TAG + len(data):
                raise Rejected(
                    f"one of its tags is longer than {_LONGEST_TAG // MB} MB, or has no end",
                    "Take out what is embedded in it (a picture as text, for one), and drop it again.",
                )
            if len(names) > _MOST_NAMES:
                raise Broken(f"it has more than {_MOST_NAMES} different names of elements and attributes")
            handler.reached(parser.CurrentByteIndex)
            yield
        parser.Parse(b"", True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise Broken(str(error)) from None
    yield


class _Check(Handler):
    """Refuses what is hostile: raises Rejected for entities, and for more than ``bounds`` allows."""

    def __init__(self, reading: Reading) -> None:
        self._bounds = reading.bounds
        self._depth = 0
        self._declared = 0  # attributes, in the document type
        self._declaring = False

    def attach(self, parser: expat.XMLParserType) -> None:
        super().attach(parser)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EndDoctypeDeclHandler = self._doctype_over
        parser.EntityDeclHandler = self._entity
        parser.AttlistDeclHandler = self._attribute

    def start(self, _name: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._depth > self._bounds.nesting:
            raise beyond(
                f"its elements are nested more than {self._bounds.nesting} (bounds.nesting) deep", "nesting"
            )
        if len(attributes) > 2 * self._bounds.attributes:
            raise beyond(
                f"an element has {len(attributes) // 2} attributes, of {self._bounds.attributes} that"
                " bounds.attributes allows",
                "attributes",
            )

    def end(self, _name: str) -> None:
        self._depth -= 1

    def reached(self, position: int) -> None:
        if self._declaring and position > _LONGEST_DECLARATIONS:
            raise Broken("the declarations of its document type have no end")

    def _doctype(self, *_: object) -> None:
        self._declaring = True

    def _doctype_over(self) -> None:
        self._declaring = False

    def _entity(self, name: str, *_: object) -> None:
        raise Rejected(
            f"the XML declares the entity {name[:50]!r}: what it stands for may be endless, or another file,"
            " and is never looked up",
            "Save it with its entities replaced (xmllint --noent --dropdtd, for one), and drop that.",
        )

    def _attribute(self, *_: object) -> None:
        self._declared += 1
        if self._declared > self._bounds.attributes:
            raise beyond(
                f"its document type declares over {self._bounds.attributes} attributes (bounds.attributes)",
                "attributes",
            )


def check(blocks: Iterator[str], reading: Reading) -> None:
    """See whether a document can be followed: raises Broken or Rejected, as ``parsed``, where not."""
    for _ in parsed(blocks, _Check(reading)):
        pass
