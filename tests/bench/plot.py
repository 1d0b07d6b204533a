"""Lines over numbers as SVG, without a library."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 56, 44, 40, 150
COLOURS = ("#3069b5", "#b0592a", "#4c7d3c", "#7a5cc4")
_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: its name and its points."""

    name: str
    points: tuple[tuple[float, float], ...]


def plot(title: str, x_label: str, y_label: str, series: list[Series]) -> str:
    """Return a picture of lines from the origin."""
    wide = _round_up(max(x for line in series for x, _ in line.points))
    high = _round_up(max(y for line in series for _, y in line.points))

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = x / wide * (WIDTH - LEFT - RIGHT), y / high * (HEIGHT - TOP - BOTTOM)
        return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)

    parts = [_text(LEFT, 22, title, "start", 14)]
    for tick in range(_TICKS + 1):
        (x, bottom), (left, y) = place(wide * tick / _TICKS, 0), place(0, high * tick / _TICKS)
        parts += [_line(x, bottom, x, TOP), _line(left, y, WIDTH - RIGHT, y)]
        parts += [_text(x, bottom + 18, f"{wide * tick / _TICKS:g}", "middle")]
        parts += [_text(left - 8, y + 4, f"{high * tick / _TICKS:g}", "end")]
    parts += [_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, "middle"), _text(8, TOP - 6, y_label, "start")]
    for colour, line in zip(COLOURS, series, strict=False):
        places = [place(x, y) for x, y in line.points]
        path = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(_text(places[-1][0] + 8, places[-1][1] + 4, line.name, "start", colour=colour))
    inside = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{inside}\n</svg>\n'
    )


def _round_up(value: float) -> float:
    """Return the next number that can be cut in five without odd ends."""
    unit = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(step * unit for step in (1, 2, 2.5, 5, 10, 20) if step * unit >= value)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#d8dce2"/>'


def _text(x: float, y: float, text: str, anchor: str, size: int = 11, colour: str = "#333") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
