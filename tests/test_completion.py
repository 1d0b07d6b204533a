"""What is offered at the cursor, written as `|` in the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.assembly import assemble
from lowcode_kernel.language import read_cell
from lowcode_kernel.magics.completion import register_completion, suggest, word_at
from lowcode_kernel.places import Place

if TYPE_CHECKING:
    from lowcode_kernel.application import Application

CELLS = (
    "%role Dispatcher",
    "%setting late_after: Integer = 15",
    "%%entity Airline\nkey(code)\ncode: Text(3)\nname: Text",
    "%%entity Flight\ncarrier: Airline\nnumber: Integer\ndeparts_at: DateTime",
    "%%query departures(origin: Text, day: Date)\nSELECT id, number FROM Flight",
    "%%action write_note(flight: Flight, text: Text)\nlog(text)",
    "%%integration weather --base-url https://example.com\nobservation = GET('/v1/observations/{station}', units=Text)",
    '%%screen flight "/flights/{flight}"\ntitle("Flight")',
)
CASES = {
    "the type of an attribute": ("%%entity Note\nflight: Fl|", "Flight"),
    "a scalar": ("%%entity Note\ntext: Te|", "Text"),
    "an attribute in an index": ("%%entity Note\ntext: Text\nindex(te|", "text"),
    "a role of an access rule": ("%%entity Note\naccess(read=Di|", "Dispatcher"),
    "what an attribute may be": ("%%entity Note\ntext: Text = uni|", "unique()"),
    "a line of an entity": ("%%entity Note\n|", "index("),
    "an entity to read": ("%%query q()\nSELECT * FROM Fl|", "Flight"),
    "an attribute of an alias": ("%%query q()\nSELECT f.de| FROM Flight f", "departs_at"),
    "the implied key": ("%%query q()\nSELECT f.| FROM Flight f", "id"),
    "an attribute without an alias": ("%%query q()\nSELECT num| FROM Flight", "number"),
    "an attribute of a joined entity": ("%%query q()\nSELECT 1 FROM Flight f JOIN Airline a ON a.co|", "code"),
    "an attribute of a user": ("%%query q()\nSELECT u.em| FROM User u", "email"),
    "a parameter of the query": ("%%query q(day: Date)\nSELECT 1 FROM Flight WHERE departs_at = :d|", "day"),
    "a view of the logs": ("%%logs dev\nSELECT * FROM err|", "errors"),
    "an option": ("%%action a() --ro|", "--role"),
    "the value of an option": ('%%job j "0 2 * * *" --priority h|', "high"),
    "a role": ("%%action a() --role Di|", "Dispatcher"),
    "the type of a parameter": ("%%action a(flight: Fl|", "Flight"),
    "the type of a result": ("%%action a() -> Fl|", "Flight"),
    "a query in an action": ("%%action a()\nrows = dep|", "departures"),
    "a setting in an action": ("%%action a()\nx = late|", "late_after"),
    "an argument of a query": ("%%action a()\nrows = departures(ori|", "origin="),
    "a second argument": ("%%action a()\nrows = departures(origin='JFK', d|", "day="),
    "an attribute to create": ("%%action a()\nFlight.create(num|", "number="),
    "a method of an entity": ("%%action a()\nFlight.cr|", "create"),
    "an operation": ("%%action a()\nweather.obs|", "observation"),
    "an argument of an operation": ("%%action a()\nweather.observation(uni|", "units="),
    "an attribute of a parameter": ("%%action a(flight: Flight)\nflight.num|", "number"),
    "an attribute of the user": ("%%action a()\nuser.ro|", "roles"),
    "a component": ("%%screen s \"/s\"\nta|", "table("),
    "a screen to link to": ("%%screen s \"/s\"\nlink('x', fli|", "flight"),
    "an action of a button": ("%%screen s \"/s\"\nbutton('x', wri|", "write_note"),
    "a form": ('%%screen s "/s"\nfo|', "form("),
    "an option of a line": ("%scaffold Flight --sh|", "--show"),
    "a role of a scaffold": ("x = 1\n%scaffold Flight --role Dis|", "Dispatcher"),
    "what is public": ("%%entity Note --pu|", "--public"),
    "a path's parameter": ('%%screen s "/s/{flight}"\nflight.num|', "number"),
    "an entity for data": ("%%data Fl|", "Flight"),
    "an entity to scaffold": ("%scaffold Fl|", "Flight"),
    "an element to ask about": ("x = 1\n%impact dep|", "departures"),
}  # fmt: skip
SILENT = (
    "x = Fl|",
    "import Fl|",
    "%%time\nFl|",
    "%%query q()\nSELECT x::da|",
    "%%ent|",
    "%%entity No|",
    "# %impact dep|\nx",
)


@pytest.fixture(scope="module")
def app() -> Application:
    model = assemble(read_cell(cell, Place(cell=number)) for number, cell in enumerate(CELLS, 1))
    assert model.problems == ()
    return model.application


def offered(cell: str, app: Application) -> list[str]:
    return [one.text for one in suggest(cell.replace("|", ""), cell.index("|"), app)]


@pytest.mark.parametrize("case", CASES)
def test_the_model_is_offered(case: str, app: Application) -> None:
    cell, expected = CASES[case]
    assert expected in offered(cell, app)


@pytest.mark.parametrize("cell", SILENT)
def test_nothing_is_offered_elsewhere(cell: str, app: Application) -> None:
    assert offered(cell, app) == []


def test_an_option_is_replaced_with_its_dashes() -> None:
    assert word_at("%%action a() --ro", 17) == "--ro"


def test_ipython_gives_the_suggestions(app: Application) -> None:
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    register_completion(shell, lambda: app)
    text = "%%query q()\nSELECT f.de FROM Flight f"
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, text.index(" FROM")))
    assert [(one.text, text[one.start : one.end], one.type) for one in found] == [("departs_at", "de", "attribute")]
