"""Random bodies of actions, and what those of screens share, typed as they are written: what a name holds is known at each point."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING

from tests.differential.statements import further

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.differential.applications import Ask, Kind, Model

DEPTH = 3


class Body:
    """What actions and screens share: expressions over the names at hand.

    `names` maps a name to what it holds: ("integer",), ("text",), ("rows", query), ("row", query), ("loaded", entity),
    ("all", entity: a list of loaded rows).
    """

    def __init__(self, model: Model, parameters: dict[str, str]) -> None:
        self.model, self.random = model, model.random
        self.names: dict[str, tuple[str, ...]] = {}
        self.count = 0
        self.calls: list[tuple[str, set[str]]] = []
        self.own: set[str] = set()  # names that statements of this body gave rows
        for name, type_ in parameters.items():
            self.names[name] = {"Integer": ("integer",), "Text": ("text",)}.get(type_, ("loaded", type_))

    def fresh(self, stem: str) -> str:
        """Return a name that is not taken."""
        self.count += 1
        return f"{stem}{self.count}"

    def held(self, what: str) -> list[str]:
        """Return the names that hold this."""
        return [name for name, held in self.names.items() if held[0] == what]

    def integer(self, *, simple: bool = False) -> str:
        """Return an expression for a whole number."""
        options: list[Callable[[], str]] = [lambda: str(self.random.randint(0, 6))]
        if names := self.held("integer"):
            options += [lambda: self.random.choice(names)] * 2
        if rows := [name for name in self.held("row") if self._ask(name).has("Integer")]:
            options += [lambda: self._column(self.random.choice(rows), "Integer")] * 2
        if loaded := self.held("loaded"):
            options += [lambda: self._number_of(self.random.choice(loaded))] * 2
        if not simple:
            options += [lambda: f"len({self.rows()})", lambda: "bonus"]
        return self.random.choice(options)()

    def _number_of(self, loaded: str) -> str:
        kind = self.model.kinds[self.names[loaded][1]]
        numbers = [f"{loaded}.amount", *(f"{loaded}.{name}" for name in kind.computed)]
        return self.random.choice([*numbers, *(f"len({loaded}.{name})" for name in kind.lists)])

    def text(self) -> str:
        """Return an expression for a text."""
        options: list[Callable[[], str]] = [lambda: self.random.choice(('"red1"', '"blue0"', '"x"'))]
        if names := self.held("text"):
            options.append(lambda: self.random.choice(names))
        if rows := [name for name in self.held("row") if self._ask(name).has("Text")]:
            options += [lambda: self._column(self.random.choice(rows), "Text")] * 2
        if loaded := self.held("loaded"):
            options += [
                lambda: f"{self.random.choice(loaded)}.name",
                lambda: self._followed(self.random.choice(loaded)),
            ]
        return self.random.choice(options)()

    def _ask(self, row: str) -> Ask:
        return self.model.asks[self.names[row][1]]

    def _column(self, row: str, type_: str) -> str:
        return f"{row}.{self.random.choice(self._ask(row).has(type_))}"

    def _followed(self, loaded: str) -> str:
        """Follow a reference that is always there."""
        kind = self.model.kinds[self.names[loaded][1]]
        sure = [name for name in kind.references if name not in kind.optional]
        return f"{loaded}.{self.random.choice(sure)}.name" if sure else f"{loaded}.name"

    def condition(self) -> str:
        """Return an expression that is true or false."""
        first = self.integer()
        options = [f"{first} {self.random.choice(('>', '<', '==', '!='))} {self.integer(simple=True)}"]
        if rows := self.held("rows"):
            name = self.random.choice(rows)
            options += [name, f"not {name}", f"len({name}) > 0", f"len({name}) == 0"]
        options += [f"{self.text()} == {self.text()}", self.rows(), f"not {self.rows()}"]
        if loaded := [name for name in self.held("loaded") if self.model.kinds[self.names[name][1]].has("Boolean")]:
            options.append(f"{self.random.choice(loaded)}.active")
        return self.random.choice(options)

    def key(self, entity: str) -> str:
        """Return an expression for a key of an entity."""
        options = [str(self.random.choice((1, 1, 2, 3, 6)))]
        options += [f"{name}.id" for name in self.held("loaded") if self.names[name][1] == entity] * 2
        for name in self.held("row"):
            options += [
                f"{name}.{column}"
                for column, (type_, optional) in self._ask(name).columns.items()
                if type_ == entity and not optional
            ] * 3
        for name in self.held("loaded"):
            kind = self.model.kinds[self.names[name][1]]
            options += [
                f"{name}.{reference}"
                for reference, target in kind.references.items()
                if target == entity and reference not in kind.optional
            ] * 2
        return self.random.choice(options)

    def rows(self) -> str:
        """Return a call of a query."""
        return self.call(self.random.choice(list(self.model.asks.values())))

    def call(self, ask: Ask) -> str:
        """Return the call of this query with arguments that fit; often one that was made before."""
        earlier = [text for text, names in self.calls if text.startswith(f"{ask.name}(") and names <= set(self.names)]
        if earlier and self.random.random() < 0.4:
            return self.random.choice(earlier)
        text = self._called(ask)
        self.calls.append((text, {word for word in re.findall(r"\w+", text) if word in self.names}))
        return text

    def _called(self, ask: Ask) -> str:
        arguments = []
        for name, type_ in ask.parameters.items():
            if "None" in type_ and self.random.random() < 0.4:
                arguments += [f"{name}=None"] if self.random.random() < 0.4 else []
                continue
            match type_.partition(" ")[0]:
                case "Integer":
                    value = self.integer(simple=True)
                case "Text":
                    value = self.text()
                case entity:
                    value = self.key(entity)
            arguments.append(f"{name}={value}")
        return f"{ask.name}({', '.join(arguments)})"

    def listed(self) -> tuple[str, tuple[str, ...]]:
        """Return an expression for rows to walk over, and what one of them is."""
        options: list[Callable[[], tuple[str, tuple[str, ...]]]] = [self._asked] * 3 + [self._listed]
        if names := self.held("rows"):
            name = self.random.choice(names)
            options += [lambda: (name, ("row", self.names[name][1]))] * 2
        if lists := self.held("all"):
            one = self.random.choice(lists)
            options.append(lambda: (one, ("loaded", self.names[one][1])))
        return self.random.choice(options)()

    def _asked(self) -> tuple[str, tuple[str, ...]]:
        ask = self.random.choice(list(self.model.asks.values()))
        return self.call(ask), ("row", ask.name)

    def _listed(self) -> tuple[str, tuple[str, ...]]:
        kind = self.random.choice(list(self.model.kinds.values()))
        return self.all_of(kind), ("loaded", kind.name)

    def all_of(self, kind: Kind) -> str:
        """Return a call that lists an entity's rows."""
        options = ["", f"name={self.text()}", f"amount={self.integer(simple=True)}"]
        options += [f"{name}={self.key(target)}" for name, target in kind.references.items()] * 2
        arguments = [self.random.choice(options), self.random.choice(("", "order_by=amount", "order_by=-amount"))]
        return f"{kind.name}.list({', '.join(filter(None, arguments))})"

    def comprehension(self) -> tuple[str, str]:
        """Return a comprehension over rows, and the type of its items."""
        source, item = self.listed()
        name = self.fresh("each")
        self.names[name] = item
        test = f" if {self.filter(name)}" if self.random.random() < 0.6 else ""
        type_ = self.random.choice(("integer", "text"))
        value = self.integer(simple=True) if type_ == "integer" else self.text()
        del self.names[name]
        return f"{value} for {name} in {source}{test}", type_

    def filter(self, row: str) -> str:
        """Return a condition over one row, as a filter has it."""
        held = self.names[row]
        if held[0] == "loaded":
            kind = self.model.kinds[held[1]]
            options = [f"{row}.name == {self.text()}", f"{row}.amount > {self.integer(simple=True)}"]
            options += [f"{row}.{name} is not None" for name in kind.optional]
            options += [f"{row}.{name} == {self.key(target)}" for name, target in kind.references.items()]
            return self.random.choice(options)
        ask = self.model.asks[held[1]]
        options = [
            f"{row}.{name} {self.random.choice(('==', '>', '<='))} {self.integer(simple=True)}"
            for name in ask.has("Integer")
        ]
        options += [f"{row}.{name} == {self.text()}" for name in ask.has("Text")]
        options += [f"{row}.{name}" for name in ask.has("Boolean")]
        options += [f'{row}.{name} == "a"' for name in ask.has("Choice")]
        options += [f"{row}.{name} is not None" for name, (_, optional) in ask.columns.items() if optional]
        options += [
            f"{row}.{name} == 1" for name, (type_, optional) in ask.columns.items() if optional and type_ == "Integer"
        ]
        return self.random.choice(options or ["True"])


class ActionBody(Body):
    """The body of an action."""

    def written(self) -> str:
        """Return the body; the last statement returns what there is."""
        lines = ["total = 0"]
        self.names["total"] = ("integer",)
        for _ in range(self.random.randint(2, 6)):
            lines += self.statement(0)
        return "\n".join([*lines, self._returned()])

    def _returned(self) -> str:
        parts = []
        for name, held in self.names.items():
            if held[0] in {"integer", "text"} and self.random.random() < (0.9 if name == "total" else 0.6):
                parts.append(f'"{name}": {name}')
            elif held[0] == "rows" and self.random.random() < 0.5:
                parts.append(self._shown(name))
        return f"return {{{', '.join(parts)}}}"

    def _shown(self, rows: str) -> str:
        ask = self.model.asks[self.names[rows][1]]
        column = self.random.choice(list(ask.columns))
        options = [
            f"len({rows})",
            f"[one.{column} for one in {rows}]",
            f"{rows}[0].{column} if {rows} else None",
            f"bool({rows})",
        ]
        return f'"{rows}": {self.random.choice(options)}'

    def block(self, depth: int) -> list[str]:
        """Return the statements of a branch or loop; what they name is not known outside."""
        outer = dict(self.names)
        lines = [line for _ in range(self.random.randint(1, 3)) for line in self.statement(depth)]
        self.names = outer
        return indent("\n".join(lines), "    ").splitlines()

    def statement(self, depth: int) -> list[str]:
        """Return the lines of one statement."""
        if depth < DEPTH and self.random.random() < 0.25:
            return self.random.choice(further(self, depth))()
        options = [
            self.read,
            self.read,
            self.count_something,
            self.add,
            self._find,
            self._look,
            self._around,
            self._comprehended,
            self.write,
            self._require,
            self._log,
            self._list,
        ]
        if depth < DEPTH:
            options += [
                lambda: self._loop(depth),
                lambda: self._loop(depth),
                lambda: self._branch(depth),
                lambda: self._branch(depth),
            ]
            options += [lambda: self._early(), lambda: self._guarded(depth)]
        if self.model.actions:
            options.append(self._call_action)
        return self.random.choice(options)()

    def read(self) -> list[str]:
        """Read rows, and give them a name."""
        ask = self.random.choice(list(self.model.asks.values()))
        call, name = self.call(ask), self.fresh("rows")
        self.names[name] = ("rows", ask.name)
        self.own.add(name)
        return [f"{name} = {call}"]

    def _list(self) -> list[str]:
        kind = self.random.choice(list(self.model.kinds.values()))
        call, name = self.all_of(kind), self.fresh("list")
        self.names[name] = ("all", kind.name)
        return [f"{name} = {call}"]

    def count_something(self) -> list[str]:
        """Give a number a name."""
        value, name = self.integer(), self.fresh("number")
        self.names[name] = ("integer",)
        return [f"{name} = {value}"]

    def add(self) -> list[str]:
        """Add something to the total."""
        return [f"total = total + {self.integer()}"]

    def _find(self) -> list[str]:
        kind = self.random.choice(list(self.model.kinds.values()))
        name = self.fresh("found")
        if self.random.random() < 0.5:
            lines = [f"{name} = {kind.name}.get({self.key(kind.name)})"]
            self.names[name] = ("loaded", kind.name)
            return lines
        lines = [f"{name} = {kind.name}.find(name={self.text()})", f"if {name} is not None:"]
        outer = dict(self.names)
        self.names[name] = ("loaded", kind.name)
        lines += indent("\n".join(self.add()), "    ").splitlines()
        self.names = outer
        return lines

    def _comprehended(self) -> list[str]:
        inside, type_ = self.comprehension()
        name = self.fresh("value")
        self.names[name] = ("integer",)
        if type_ == "integer":
            return [f"{name} = sum({inside})" if self.random.random() < 0.6 else f"{name} = len([{inside}])"]
        return [f"{name} = len([{inside}])"]

    def write(self) -> list[str]:
        """Create, change or delete a row."""
        kind = self.random.choice(list(self.model.kinds.values()))
        return self._change(kind)

    def _change(self, kind: Kind) -> list[str]:
        loaded = [name for name in self.held("loaded") if self.names[name][1] == kind.name]
        match self.random.randrange(4):
            case 0 if loaded:
                return [f"{kind.name}.update({self.random.choice(loaded)}, amount={self.integer(simple=True)})"]
            case 1 if loaded:
                return [f"{kind.name}.delete({self.random.choice(loaded)})"]
        values = [f"name={self.text()}", f"amount={self.integer(simple=True)}"]
        fixed = {"price": "1.5", "active": "True", "grade": '"b"'}
        values += [f"{name}={value}" for name, value in fixed.items() if name in kind.attributes]
        values += [f"{name}={self.key(target)}" for name, target in kind.references.items()]
        values += [f"{name}=[{self.key(target)}]" for name, target in kind.lists.items()]
        return [f"{kind.name}.create({', '.join(values)})"]

    def _around(self) -> list[str]:
        """The same read on both sides of a write."""
        ask = self.random.choice(list(self.model.asks.values()))
        call, before, after = self.call(ask), self.fresh("rows"), self.fresh("rows")
        lines = [f"{before} = {call}", *self._change(self.model.kinds[ask.entity]), f"{after} = {call}"]
        column = self.random.choice(list(ask.columns))
        lines.append(f'log("around", n=str([[one.{column} for one in {before}], [one.{column} for one in {after}]]))')
        self.names |= {before: ("rows", ask.name), after: ("rows", ask.name)}
        return lines

    def _look(self) -> list[str]:
        """A row that has to be there, whatever is in it."""
        kind = self.random.choice(list(self.model.kinds.values()))
        return [f"{kind.name}.get({self.key(kind.name)})"]

    def _require(self) -> list[str]:
        return (
            [f'require({self.condition()}, "rule {self.random.randint(1, 9)}")']
            if self.random.random() < 0.5
            else self.add()
        )

    def _log(self) -> list[str]:
        return [f'log("seen", value={self.integer()})']

    def _loop(self, depth: int) -> list[str]:
        source, item = self.listed()
        outer, name = dict(self.names), self.fresh("row")
        self.names[name] = item
        lines = [f"for {name} in {source}:"]
        if self.random.random() < 0.3:
            lines += [f"    if {self.filter(name)}:", *indent("\n".join(self.block(depth + 1)), "    ").splitlines()]
        else:
            lines += self.block(depth + 1)
        if self.random.random() < 0.15:
            lines.append(self.random.choice(("    break", f"    if {self.filter(name)}:\n        break")))
        self.names = outer
        return "\n".join(lines).splitlines()

    def _branch(self, depth: int) -> list[str]:
        lines = [f"if {self.condition()}:", *self.block(depth + 1)]
        if self.random.random() < 0.4:
            lines += ["else:", *self.block(depth + 1)]
        return lines

    def _early(self) -> list[str]:
        return [f"if {self.condition()}:", f'    return {{"early": {self.integer()}}}']

    def _guarded(self, depth: int) -> list[str]:
        return ["try:", *self.block(depth + 1), "except Refused:", "    total = total + 100"]

    def _call_action(self) -> list[str]:
        name, parameters = self.random.choice(list(self.model.actions.items()))
        given = {"Integer": lambda: self.integer(simple=True), "Text": self.text}
        arguments = ", ".join(
            f"{key}={given.get(type_, lambda type_=type_: self.key(type_))()}" for key, type_ in parameters.items()
        )
        return [f"{name}({arguments})"]
