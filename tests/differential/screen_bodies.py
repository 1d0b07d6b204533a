"""Random bodies of screens."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from tests.differential.bodies import Body

if TYPE_CHECKING:
    from tests.differential.applications import Model


class ScreenBody(Body):
    """The body of a screen. `inputs` are its own, with their types."""

    def __init__(self, model: Model, parameters: dict[str, str]) -> None:
        super().__init__(model, parameters)
        self.inputs: dict[str, str] = {}
        self.components = 0

    def written(self) -> str:
        """Return inputs, values and components."""
        lines = []
        if self.random.random() < 0.4:
            lines.append('least = number_input("Least", default=2)')
            self.inputs["least"] = "Integer"
        for _ in range(self.random.randint(0, 3)):
            ask = self.random.choice(list(self.model.asks.values()))
            call, name = self.call(ask), self.fresh("rows")
            self.names[name] = ("rows", ask.name)
            lines.append(f"{name} = {call}")
        for _ in range(self.random.randint(1, 5)):
            lines += self._component()
        if self.random.random() < 0.4:
            lines += [f"if {self.condition()}:", *indent("\n".join(self._component()), "    ").splitlines()]
        return "\n".join(lines)

    def _component(self) -> list[str]:
        self.components += 1
        match self.random.randrange(6):
            case 0:
                return [f'metric("Number", {self.integer()})']
            case 1:
                return [f"text(f'it is {{{self.text()}}}')"]
            case 2:
                inside, type_ = self.comprehension()
                return [f'metric("Sum", sum({inside}))' if type_ == "integer" else f'metric("Length", len([{inside}]))']
        return [self._table()]

    def _table(self) -> str:
        rows = self.held("rows")
        if rows and self.random.random() < 0.5:
            source = self.random.choice(rows)
            ask = self.model.asks[self.names[source][1]]
        else:
            ask = self.random.choice(list(self.model.asks.values()))
            source = self.call(ask)
        columns = [name for name in ask.columns if self.random.random() < 0.5] or [next(iter(ask.columns))]
        page = ", page=2" if source.startswith(f"{ask.name}(") and self.random.random() < 0.3 else ""
        self.inputs |= {f"c{self.components}.start": "Start"} if page else {}
        return f"table({source}, columns=[{', '.join(columns)}]{page})"
