"""A plan before it runs: what changes, what it locks and risks, on which hosts, in which steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.widgets.highlighting import highlighted
from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.table_view import rows_html
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.plan import Plan, Step
    from lowcode_kernel.schema import Change

_LOCKS = {
    "none": "no lock",
    "share update exclusive": "reads and writes go on",
    "share row exclusive": "writes wait",
    "access exclusive": "reads and writes wait",
}


def plan_view(plan: Plan) -> View:
    """Show a plan."""
    parts = [_faults(plan), *_notices(plan), *_database(plan), *_steps(plan)]
    if plan.is_noop:
        parts.append(tag("p", f"Every host already serves {plan.version}. Nothing to do.", class_="lowcode-good"))
    card = tag("div", _head(plan), tag("div", *parts, class_="lowcode-body"), class_="lowcode-card lowcode-plan")
    return View(plan_text(plan), page(card))


def _head(plan: Plan) -> Markup:
    versions = joined(tag("code", plan.previous or "nothing"), " → ", tag("code", plan.version))
    hosts = tag("span", f"on {', '.join(plan.hosts)}", class_="lowcode-quiet")
    title = joined("Plan: ", plan.application, " to ", plan.environment)
    return tag(
        "div",
        tag("b", title),
        versions,
        hosts,
        tag("span", plan_summary(plan), class_="lowcode-quiet lowcode-end"),
        class_="lowcode-head",
    )


def plan_summary(plan: Plan) -> str:
    """Return the plan in a few words: `5 changes of the database, 19 steps`."""
    if plan.problems:
        return "can't be carried out"
    changes = f"{len(plan.changes)} {'change' if len(plan.changes) == 1 else 'changes'} of the database"
    return f"{changes}, {len(plan.steps)} steps"


def _faults(plan: Plan) -> Markup:
    return joined(*(tag("div", problem, class_="lowcode-problem") for problem in plan.problems))


def _notices(plan: Plan) -> list[Markup]:
    return [tag("div", notice, class_="lowcode-problem lowcode-warning") for notice in plan.notices]


def _database(plan: Plan) -> list[Markup]:
    if not plan.changes:
        return (
            []
            if plan.is_noop or plan.problems
            else [tag("div", "The database stays as it is.", class_="lowcode-quiet")]
        )
    statements = highlighted(";\n".join(change.sql.strip().rstrip(";") for change in plan.changes) + ";", "sql")
    folded = tag("details", tag("summary", "Statements"), statements)
    parts = [_changes(plan), folded]
    if all(change.table not in plan.rows for change in plan.changes):  # a first deployment: nothing to be careful with
        summary = tag("summary", f"{len(plan.changes)} changes, all to new tables: nobody waits")
        parts = [tag("details", summary, *parts)]
    return [_section("Database"), *parts]


def _changes(plan: Plan) -> Markup:
    risky = any(change.risk for change in plan.changes)
    headings = ("change", "table", "rows", "while it runs", *(("risk",) if risky else ()))
    rows = (_change_row(change, plan.rows.get(change.table)) for change in plan.changes)
    return rows_html(headings, (row if risky else row[:-1] for row in rows))


def _change_row(change: Change, rows: int | None) -> tuple[object, ...]:
    number = tag("span", "new" if rows is None else f"{rows:,}", class_="lowcode-number")
    return change.summary, tag("code", change.table), number, joined(*_lock_tags(change, rows), by=" "), _risk(change)


def _lock_tags(change: Change, rows: int | None) -> list[Markup]:
    if rows is None and change.lock != "none":
        return [tag("span", "new, nobody waits", class_="lowcode-tag")]
    heavy = change.lock in {"share row exclusive", "access exclusive"}
    tags = [
        tag("span", _LOCKS[change.lock], class_="lowcode-tag" + (" lowcode-warn" if heavy else ""), title=change.lock)
    ]
    tags += [tag("span", "concurrent", class_="lowcode-tag")] if change.concurrent else []
    return tags + ([tag("span", "rewrites the table", class_="lowcode-tag lowcode-warn")] if change.rewrites else [])


def _risk(change: Change) -> Markup:
    return (
        tag("span", change.risk, class_="lowcode-tag lowcode-error", style="white-space:normal")
        if change.risk
        else Markup()
    )


def _steps(plan: Plan) -> list[Markup]:
    if not plan.steps:
        return []
    before = _grouped([step for step in plan.steps if step.before_decision])
    after = _grouped([step for step in plan.steps if not step.before_decision])
    line = "A fault above cancels, and the old version serves on; below, it is rolled forward."
    point = [(tag("span", line, class_="lowcode-quiet"),)] if before and after else []
    return [_section("Steps"), rows_html((), [*before, *point, *after])]


def _grouped(steps: Sequence[Step]) -> list[tuple[object, ...]]:
    """Return a row for each kind of step in a run, with the hosts that take it side by side."""
    groups: list[list[Step]] = []
    for step in steps:
        if groups and groups[-1][0].name == step.name:
            groups[-1].append(step)
        else:
            groups.append([step])
    return [_step_row(group) for group in groups]


def _step_row(group: list[Step]) -> tuple[object, ...]:
    hosts = joined(*(tag("span", step.host, class_="lowcode-tag") for step in group if step.host), by=" ")
    summaries = dict.fromkeys(step.summary for step in group)
    numbers = str(group[0].number) if len(group) == 1 else f"{group[0].number}–{group[-1].number}"
    return tag("span", numbers, class_="lowcode-quiet"), tag("b", group[0].name), joined(*summaries, by="; "), hosts


def _section(title: str) -> Markup:
    return tag("div", title, class_="lowcode-section")


def plan_text(plan: Plan) -> str:
    """Return the plan as lines."""
    versions = f"{plan.previous or 'nothing'} -> {plan.version}"
    lines = [f"Plan: {plan.application} to {plan.environment}, {versions}, on {', '.join(plan.hosts)}"]
    lines += [f"problem: {problem}" for problem in plan.problems]
    lines += [f"notice: {notice}" for notice in plan.notices]
    lines += [_change_text(change, plan.rows.get(change.table)) for change in plan.changes]
    lines += [f"{step.number:>3} {step.name:<8} {step.host or 'controller':<12} {step.summary}" for step in plan.steps]
    return "\n".join(
        [*lines, f"Every host already serves {plan.version}. Nothing to do." if plan.is_noop else plan_summary(plan)]
    )


def _change_text(change: Change, rows: int | None) -> str:
    size = "new" if rows is None else f"{rows:,} rows"
    marks = ["concurrent" if change.concurrent else "", "rewrites the table" if change.rewrites else "", change.risk]
    return " · ".join(filter(None, [f"  {change.summary}", f"{change.table} ({size})", f"lock: {change.lock}", *marks]))
