"""What the optimizer did and why, element by element: what a reader of the notebook has to know to trust it."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.highlighting import highlighted
from lowcode_kernel.widgets.markup import joined, page, tag
from lowcode_kernel.widgets.records import ColumnView, TableView
from lowcode_kernel.widgets.table_view import table_html
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.findings import Finding
    from lowcode_kernel.widgets.markup import Markup
    from lowcode_kernel.widgets.records import PassView

_MOST_LINES = 14  # of a difference
_MOST_KEPT = 30  # findings that a pass could not act on, before --all is asked for


def findings_view(findings: Sequence[Finding], passes: Sequence[PassView] = (), *, everything: bool = False) -> View:
    """Show findings by element, what was done before what could not be. With `everything`, each pass with what it
    looked at, all that could not be done, and differences in full.
    """
    acted = [finding for finding in findings if finding.acted]
    kept = [finding for finding in findings if not finding.acted]
    shown = kept if everything else kept[:_MOST_KEPT]
    groups = _grouped([*acted, *shown])
    count = _count(len(acted), len(kept))
    left = f"{len(kept) - len(shown):,} more could not be made: explain --all" if len(shown) < len(kept) else ""
    text = [count, *(_group_text(name, found, full=everything) for name, found in groups.items()), left]
    html = [tag("p", tag("b", count)), *(_group_html(name, found) for name, found in groups.items())]
    html += [tag("p", left, class_="lowcode-quiet")] if left else []
    if everything and passes:
        text.append(_passes_text(passes))
        html.append(_passes_html(passes))
    return View("\n\n".join(filter(None, text)), page(*html))


def _count(acted: int, kept: int) -> str:
    if not acted and not kept:
        return "The optimizer found nothing to do."
    did = f"{acted:,} change{'' if acted == 1 else 's'}" if acted else "No change"
    return f"{did}, {kept:,} that could not be made" if kept else did


def _grouped(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Return findings by element; elements in which something was done come first, in the order of the passes."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.element, []).append(finding)
    return groups


def _title(element: str) -> str:
    kind, _, name = element.partition(":")
    return f"{kind} {name}"


# in a terminal


def _group_text(element: str, findings: list[Finding], *, full: bool) -> str:
    lines = [_title(element)]
    for finding in findings:
        mark = "did " if finding.acted else "kept"
        lines.append(f"  {mark}  {finding.place}: {finding.what}")
        lines.append(f"        {finding.why} ({finding.rule})")
        if finding.saved:
            lines.append(f"        saves {finding.saved}")
        lines += [f"        {line}".rstrip() for line in _difference(finding, full=full)]
    return "\n".join(lines)


def _difference(finding: Finding, *, full: bool) -> list[str]:
    """Return what changed as lines with `-` and `+`, and a line of what stayed around each."""
    before, after = finding.before.splitlines(), finding.after.splitlines()
    found = list(unified_diff(before, after, n=1, lineterm=""))[2:]
    lines = [f"{line[0]} {line[1:]}" if not line.startswith("@@") else "  ..." for line in found]
    lines = lines[1:] if lines[:1] == ["  ..."] else lines
    if full or len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"  ... {len(lines) - _MOST_LINES} more lines: explain --all"]


def _passes_text(passes: Sequence[PassView]) -> str:
    width = max(len(item.name) for item in passes)
    lines = [
        f"  {item.name:<{width}}  {item.acted:>4} made  {item.kept:>4} not  {item.looked}\n"
        f"  {'':<{width}}  {item.summary}"
        for item in passes
    ]
    return "\n".join(["passes, in order", *lines])


# in a notebook


def _group_html(element: str, findings: list[Finding]) -> Markup:
    acted = [_finding(finding) for finding in findings if finding.acted]
    kept = [_finding(finding) for finding in findings if not finding.acted]
    kind, _, name = element.partition(":")
    title = tag("p", tag("b", name), " ", tag("span", kind, class_="lowcode-tag"), style="margin:14px 0 4px")
    words = f"{len(kept)} that could not be made"
    more = [tag("details", tag("summary", words), *kept)] if kept else []
    return tag("div", title, *acted, *more)


def _finding(finding: Finding) -> Markup:
    place = tag("span", f"{finding.rule}, {finding.place}", class_="lowcode-quiet", style="float:right")
    saved = [" ", tag("span", f"saves {finding.saved}", class_="lowcode-tag lowcode-good")] if finding.saved else []
    mark = "lowcode-acted" if finding.acted else "lowcode-notice"
    return tag(
        "div",
        place,
        tag("b", finding.what),
        *saved,
        tag("div", finding.why),
        _code(finding),
        class_=f"lowcode-problem {mark}",
    )


def _code(finding: Finding) -> Markup:
    """Return what was and what is now, one below the other, folded."""
    if not finding.before and not finding.after:
        return joined()
    both = bool(finding.before and finding.after)
    words = "before and after" if both else "what was there" if finding.before else "what is there now"
    parts = [highlighted(text, _language(text)) for text in (finding.before, finding.after) if text]
    return tag("details", tag("summary", words), *parts)


def _language(text: str) -> str:
    return "sql" if text.lstrip(" (").upper().startswith(("SELECT", "WITH")) else "python"


def _passes_html(passes: Sequence[PassView]) -> Markup:
    columns = tuple(ColumnView(name=name) for name in ("pass", "made", "could not", "looked at", "what it does"))
    rows = tuple((item.name, item.acted, item.kept, item.looked, item.summary) for item in passes)
    return table_html(TableView(columns=columns, rows=rows, title="Passes, in order"))
