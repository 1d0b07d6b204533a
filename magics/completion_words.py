"""The words of the language that completion offers, apart from what the model itself names."""

from __future__ import annotations

from lowcode_kernel.types import SCALARS

TYPES = (*(name for name in SCALARS if name != "Choice"), 'Choice("', "many(", "None")
MARKS = ("unique()", "was(", "field(", "now()", "today()", "True", "False")
ENTITY_LINES = ("key(", "index(", "unique(", "access(")
FUNCTIONS = (
    *("require(", "user", "now()", "today()", "log(", "Refused", "date(", "timedelta("),
    *("len(", "sum(", "min(", "max(", "sorted(", "round(", "any(", "all(", "range("),
)
COMPONENTS = (
    *("title(", "text(", "section(", "metric(", "table(", "details(", "chart(", "button(", "link(", "form("),
    *("date_input(", "text_input(", "number_input(", "choice_input(", "checkbox(", "entity_input("),
)
METHODS = ("get", "get_many", "find", "list", "count", "exists", "create", "update", "delete")
USER_ATTRIBUTES = ("id", "name", "email", "active")
LOG_TABLES = ("errors", "audit", "requests", "queries", "jobs", "deployments")
HEADER_OPTIONS = {
    "action": ("--role", "--rest"),
    "screen": ("--role",),
    "test": ("--role",),
    "job": ("--timeout", "--retries", "--priority", "--notebook"),
    "integration": ("--base-url", "--openapi", "--timeout"),
    "data": ("--file",),
    "entity": ("--was",),
    "scaffold": ("--role", "--show"),
    "package": ("--hash", "--module"),
}
PUBLIC = frozenset(
    {"entity", "struct", "query", "action", "screen", "job", "integration", "role", "setting", "scaffold"}
)
"""Definitions that other notebooks may name: `--public`."""
OPTION_VALUES = {"priority": ("low", "normal", "high")}
