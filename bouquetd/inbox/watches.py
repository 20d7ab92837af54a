"""How many folders the kernel lets one user watch: one watch each.

Of a container that is a user namespace of its own ``user.max_inotify_watches`` is the limit; elsewhere the two
are one and the same.
"""

from __future__ import annotations

from collections.abc import Callable

ENOUGH = 524_288
"""What to raise the limit to: the kernel's own ceiling on machines of 8 GB, 500 MB if all were used."""

LIMITS = ("fs.inotify.max_user_watches", "user.max_inotify_watches")
"""Their names for sysctl."""


def tightest(read: Callable[[str], str | None]) -> tuple[str, int] | None:
    """The limit that is reached first, its name and its value; None where the kernel shows none.

    ``read`` gives the text of a file, None where there is none.
    """
    texts = {name: (read(f"/proc/sys/{name.replace('.', '/')}") or "").strip() for name in LIMITS}
    found = [(name, int(text)) for name, text in texts.items() if text.isdecimal()]
    return min(found, key=lambda limit: limit[1], default=None)


def raised(name: str) -> str:
    """The command that raises a limit until the machine starts anew."""
    return f"sysctl {name}={ENOUGH}"
