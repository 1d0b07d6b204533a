"""The colour of each kind of element: one place, so that the graph, its legend, tables and cards agree.

All are mid-tones: white text on them has a contrast of 4.5 or more, and they stand 3.0 or more off the backgrounds of
JupyterLab's light and dark themes (white and #111111), because a drawing can't know which theme it is seen in. Source:
WCAG 2.2, success criteria 1.4.3 and 1.4.11.
"""

from __future__ import annotations

KIND_COLOURS: dict[str, str] = {
    "screen": "#7a5cc4",
    "job": "#a8527a",
    "action": "#b0592a",
    "query": "#1f7f86",
    "entity": "#3069b5",
    "struct": "#5a6fa0",
    "integration": "#4c7d3c",
    "setting": "#84702a",
    "role": "#667085",
    "data": "#5b7a72",
    "test": "#7d6b5d",
    "component": "#8a5fa8",
    "column": "#2f7d6b",
    "attribute": "#4a72a8",
    "operation": "#5b7a3a",
    "notebook": "#8a6038",
    "package": "#6a6a4a",
}
OTHER = "#6b7280"
LINE = "#8b93a1"
ACCENT = "#e08a00"

_PLURALS = {"query": "queries", "entity": "entities", "data": "data"}


def colour_of(kind: str) -> str:
    """Return the colour of a kind; one that is not known is grey."""
    return KIND_COLOURS.get(kind, OTHER)


def order_of(kind: str) -> tuple[int, str]:
    """Return a key that sorts kinds as a reader goes: from screens to what they rest on."""
    kinds = list(KIND_COLOURS)
    return (kinds.index(kind) if kind in KIND_COLOURS else len(kinds), kind)


def plural(kind: str) -> str:
    """Return a kind's name for several: `entity` -> `entities`."""
    return _PLURALS.get(kind, f"{kind}s")


def counted(number: int, kind: str) -> str:
    """Return `1 query`, `8 queries`."""
    return f"{number:,} {kind if number == 1 else plural(kind)}"


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours like `#3069b5`, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
