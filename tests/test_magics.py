"""The magics and the command: a mistake is a message with a place, never a traceback, and exit statuses tell CI what happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lowcode_kernel.graph import build_graph, downstream, reachable
from lowcode_kernel.impact import uses_of
from lowcode_kernel.magics.command import main
from lowcode_kernel.magics.variables import variables_of
from lowcode_kernel.notebook import read_notebook
from lowcode_kernel.problems import LowcodeError
from tests.cases import model_of

TOUR = Path(__file__).parents[1] / "notebooks" / "00_tour.ipynb"
SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "lowcode_kernel")
for cell in sys.stdin.read().split("\\n---\\n"):
    result = shell.run_cell(cell, store_history=True)
    print("OK" if result.success else "FAILED", flush=True)
"""


def _run_cells(folder: Path, *cells: str) -> str:
    """Run cells in a shell of its own, as the model of one session must not reach another's."""
    done = subprocess.run(
        [sys.executable, "-c", SHELL],
        input="\n---\n".join(cells),
        cwd=folder,
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout


def _notebook(folder: Path, *cells: str) -> Path:
    path = folder / "app.ipynb"
    found = [{"cell_type": "code", "id": f"c{number}", "source": text} for number, text in enumerate(cells)]
    path.write_text(json.dumps({"nbformat": 4, "cells": found}))
    return path


def test_a_mistake_in_a_cell_is_a_message_without_a_traceback(tmp_path: Path) -> None:
    told = _run_cells(tmp_path, "%%entity Order\nnumber: Txt(3)", "%%entity Order\nnumber: Text(20)")
    assert 'LK020 cell 1, line 2: "Txt" is not a type' in told
    assert "Traceback" not in told
    assert [line for line in told.splitlines() if line in {"OK", "FAILED"}] == ["FAILED", "OK"]


def test_check_fails_where_there_is_an_error_and_tells_all_of_them(tmp_path: Path) -> None:
    cells = ("%%entity Order\nnumber: Text", "%%query q()\nSELECT nmber, totl FROM Order", "%check")
    told = _run_cells(tmp_path, *cells)
    assert 'cell 2, line 2: query q: there is no attribute "nmber" here; did you mean "number"?' in told
    assert '"totl"' in told
    assert told.rstrip().endswith("FAILED")


def test_a_fix_of_an_open_notebook_is_shown_and_left_to_its_user(tmp_path: Path) -> None:
    cells = (
        "%%entity Order\nnumber: Text",
        "%%query q()\nSELECT * FROM Order",
        "%check --fix",
        "%check --explain LK207",
    )
    told = _run_cells(tmp_path, *cells)
    assert "-SELECT * FROM Order" in told
    assert "+SELECT id, number FROM Order" in told
    assert "lowcode check --fix NOTEBOOK.ipynb" in told
    assert "# LK207 select-star: a query selects *" in told
    assert "FAILED" not in told


def test_what_a_cell_allows_and_what_a_later_cell_may_define_is_no_error_of_it(tmp_path: Path) -> None:
    cells = (
        "%%action count()\nnumber = 3  # lowcode: allow LK335 because it shows that a comment is heard",
        '%%screen home "/"\nlink("Orders", orders)\ntext(missing)',
    )
    told = _run_cells(tmp_path, *cells)
    assert "LK335" not in told
    assert 'LK101 notice cell 2, line 2: screen home: there is no screen "orders"; define it in another cell' in told
    assert 'LK101 error cell 2, line 3: screen home: there is no "missing"' in told


def test_a_change_is_told_by_its_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _notebook(
        tmp_path,
        "%%entity Order\nnumber: Text\nnet: Integer\ngross: Integer = computed(net * 2)",
        "%%query orders()\nSELECT number, gross FROM Order ORDER BY id",
        '%%screen home "/"\ntable(orders(), columns=[number, gross])',
    )
    assert main(["impact", str(path), "Order.number", "--rename", "code"]) == 0
    told = capsys.readouterr().out
    assert "rename code: 1 breaks, 1 may break, 1 is generated again, 1 stays as it is" in told
    assert "  breaks      query orders  cell 2, line 1" in told
    assert "shows column number of query orders (c1); rests on query orders, which breaks" in told


def test_a_definition_in_a_block_is_refused(tmp_path: Path) -> None:
    told = _run_cells(tmp_path, "if True:\n    %role Sales")
    assert "LK016 %role Sales does not stand at the start of a line" in told


def test_a_scaffold_shows_what_it_makes_and_gives_its_cells(tmp_path: Path) -> None:
    cells = ("%%entity Order\nnumber: Text", "%scaffold Order", "%scaffold Order --show", "%scaffold Ordr --show")
    told = _run_cells(tmp_path, *cells)
    assert "new_order     screen  /orders/new" in told
    assert '%%screen new_order "/orders/new"\n"""Enter a new order."""\ntitle("New order")\nform("Create"' in told
    assert 'LK101 cell 4, line 1: there is no entity "Ordr"; did you mean "Order"?' in told
    assert [line for line in told.splitlines() if line in {"OK", "FAILED"}] == ["OK", "OK", "OK", "FAILED"]


def test_another_notebook_is_used_and_its_elements_are_shown(tmp_path: Path) -> None:
    _notebook(tmp_path, "%%entity Order --public\nnumber: Text")
    told = _run_cells(tmp_path, "%use app.ipynb", "%use apps.ipynb", "%use -h")
    assert "Taken from app.ipynb" in told
    assert "app.ipynb, cell 1, line 1" in told
    assert "LK125 cell 2, line 1: there is no notebook apps.ipynb" in told
    assert "Take public elements" in told


def test_a_result_goes_into_a_variable(tmp_path: Path) -> None:
    told = _run_cells(tmp_path, "%%entity Order\nnumber: Text", "%check -o found", "print('found', found)")
    assert "found ()" in told


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["check", str(TOUR)], 0, "longest_flights is never used"),
        (["explain", str(TOUR)], 0, "query longest_flights is removed"),
        (["impact", str(TOUR), "Flight.distance"], 0, "screen flight"),
        (["chek", str(TOUR)], 2, 'did you mean "check"?'),
        (["check"], 2, "lowcode check needs a notebook"),
        (["check", "nothing.ipynb"], 2, "there is no notebook nothing.ipynb"),
        (["impact", str(TOUR), "Flight.distanse"], 2, 'did you mean "distance"?'),
        (["plan", str(TOUR), "dev", "--set", "wether.url=x"], 2, 'did you mean "weather.url"?'),
        (["generate", "-h"], 0, "--no-optimize"),
        ([], 0, "rollback"),
    ],
)
def test_the_command_says_it_and_its_status_tells_ci(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowcode_kernel.magics.workbench.Workbench.environment", lambda *_: pytest.fail("started dev"))
    if "plan" in words:
        monkeypatch.setattr("lowcode_kernel.magics.verbs.deploying._environment", _only_variables)
    assert main(words) == status
    told = capsys.readouterr()
    assert said in told.out + told.err


def _only_variables(bench: object, arguments: object) -> object:
    return variables_of(arguments.set, bench.application)  # type: ignore[attr-defined]


def test_errors_of_the_model_are_status_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(_notebook(tmp_path, "%%query q()\nSELECT x AS y"))]) == 1
    assert main(["check", "--json", str(_notebook(tmp_path, "%%entity A\nb: Text"))]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == []


def test_generating_writes_only_what_changed_and_keeps_edits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook, out = _notebook(tmp_path, "%app shop", "%%entity Order\nnumber: Text"), tmp_path / "out"
    assert main(["generate", str(notebook), "--out", str(out)]) == 0
    assert main(["generate", str(notebook), "--out", str(out)]) == 0
    assert "0 files written, 0 deleted" in capsys.readouterr().out
    (out / "README.md").write_text("mine")
    assert main(["generate", str(notebook), "--out", str(out)]) == 1
    assert "kept because they were changed by hand: README.md" in capsys.readouterr().out
    assert (out / "README.md").read_text() == "mine"


def test_what_is_set_becomes_a_variable_and_all_mistakes_are_told() -> None:
    app = read_notebook(TOUR).application
    given = variables_of(["late_after=20", "weather.url=http://127.0.0.1:1"], app)
    assert given == {"SETTING_LATE_AFTER": "20", "INTEGRATION_WEATHER_URL": "http://127.0.0.1:1"}
    with pytest.raises(LowcodeError) as caught:
        variables_of(["late_aftr=20", "weather.url"], app)
    assert len(caught.value.problems) == 2


def test_the_graph_follows_what_uses_what() -> None:
    app = model_of(
        "(shop)", "%%query q()\nSELECT number FROM Order", '%%screen home "/" --role Sales\ntable(q())'
    ).application
    graph = build_graph(app)
    assert downstream(graph, "entity:Order") == ["query:q", "screen:home"]
    assert "entity:Customer" in reachable(app, graph)  # an order refers to one
    assert [use.element for use in uses_of(app, "entity:Order")] == ["query:q", "screen:home"]
