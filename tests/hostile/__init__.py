"""Cells that mean harm, by name: as long, as deep and as strange as a cell can be made.

`table()` has each body below the header of the definition that it is made for, and texts for any reader below one of
them in turn; `table(every=True)` has each body below each header, about 4,000. `HOSTILE=all` makes the suite run those.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from tests.hostile.anywhere import ANYWHERE
from tests.hostile.applications import SEVERAL
from tests.hostile.entities import ENTITIES, INTEGRATIONS
from tests.hostile.headers import HEADS, MANY_LINES
from tests.hostile.python import PYTHON, SCREENS
from tests.hostile.sql import SQL
from tests.hostile.texts import MOST, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Body = Callable[[], str]
    Cells = Callable[[], tuple[str, ...]]

HEADERS = {
    "entity": "%%entity Thing\n",
    "struct": "%%struct Shape\n",
    "query": "%%query things(number: Text | None = None)\n",
    "action": "%%action act(n: Integer, order: Order) --role Sales\n",
    "screen": '%%screen page "/page" --role Sales\n',
    "job": '%%job nightly "0 2 * * *"\n',
    "integration": "%%integration rates --base-url https://rates.example.com\n",
    "data": "%%data Order --file orders.csv\n",
    "test": '%%test "it holds"\nassert 1\n',
}
LINES = ("setting", "role", "app", "scaffold", "use", "package")
BASE = (
    "%role Sales",
    "%%entity Order\nnumber: Text\ntotal: Decimal(8, 2)\nprevious: Order | None\nplaced_at: DateTime | None",
)
_MADE_FOR: tuple[tuple[dict[str, Body], tuple[str, ...]], ...] = (
    (PYTHON, ("action", "job")),
    (SCREENS, ("screen",)),
    (ENTITIES, ("entity",)),
    (INTEGRATIONS, ("integration",)),
    (SQL, ("query",)),
)


def table(*, every: bool = False) -> dict[str, Cells]:
    """Return hostile cells by name, each made when it is called."""
    found: dict[str, Cells] = dict(SEVERAL)
    for kind, name, body in [*_bodies(every=every)]:
        found[f"{kind} body: {name}"] = lambda header=HEADERS[kind], body=body: (header + body(),)
    kinds = cycle([*HEADERS])
    for name, head in HEADS.items():
        for kind in HEADERS if every else [next(kinds)]:
            found[f"{kind} header: {name}"] = lambda kind=kind, head=head: (f"%%{kind} {head()}\n{_body_of(kind)}",)
        for kind in LINES if every or name.split()[0] not in LINES else [name.split()[0]]:
            found[f"{kind} line: {name}"] = lambda kind=kind, head=head: (f"%{kind} {head()}",)
    for name, line in MANY_LINES.items():
        found[f"lines: {name}"] = lambda line=line: (numbered(line, MOST // (len(line) + 6)),)
    return found


def _bodies(*, every: bool) -> Iterator[tuple[str, str, Body]]:
    if every:
        all_bodies = {name: body for bodies, _ in _MADE_FOR for name, body in bodies.items()} | ANYWHERE
        yield from ((kind, name, body) for kind in HEADERS for name, body in all_bodies.items())
        return
    for bodies, kinds in (*_MADE_FOR, (ANYWHERE, tuple(HEADERS))):
        for number, (name, body) in enumerate(bodies.items()):
            yield kinds[number % len(kinds)], name, body


def _body_of(kind: str) -> str:
    return {"query": "SELECT o.id FROM Order o", "entity": "a: Text", "struct": "a: Text"}.get(kind, "assert n")
