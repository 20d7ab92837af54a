"""A small fixed text to measure with: real sentences, no two chunks alike."""

from __future__ import annotations

SENTENCES = (
    "The harbour was quiet when the first boats came back, and the gulls waited on the wall for what was left.",
    "A ledger is worth as much as the habit of writing into it before anything else is done.",
    "Whoever drops a file into a folder wants to find it again, not to know how it was cut into pieces.",
    "In the winter of that year the river froze for eleven days, and the mill stood still.",
    "The report lists 214 bridges, of which 37 were closed for repairs between March and October.",
    "She kept the letters in a tin box under the stairs, sorted by the colour of their stamps.",
    "Memory that was given back to the allocator is not yet memory that was given back to the system.",
    "Between the two villages runs a path that no map shows, though everybody there knows it.",
    "The committee met on Tuesday, heard the engineer, and put it off until the figures were checked.",
    "A candle burns about seven grams of wax an hour; the lantern on the stairs needed three a night.",
    "Copper roofs turn green because of the salt in the air, more quickly near the sea than inland.",
    "The second edition corrects the tables of the first, and adds an index of places.",
    "He measured the garden twice, with different results, and planted the trees by eye.",
    "An index that was torn by a power cut looks whole until somebody asks for what it has lost.",
    "The market opens at six; by nine the best of the vegetables are gone, and by noon the square is swept.",
)


def chunks(count: int, size: int) -> list[str]:
    """So many texts of about ``size`` characters each."""
    texts = []
    for number in range(count):
        text, step = f"Note {number}.", number
        while len(text) < size:
            text += f" {SENTENCES[step % len(SENTENCES)]}"
            step += 1 + number % 7
        texts.append(text[:size])
    return texts
