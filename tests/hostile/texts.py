"""How a long text is made of a short one."""

from __future__ import annotations

MOST = 990_000  # characters, just below what a cell may have


def filled(part: str, characters: int = MOST) -> str:
    """Return a part again and again, up to so many characters."""
    return (part * (characters // len(part) + 1))[:characters]


def numbered(part: str, count: int, between: str = "\n") -> str:
    """Return a part so many times, each with its number for `#`."""
    return between.join(part.replace("#", str(number)) for number in range(count))
