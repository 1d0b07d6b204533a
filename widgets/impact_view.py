"""What a change would do, change by change, the worst first; what stays as it is folds away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.palette import KIND_COLOURS
from lowcode_kernel.widgets.table_view import element_cell, rows_html
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.impact_effects import Effect

_WORDS = {
    "breaks": ("breaks", "break"),
    "may break": ("may break", "may break"),
    "regenerate": ("is generated again", "are generated again"),
    "no effect": ("stays as it is", "stay as they are"),
}
_CLASSES = {"breaks": "lowcode-tag lowcode-error", "may break": "lowcode-tag lowcode-warn"}
_NOTES = {"retype": "to several types in turn; --retype TYPE asks for one"}


def impact_view(title: str, effects: Sequence[Effect]) -> View:
    """Show the effects of one change, or of several."""
    groups: dict[str, list[Effect]] = {}
    for effect in effects:
        groups.setdefault(effect.change, []).append(effect)
    text = [title, *(_group_text(change, found) for change, found in groups.items())]
    parts = [_group_html(change, found) for change, found in groups.items()]
    if not effects:
        text.append(nothing := "Nothing uses it.")
        parts.append(tag("p", nothing))
    return View("\n\n".join(text), page(tag("p", tag("b", title)), *parts))


def _count(effects: Sequence[Effect]) -> str:
    """Return `2 break, 1 may break, 3 are generated again`."""
    counts = {verdict: sum(effect.verdict == verdict for effect in effects) for verdict in _WORDS}
    return ", ".join(f"{count} {_WORDS[verdict][count > 1]}" for verdict, count in counts.items() if count)


def _head(change: str, effects: Sequence[Effect]) -> str:
    note = f" ({_NOTES[change]})" if change in _NOTES else ""
    return f"{change}{note}: {_count(effects)}"


def _how(effect: Effect) -> str:
    return "; ".join([effect.how, *effect.facts])


def _group_text(change: str, effects: Sequence[Effect]) -> str:
    lines = [_head(change, effects)]
    for effect in effects:
        place = f"  {effect.place}" if effect.place else ""
        lines += [f"  {effect.verdict:<10}  {effect.element.replace(':', ' ', 1)}{place}", f"{'':14}{_how(effect)}"]
    return "\n".join(lines)


def _group_html(change: str, effects: Sequence[Effect]) -> Markup:
    touched = [_row(effect) for effect in effects if effect.verdict != "no effect"]
    same = [_row(effect) for effect in effects if effect.verdict == "no effect"]
    words = f"{len(same)} {_WORDS['no effect'][len(same) > 1]}"
    folded = [tag("details", tag("summary", words), rows_html((), same))] if same else []
    head = tag("p", tag("b", change), _head(change, effects).removeprefix(change), style="margin:12px 0 4px")
    return tag("div", head, *([rows_html((), touched)] if touched else []), *folded)


def _row(effect: Effect) -> tuple[Markup, ...]:
    place = tag("span", str(effect.place or ""), class_="lowcode-quiet", style="white-space:nowrap")
    verdict = tag("span", effect.verdict, class_=_CLASSES.get(effect.verdict, "lowcode-tag"))
    return verdict, _element(effect.element), joined(_how(effect)), place


def _element(name: str) -> Markup:
    """Return an element with its kind's chip; whoever is outside of the application has none."""
    known = name.partition(":")[0] in KIND_COLOURS
    return element_cell(name) if known else joined(name.replace(":", " ", 1))
