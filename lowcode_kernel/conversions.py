"""Which types of columns turn into which without loss, and back as well as may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lowcode_kernel.schema import Limit

# up, down: SQL over {}. None: the old column stays empty for rows that the new version writes.
_TO_BIGINT = "CASE WHEN abs({0}) < 9223372036854775807 THEN round({0})::bigint END"
_CONVERSIONS: dict[tuple[str, str], tuple[str, str | None]] = {
    ("bigint", "numeric"): ("{0}::numeric", _TO_BIGINT),
    ("bigint", "text"): ("{0}::text", None),
    ("numeric", "text"): ("{0}::text", None),
    ("boolean", "text"): ("{0}::text", None),
    ("uuid", "text"): ("{0}::text", None),
    ("date", "text"): ("{0}::text", None),
    ("date", "timestamptz"): ("{0}::timestamp AT TIME ZONE 'UTC'", "({0} AT TIME ZONE 'UTC')::date"),
    ("boolean", "jsonb"): ("to_jsonb({0})", None),
    ("bigint", "jsonb"): ("to_jsonb({0})", None),
    ("text", "jsonb"): ("to_jsonb({0})", None),
}
_NUMERIC = re.compile(r"numeric(?:\((\d+), (\d+)\))?")
_BIGINT_DIGITS = 19


_LONGEST_TEXT = {"bigint": 20, "boolean": 5, "uuid": 36, "date": 13}


def conversion(old: str, new: str, limit: Limit) -> tuple[str, str | None] | None:
    """Return the expressions that turn a value of one type into another (of a limit) and back, or None where values
    may not fit.
    """
    if not _fits(old, limit):
        return None
    family = ("numeric" if old.startswith("numeric") else old, "numeric" if new.startswith("numeric") else new)
    if family == ("numeric", "numeric"):
        return _between_decimals(old, new)
    if family == ("bigint", "numeric") and not _holds(new, _BIGINT_DIGITS, 0):
        return None
    return _CONVERSIONS.get(family)


def _fits(old: str, limit: Limit) -> bool:
    if limit.choices or limit.email:
        return False
    return limit.length is None or _LONGEST_TEXT.get(old, limit.length + 1) <= limit.length


def _between_decimals(old: str, new: str) -> tuple[str, str | None] | None:
    digits = _digits(old)
    if _digits(new) is not None and (digits is None or not _holds(new, *digits)):
        return None
    limit = f"1e{digits[0]}" if digits else ""
    down = f"CASE WHEN abs({{0}}) < {limit} - 1 THEN {{0}}::{old} END" if digits else "{0}::numeric"
    return f"{{0}}::{new}", down


def _digits(type_sql: str) -> tuple[int, int] | None:
    """Return the digits before and after the point, or None for as many as there are."""
    found = _NUMERIC.fullmatch(type_sql)
    if not found or found[1] is None:
        return None
    return int(found[1]) - int(found[2]), int(found[2])


def _holds(type_sql: str, before: int, after: int) -> bool:
    digits = _digits(type_sql)
    return digits is None or (digits[0] >= before and digits[1] >= after)
