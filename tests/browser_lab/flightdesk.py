"""The records that the views are shown with: the tour's application, a plan of an upgrade, and what its deployment
reports.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lowcode_kernel.elements import Access, Attribute, Entity, Integration, Operation, Parameter, Query
from lowcode_kernel.places import Place
from lowcode_kernel.plan import Plan, Progress, Step
from lowcode_kernel.problems import Problem
from lowcode_kernel.schema import Change
from lowcode_kernel.types import DATE, DATETIME, INTEGER, TEXT, Type
from lowcode_kernel.widgets.records import ColumnView, EdgeView, GraphView, LoadingView, ModelView, NodeView, TableView

HERE = Place(cell=7)

_USES = {
    "screen:departures": "query:departures query:delay_by_hour query:day_totals entity:Airport screen:flight "
    "role:Dispatcher role:Supervisor",
    "screen:flight": "query:flight_notes action:write_note action:resolve_note action:ask_weather entity:Flight "
    "role:Dispatcher role:Supervisor",
    "screen:summaries": "query:recent_summaries action:summarize_day role:Supervisor",
    "screen:notes": "query:open_notes screen:flight role:Supervisor",
    "job:nightly_summary": "query:day_totals action:summarize_day",
    "action:write_note": "entity:Note entity:Flight role:Dispatcher role:Supervisor",
    "action:resolve_note": "entity:Note role:Supervisor",
    "action:ask_weather": "entity:Flight integration:weather role:Dispatcher",
    "action:summarize_day": "query:day_totals entity:DaySummary role:Supervisor",
    "query:departures": "entity:Flight entity:Airline entity:Airport",
    "query:delay_by_hour": "entity:Flight",
    "query:carriers_of_day": "entity:Flight entity:Airline",
    "query:day_totals": "entity:Flight setting:late_after",
    "query:flight_notes": "entity:Note",
    "query:open_notes": "entity:Note entity:Flight",
    "query:recent_summaries": "entity:DaySummary",
    "query:longest_flights": "entity:Flight entity:Plane",
    "entity:Flight": "entity:Airline entity:Airport entity:Plane",
    "entity:Note": "entity:Flight role:Supervisor",
    "entity:DaySummary": "entity:Airport",
    "integration:weather": "struct:Observation",
    "data:Airline": "entity:Airline",
    "data:Airport": "entity:Airport",
    "data:Plane": "entity:Plane",
    "data:Flight": "entity:Flight",
    "test:a note is refused without text": "action:write_note",
    "test:late means more than 15 minutes": "query:day_totals",
    "setting:late_after": "",
    "screen:gates": "query:gates_of_day action:assign_gate role:Supervisor",
    "action:assign_gate": "entity:Flight struct:Gate role:Supervisor",
    "query:gates_of_day": "entity:Flight",
    "test:a supervisor resolves a note": "action:resolve_note",
    "test:a gate is free before it is given": "action:assign_gate",
}
_WAYS = {
    "entity": "reads",
    "query": "reads",
    "action": "calls",
    "integration": "calls",
    "role": "allows",
    "screen": "leads to",
}
BODY = 'require(text != "", "a note needs text")\nreturn Note.create(flight=flight, text=text, written_at=now())'
DEPARTURES = """SELECT f.id, f.number, a.name AS airline, f.departs_at, f.departure_delay, d.name AS destination
FROM Flight f
JOIN Airline a ON a.code = f.carrier
JOIN Airport d ON d.code = f.destination
WHERE f.origin = :origin AND f.departs_at::date = :day  -- the day in UTC
ORDER BY f.departs_at LIMIT 200"""


def flightdesk_graph() -> GraphView:
    """Return the dependencies of the tour's application."""
    edges = [
        EdgeView(source=source, target=target, label=_WAYS.get(target.partition(":")[0], "uses"))
        for source, targets in _USES.items()
        for target in targets.split()
    ]
    ids = dict.fromkeys([*_USES, *(edge.target for edge in edges)])
    return GraphView(nodes=tuple(_node(id_, at) for at, id_ in enumerate(ids)), edges=tuple(edges), title="Flight desk")


def _node(id_: str, at: int) -> NodeView:
    kind, _, name = id_.partition(":")
    detail = [("doc", f"The {name} of the flight desk."), ("place", f"cell {at + 2}, line 1")]
    if kind == "query":
        detail.append(("sql", DEPARTURES))
    elif kind in {"action", "screen", "job"}:
        detail.append(("python", BODY))
    return NodeView(id=id_, label=name, kind=kind, detail=tuple(detail))


def large_graph(nodes: int) -> GraphView:
    """Return a graph of the proportions of a large application: entities, queries that read three of them, screens on
    four queries.
    """
    entities, queries = nodes * 3 // 10, nodes * 4 // 10
    parts = [("entity", entities), ("query", queries), ("screen", nodes - entities - queries)]
    views = [
        NodeView(id=f"{kind}:{kind}_{at}", label=f"{kind}_{at}", kind=kind)
        for kind, count in parts
        for at in range(count)
    ]
    edges = [
        (f"query:query_{at}", f"entity:entity_{(at * 7 + k * 13) % entities}")
        for at in range(queries)
        for k in range(2)
    ]
    edges += [
        (f"screen:screen_{at}", f"query:query_{(at * 5 + k * 11) % queries}")
        for at in range(parts[2][1])
        for k in range(3)
    ]
    return GraphView(nodes=tuple(views), edges=tuple(EdgeView(source=a, target=b, label="reads") for a, b in edges))


def upgrade_plan() -> Plan:
    """Return the plan of an upgrade that adds an attribute, an index and a table."""
    changes = (
        Change(
            sql="ALTER TABLE flightdesk.flight ADD COLUMN gate text CHECK (length(gate) <= 8)",
            kind="expand",
            table="flight",
            summary="add attribute gate to Flight",
            lock="access exclusive",
        ),
        Change(
            sql="CREATE TABLE flightdesk.day_summary (id bigint PRIMARY KEY, day date NOT NULL)",
            kind="expand",
            table="day_summary",
            summary="create DaySummary",
            lock="access exclusive",
        ),
        Change(
            sql="CREATE INDEX CONCURRENTLY flight_departs_at ON flightdesk.flight (departs_at)",
            kind="index",
            table="flight",
            summary="index Flight by departs_at",
            lock="share update exclusive",
            concurrent=True,
        ),
        Change(
            sql="ALTER TABLE flightdesk.note ALTER COLUMN text TYPE text",
            kind="contract",
            table="note",
            summary="drop attribute draft of Note",
            lock="access exclusive",
            rewrites=True,
            risk="the drafts of 118 notes are lost",
        ),
    )
    return Plan(
        environment="prod",
        application="flightdesk",
        version="8c1f0a52be77",
        previous="41d09be3c2aa",
        hosts=("fe1", "fe2", "fe3"),
        changes=changes,
        rows={"flight": 336_776, "note": 1_204},
        steps=plan_steps(("fe1", "fe2", "fe3")),
        notices=("setting late_after has no value in prod: its default 15 is used",),
    )


_STEPS = (
    ("lock", False, "take the lease of flightdesk", True),
    ("stage", True, "upload 14 of 96 files", True),
    ("start", True, "start beside the old release", True),
    ("check", True, "ask /readyz", True),
    ("upgrade", False, "4 statements, one transaction, locks wait 2 s at most", True),
    ("ready", True, "ask /readyz on the new schema", True),
    ("decide", False, "record the decision", True),
    ("switch", True, "point current.sock at the new release", False),
    ("confirm", True, "ask through the web server", False),
    ("drain", True, "let requests end", False),
    ("stop", True, "stop the old", False),
    ("release", False, "give the lease back", False),
)


def plan_steps(hosts: tuple[str, ...]) -> tuple[Step, ...]:
    """Return a deployment's steps on these hosts."""
    made: list[Step] = []
    for name, on_hosts, summary, before in _STEPS:
        for host in hosts if on_hosts else (None,):
            made.append(Step(number=len(made) + 1, name=name, host=host, summary=summary, before_decision=before))
    return tuple(made)


def reports(until: int, *, failing: bool = False) -> tuple[Progress, ...]:
    """Return what a deployment has reported when step `until` runs, or fails."""
    steps = plan_steps(("fe1", "fe2", "fe3"))
    done = [Progress(step=step, state="done", seconds=0.2 + step.number % 5 * 0.7) for step in steps[: until - 1]]
    detail = "port 8410 refused the connection for 10 s" if failing else ""
    return (
        *done,
        Progress(
            step=steps[until - 1],
            state="failed" if failing else "running",
            seconds=10.0 if failing else 0.0,
            detail=detail,
        ),
    )


def loads() -> tuple[LoadingView, ...]:
    """Return four entities on the way in."""
    return (
        LoadingView(entity="Airline", rows=16, total=16, seconds=0.1, state="done"),
        LoadingView(entity="Airport", rows=1_458, total=1_458, seconds=0.2, state="done"),
        LoadingView(entity="Flight", rows=212_000, total=336_776, seconds=3.4),
        LoadingView(
            entity="Plane", rows=90, total=3_322, seconds=0.1, state="failed", detail="line 91: no tail_number"
        ),
    )


def flight_model() -> ModelView:
    """Return an entity with a problem."""

    def attribute(
        name: str, type_: Type, doc: str = "", default: str | None = None, was: str | None = None
    ) -> Attribute:
        return Attribute(name=name, type=type_, doc=doc, default=default, was=was, place=HERE)

    def reference(name: str, *, optional: bool = False) -> Type:
        return Type(name=name, kind="entity", optional=optional)

    flight = Entity(
        name="Flight",
        doc="One departure, planned or flown.",
        place=HERE,
        indexes=(("origin", "departs_at"),),
        access=Access(read=("Dispatcher", "Supervisor"), write=("Supervisor",), place=HERE),
        attributes=(
            attribute("carrier", reference("Airline")),
            attribute("number", INTEGER),
            attribute("origin", reference("Airport")),
            attribute("destination", reference("Airport")),
            attribute("plane", reference("Plane", optional=True), "unknown for a few"),
            attribute("departs_at", DATETIME, "planned, UTC"),
            attribute("departure_delay", INTEGER.maybe(), "minutes", was="delay"),
            attribute("gate", Type(name="Text", length=8, optional=True)),
        ),
    )
    problem = Problem(
        code="LK131",
        severity="warning",
        fact='attribute "gate" is read by no query',
        hint="remove it, or show it",
        place=HERE.shifted(9),
    )
    return ModelView(
        element=flight, used_by=("query:departures", "action:ask_weather", "screen:flight"), problems=(problem,)
    )


def departures_model() -> ModelView:
    """Return a query with its result columns."""
    parameters = (
        Parameter(name="origin", type=Type(name="Airport", kind="entity"), place=HERE),
        Parameter(name="day", type=DATE, place=HERE),
    )
    query = Query(
        name="departures",
        doc="Flights of one day from one airport.",
        place=Place(cell=12),
        parameters=parameters,
        sql=DEPARTURES,
        sql_place=HERE,
    )
    columns = (
        ("id", "Integer"),
        ("number", "Integer"),
        ("airline", "Text"),
        ("departs_at", "DateTime"),
        ("departure_delay", "Integer | None"),
    )
    return ModelView(
        element=query,
        columns=tuple(ColumnView(name=name, type=type_) for name, type_ in columns),
        uses=("entity:Flight", "entity:Airline"),
        used_by=("screen:departures",),
    )


def weather_model() -> ModelView:
    """Return an integration."""
    station = Parameter(name="station", type=TEXT, place=HERE)
    operation = Operation(
        name="observation", method="GET", path="/v1/observations/{station}", parameters=(station,), place=HERE
    )
    return ModelView(
        element=Integration(
            name="weather",
            place=Place(cell=20),
            base_url="https://weather.example.com",
            timeout=timedelta(seconds=3),
            operations=(operation,),
        )
    )


def log_table() -> TableView:
    """Return what a query on the logs answers."""
    columns = [ColumnView(name=name) for name in ("time", "element", "outcome", "duration_ms", "user", "host")]
    start = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    rows = [
        (
            start + timedelta(seconds=7 * at),
            ("screen:departures", "action:write_note", "job:nightly_summary")[at % 3],
            outcome,
            3.25 * at + 1.5,
            user,
            f"fe{at % 2 + 1}",
        )
        for at, (outcome, user) in enumerate(
            [("ok", "ada@example.com"), ("refused", "bob@example.com"), ("error", None), ("ok", "ada@example.com")]
        )
    ]
    return TableView(columns=tuple(columns), rows=tuple(rows), total=12_841, seconds=0.0531)
