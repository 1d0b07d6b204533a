"""Random applications: entities with references, queries of many shapes, bodies with every construct that a pass looks
for, screens, and the rows and requests to try them with.

All randomness comes from the `Random` that hypothesis gives, so that a failing application is made smaller, and the
same in each run of CI.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.differential.bodies import ActionBody
from tests.differential.requests import Request, Sample, SampleUser
from tests.differential.screen_bodies import ScreenBody

if TYPE_CHECKING:
    from random import Random

USERS = (SampleUser("ana", ("Sales",)), SampleUser("max", ("Manager",)), SampleUser("joe", ()))
NAMES = ("City", "Shop", "Ticket", "Item")
WORDS = ("red", "blue", "Red", "", "a b")
POOL = {
    "score": "Integer | None",
    "price": "Decimal(8, 2)",
    "active": "Boolean",
    "grade": 'Choice("a", "b", "c")',
    "memo": "Text(40) | None",
    "day": "Date | None",
}


@dataclass(frozen=True)
class Kind:
    """An entity of the sample: its attributes' types as cells write them, and what its references point at."""

    name: str
    attributes: dict[str, str]
    references: dict[str, str]  # attribute -> entity
    optional: frozenset[str]
    computed: tuple[str, ...] = ()
    lists: dict[str, str] = field(default_factory=dict)  # attribute -> entity

    def has(self, type_: str) -> list[str]:
        """Return the attributes of exactly this type."""
        return [name for name, text in self.attributes.items() if text == type_]


@dataclass(frozen=True)
class Ask:
    """A query of the sample: its parameters (name -> type as written), and its columns (name -> type, optional)."""

    name: str
    parameters: dict[str, str]
    columns: dict[str, tuple[str, bool]]
    entity: str
    has_id: bool

    def has(self, type_: str) -> list[str]:
        """Return the columns of a type that are never None."""
        return [name for name, (text, optional) in self.columns.items() if text == type_ and not optional]


@dataclass
class Model:
    """What has been made so far."""

    random: Random
    kinds: dict[str, Kind] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)
    actions: dict[str, dict[str, str]] = field(default_factory=dict)  # name -> parameters
    screens: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)


def sample(random: Random) -> Sample:
    """Make one application with rows and requests."""
    model = Model(random)
    model.cells.append("%app sample\n%role Sales\n%role Manager\n%setting bonus: Integer = 3")
    for name in NAMES[: random.randint(2, 4)]:
        _entity(model, name)
    for number in range(random.randint(2, 5)):
        _query(model, f"q{number}")
    for number in range(random.randint(1, 4)):
        _action(model, f"act{number}")
    for number in range(random.randint(1, 2)):
        _screen(model, f"page{number}")
    return Sample(tuple(model.cells), tuple(_rows(model)), tuple(_requests(model)), USERS)


def _entity(model: Model, name: str) -> None:
    random = model.random
    chosen = {key: text for key, text in POOL.items() if random.random() < 0.5}
    attributes = {"name": "Text(20)", "amount": "Integer", **chosen}
    references, optional = {}, set()
    for target in model.kinds:
        if random.random() < 0.6:
            references[target.lower()] = target
            if random.random() < 0.4:
                optional.add(target.lower())
    lines = [f"{key}: {text}" for key, text in attributes.items()]
    lines += [_reference(random, key, target, optional=key in optional) for key, target in references.items()]
    computed = ("double",) if random.random() < 0.3 else ()
    lines += [f"{key}: Integer = computed(amount * 2)" for key in computed]
    lists = {"others": random.choice(list(model.kinds))} if model.kinds and random.random() < 0.25 else {}
    lines += [f"{key}: many({target})" for key, target in lists.items()]
    lines += _access(random, attributes)
    model.kinds[name] = Kind(name, attributes, references, frozenset(optional), computed, lists)
    model.cells.append("\n".join([f"%%entity {name}", *lines]))


def _reference(random: Random, name: str, target: str, *, optional: bool) -> str:
    rule = random.choice(("", "", " = field(on_delete=cascade)", " = field(on_delete=set_null)" if optional else ""))
    return f"{name}: {target}{' | None' if optional else ''}{rule}"


def _access(random: Random, attributes: dict[str, str]) -> list[str]:
    match random.randrange(5):
        case 0:
            return ["access(read=[Sales, Manager], write=[Sales, Manager], delete=Manager)"]
        case 1 if "active" in attributes:
            return ["access(read=[Sales, Manager], rows=active or Manager in user.roles)"]
    return []


def _query(model: Model, name: str) -> None:
    random = model.random
    kind = random.choice(list(model.kinds.values()))
    shape = random.choice(("rows", "rows", "rows", "rows", "joined", "total", "grouped", "different", "failing", "cte"))
    if shape == "joined" and not kind.references:
        shape = "rows"
    parameters, where = _where(random, kind)
    columns, select, tail = _shape(random, kind, shape)
    table = f"FROM {kind.name} t" if shape != "cte" else "FROM picked t"
    join = ""
    if shape == "joined":
        reference = random.choice(list(kind.references))
        left = "LEFT " if reference in kind.optional else ""
        join = f" {left}JOIN {kind.references[reference]} r ON r.id = t.{reference}"
        select.append("r.name AS other")
        columns["other"] = ("Text", bool(left))
    sql = f"SELECT {', '.join(select)} {table}{join}{where}{tail}"
    if shape == "different":
        sql = sql.replace("SELECT", "SELECT DISTINCT", 1)
    if shape == "cte":
        sql = f"WITH picked AS (SELECT * FROM {kind.name} x WHERE x.amount < 6)\n{sql}"
    signature = ", ".join(f"{key}: {text}" + (" = None" if "None" in text else "") for key, text in parameters.items())
    model.asks[name] = Ask(
        name, parameters, columns, kind.name, "id" in columns and shape not in {"different", "grouped"}
    )
    model.cells.append(f"%%query {name}({signature})\n{sql}")


def _where(random: Random, kind: Kind) -> tuple[dict[str, str], str]:
    parameters: dict[str, str] = {}
    conditions: list[str] = []
    if kind.references and random.random() < 0.5:
        reference = random.choice(list(kind.references))
        parameters[reference] = kind.references[reference]
        conditions.append(f"t.{reference} = :{reference}")
    if random.random() < 0.3:
        parameters["least"] = "Integer"
        conditions.append("t.amount >= :least")
    if random.random() < 0.3:
        parameters["word"] = "Text | None"
        conditions.append("(:word IS NULL OR t.name = :word)")
    if random.random() < 0.2:
        parameters["most"] = "Integer | None"
        conditions.append("(:most IS NULL OR t.amount <= :most)")
    if "active" in kind.attributes and random.random() < 0.3:
        conditions.append("t.active")
    if "score" in kind.attributes and random.random() < 0.2:
        conditions.append("t.score IS NOT NULL")
    return parameters, f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _shape(random: Random, kind: Kind, shape: str) -> tuple[dict[str, tuple[str, bool]], list[str], str]:
    """Return the columns, their texts, and what follows WHERE."""
    match shape:
        case "total":
            return {"n": ("Integer", False), "most": ("Integer", True)}, ["COUNT(*) AS n", "MAX(t.amount) AS most"], ""
        case "grouped":
            columns = {"amount": ("Integer", False), "n": ("Integer", False)}
            return columns, ["t.amount", "COUNT(*) AS n"], " GROUP BY t.amount ORDER BY t.amount"
        case "different":
            columns = {"name": ("Text", False), "amount": ("Integer", False)}
            return columns, ["t.name", "t.amount"], " ORDER BY t.amount, t.name"
    columns = _columns(random, kind)
    select = [f"t.{name}" for name in columns]
    if random.random() < 0.3:
        columns["twice"] = ("Integer", False)
        select.append("t.amount + t.amount AS twice")
    if shape == "failing":
        columns["share"] = ("Integer", False)
        select.append("CAST(12 / t.amount AS BIGINT) AS share")
    order = random.choice(("t.amount DESC, t.id", "t.name, t.id", "t.id"))
    limit = f" LIMIT {random.randint(1, 4)}" if random.random() < 0.2 else ""
    return columns, select, f" ORDER BY {order}{limit}"


def _columns(random: Random, kind: Kind) -> dict[str, tuple[str, bool]]:
    columns = {"id": (kind.name, False)}
    for name, text in kind.attributes.items():
        if random.random() < 0.7:
            columns[name] = (text.partition(" | ")[0].partition("(")[0], "None" in text)
    for name, target in kind.references.items():
        if random.random() < 0.6:
            columns[name] = (target, name in kind.optional)
    columns |= {name: ("Integer", False) for name in kind.computed if random.random() < 0.7}
    return columns


def _parameters(model: Model) -> dict[str, str]:
    random = model.random
    parameters: dict[str, str] = {}
    if random.random() < 0.6:
        target = random.choice(list(model.kinds))
        parameters[f"the_{target.lower()}"] = target
    if random.random() < 0.6:
        parameters["number"] = "Integer"
    if random.random() < 0.4:
        parameters["text"] = "Text"
    return parameters


def _action(model: Model, name: str) -> None:
    parameters = _parameters(model)
    body = ActionBody(model, parameters).written()
    roles = model.random.choice(("", " --role Sales --role Manager", " --role Sales"))
    signature = ", ".join(f"{key}: {text}" for key, text in parameters.items())
    model.cells.append(f'%%action {name}({signature}) -> Json{roles} --rest "POST /api/{name}"\n{body}')
    model.actions[name] = parameters


def _screen(model: Model, name: str) -> None:
    random = model.random
    target = random.choice(list(model.kinds)) if random.random() < 0.5 else None
    path = f"/{name}/{{the_{target.lower()}}}" if target else f"/{name}"
    parameters = {f"the_{target.lower()}": target} if target else {}
    body = ScreenBody(model, dict(parameters))
    text = body.written()
    signature = f" (the_{target.lower()}: {target})" if target else ""
    roles = random.choice(("", " --role Sales --role Manager", " --role Sales"))
    model.cells.append(f'%%screen {name} "{path}"{signature}{roles}\n{text}')
    model.screens[name] = (path, {**parameters, **body.inputs})


def _rows(model: Model) -> list[str]:
    random, statements, counts = model.random, [], {}
    for kind in model.kinds.values():
        count = random.choice((0, 2, 3, 6, 9))
        if any(counts[target] == 0 and name not in kind.optional for name, target in kind.references.items()):
            count = 0
        counts[kind.name] = count
        for number in range(count):
            values = {name: _literal(random, text, number) for name, text in kind.attributes.items()}
            for name, target in kind.references.items():
                missing = counts[target] == 0 or (name in kind.optional and random.random() < 0.3)
                values[name] = "NULL" if missing else str(random.randint(1, counts[target]))
            names = ", ".join(f'"{name}"' for name in values)
            statements.append(f'INSERT INTO "{kind.name.lower()}" ({names}) VALUES ({", ".join(values.values())})')
    return statements


def _literal(random: Random, type_: str, number: int) -> str:
    if "None" in type_ and random.random() < 0.3:
        return "NULL"
    match type_.partition("(")[0].partition(" ")[0]:
        case "Integer":
            return str(random.randint(0, 7))
        case "Decimal":
            return f"{random.randint(0, 999)}.{random.randint(0, 99):02}"
        case "Boolean":
            return random.choice(("true", "false"))
        case "Choice":
            return f"'{random.choice('abc')}'"
        case "Date":
            return f"'2026-01-0{random.randint(1, 5)}'"
    return f"'{random.choice(WORDS[:3])}{number % 3}'"


def _value(random: Random, type_: str) -> Any:
    match type_:
        case "Start":
            return random.randint(0, 3)
        case "Integer":
            return random.randint(-1, 7)
        case "Text":
            return random.choice([*WORDS, "red1", "blue0"])
    return random.choice((1, 1, 2, 2, 2, 1, 3, 7))  # a key, which may not be there


def _requests(model: Model) -> list[Request]:
    random, found = model.random, []
    for _ in range(random.randint(6, 10)):
        user = random.choice(USERS[:2] * 4 + USERS).name
        if random.random() < 0.6:
            name, parameters = random.choice(list(model.actions.items()))
            arguments = {key: _value(random, text) for key, text in parameters.items()}
            found.append(Request(user, "POST", f"/api/{name}", arguments=arguments))
        else:
            name, (_, parameters) = random.choice(list(model.screens.items()))
            given = {key: str(_value(random, text)) for key, text in parameters.items() if random.random() < 0.9}
            found.append(Request(user, "GET", f"/api/screens/{name}", given))
    return found
