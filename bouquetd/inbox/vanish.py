"""Whether missing files were deleted by their owners, or something happened to the inbox as a whole. Pure."""

from __future__ import annotations

SHARE = 5
"""At most one file in this many may go missing at once before we ask."""

ALLOWANCE = 5
"""Files that may always go: one in five of a small inbox would make every single deletion an alarm, and a
handful is quickly ingested again should it have been a mistake."""


def may_forget(known: int, missing: int, *, same_device: bool, inbox_exists: bool) -> str | None:
    """Why the chunks of ``missing`` out of ``known`` files must be held, or None when they may be forgotten.

    ``same_device`` says that the inbox lies on the device it was on when the files were taken.
    """
    if not inbox_exists:
        return "the inbox is missing"
    if not same_device:
        return "the inbox lies on another device than before; is its file system mounted?"
    if missing > max(ALLOWANCE, known // SHARE):
        return f"{missing} of {known} files are missing at once, more than one in {SHARE}"
    return None
