"""The checks as a whole: what is allowed, fixed, selected and told, and what a good model is not bothered with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowcode_kernel.analysis import analyze
from lowcode_kernel.checks import check, find_errors
from lowcode_kernel.checks.circles import circles, components
from lowcode_kernel.checks.fixing import fix
from lowcode_kernel.checks.spelling import is_one_slip
from lowcode_kernel.fixes import Edit, edited, overlap
from lowcode_kernel.magics.command import main
from lowcode_kernel.notebook import read_cells, read_notebook
from lowcode_kernel.places import Place
from lowcode_kernel.relational import schema_of
from tests.cases import BASE, model_of

TOUR = Path(__file__).parents[1] / "notebooks" / "00_tour.ipynb"
SPARE = "%%query spare()\nSELECT number FROM Order"


def codes(*cells: str) -> list[str]:
    return [problem.code for problem in check(model_of(*cells))]


# what is allowed


def test_a_comment_with_a_reason_allows_a_warning_of_its_cell() -> None:
    assert codes("(shop)", SPARE) == ["LK402", "LK402"]  # the setting of the shop, and the query
    allowed = SPARE.replace("\n", "\n-- lowcode: allow LK402 because a report reads it\n")
    assert codes("(shop)", allowed) == ["LK402"]


def test_a_comment_at_the_end_of_a_line_is_about_that_line() -> None:
    cell = "%%entity Line\norder: Order{}\ncustomer: Customer"
    assert codes("(shop)", cell.format("")).count("LK903") == 2
    assert codes("(shop)", cell.format("  # lowcode: allow LK903 because few rows")).count("LK903") == 1


def test_a_comment_above_a_line_definition_is_about_that_definition() -> None:
    roles = "%role Sales\n# lowcode: allow LK402 because it comes next month\n%role Idle\n%role Spare"
    found = check(model_of(roles, '%%screen home "/" --role Sales\ntitle("x")'))
    assert [problem.element for problem in found] == ["role:Spare"]


def test_a_comment_is_not_part_of_the_documentation() -> None:
    cells = (
        "%%entity Line\nnumber: Text(20)  # on paper  # lowcode: allow LK405 because it is printed",
        "%%query q()\n-- what there is\n-- lowcode: allow LK402 because it is new\nSELECT number FROM Line",
    )
    app = model_of(*cells).application
    attribute = app.entities["Line"].attribute("number")
    assert attribute is not None
    assert attribute.doc == "on paper"
    assert app.queries["q"].doc == "what there is"


def test_an_error_can_not_be_allowed() -> None:
    found = codes("(shop)", "%%query q()\n-- lowcode: allow LK101 because\nSELECT nope FROM Order")
    assert "LK101" in found
    assert "LK030" in found  # "because" and nothing behind it
    assert "LK031" in codes("(shop)", "%%query q()\n-- lowcode: allow LK101 because no\nSELECT nope FROM Order")


# what is fixed


def read(cells: dict[int, str]) -> object:
    return read_cells(sorted(cells.items()), Path())


MISTAKES = [
    "%%query stars(key: Customer)\nSELECT o.*, c.name\nFROM Order o JOIN Customer c ON c.id = o.customer AND c.id = :key",
    "%%query nothing()\nSELECT number FROM Order WHERE placed_at = NULL OR placed_at <>  null",
    "%%query slip()\nSELECT nummber FROM Order",
    '%%action place(order: Order) --role Sale\nif order.placed_at == None and order.number!=None:\n    log("é")',
    "%%entity Line\norder: Order\nnumber: Integer\nindex(number)\nindex(number)",
    "%%entity Last\norder: Order",
    "%%query tidy()\n-- lowcode: allow LK401 because it was\nSELECT number FROM Order",
    "%%query fine(customer: Customer)\nSELECT number FROM Order WHERE customer = :customer",
]


@settings(max_examples=25)
@given(st.lists(st.sampled_from(MISTAKES), unique=True, max_size=len(MISTAKES)))
def test_fixes_leave_nothing_that_has_one_and_bring_nothing_new(cells: list[str]) -> None:
    before = dict(enumerate([*BASE.split("\n---\n"), *cells], 1))
    fixed = fix(before, read)  # type: ignore[arg-type]
    assert not any(problem.fix for problem in fixed.remaining)
    known = {(problem.code, problem.element) for problem in check(read(before))}  # type: ignore[arg-type]
    errors = any(problem.severity == "error" for problem in check(read(before)))  # type: ignore[arg-type]
    new = {(problem.code, problem.element) for problem in fixed.remaining} - known
    assert not new or errors  # an error hides what is behind it
    assert fix(fixed.cells, read).cells == fixed.cells  # type: ignore[arg-type]


def test_a_fix_of_a_star_leaves_the_statement_as_it_was() -> None:
    before = dict(enumerate([*BASE.split("\n---\n"), MISTAKES[0]], 1))
    after = fix(before, read).cells  # type: ignore[arg-type]
    assert "o.id, o.customer, o.number, o.placed_at, o.total, c.name" in after[4]
    one, other = (analyze(read_cells(sorted(cells.items()), Path()).application) for cells in (before, after))
    assert one.queries["stars"].columns == other.queries["stars"].columns


def test_edits_are_made_from_the_end() -> None:
    def edit(line: int, start: int, end: int, text: str) -> Edit:
        return Edit(start=Place(cell=1, line=line, column=start), end=Place(cell=1, line=line, column=end), text=text)

    assert edited("abc\ndef\n", [edit(1, 1, 2, "xx"), edit(2, 3, 4, ""), edit(3, 1, 1, "g\n")]) == "xxbc\nde\ng\n"
    assert overlap(edit(1, 1, 3, ""), edit(1, 2, 4, ""))
    assert not overlap(edit(1, 1, 2, ""), edit(1, 2, 4, ""))


@pytest.mark.parametrize(
    ("word", "other", "near"),
    [
        ("custmer", "customer", True),
        ("nubmer", "number", True),
        ("total", "totals", True),
        ("total", "tutor", False),
        ("number", "number", False),
        ("abcd", "badc", False),
    ],
)
def test_one_slip_of_the_hand(word: str, other: str, near: bool) -> None:
    assert is_one_slip(word, other) is near
    assert is_one_slip(other, word) is near


# the command


def notebook(folder: Path, *cells: str, indent: int | None = 1, listed: bool = True) -> Path:
    path = folder / "app.ipynb"
    found = [
        {
            "cell_type": "code",
            "execution_count": 3,
            "id": f"c{number}",
            "metadata": {"tags": ["é"]},
            "outputs": [{"data": {"text/plain": ["1.50"]}, "output_type": "display_data", "metadata": {}}],
            "source": text.splitlines(keepends=True) if listed else text,
        }
        for number, text in enumerate(cells)
    ]
    text = {"cells": [{"cell_type": "markdown", "source": ["# Title"]}, *found], "metadata": {}, "nbformat": 4}
    path.write_text(json.dumps(text, indent=indent, ensure_ascii=False) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("indent", [1, 2, None])
@pytest.mark.parametrize("listed", [True, False])
def test_fixing_changes_the_lines_of_the_fix_and_nothing_else(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    indent: int | None,
    listed: bool,
) -> None:
    path = notebook(tmp_path, *BASE.split("\n---\n"), "  \n", MISTAKES[1], indent=indent, listed=listed)
    before = path.read_text("utf-8")
    assert main(["check", "--fix", str(path)]) == 0
    told = capsys.readouterr().out
    assert "-SELECT number FROM Order WHERE placed_at = NULL OR placed_at <>  null" in told
    assert "+SELECT number FROM Order WHERE placed_at IS NULL OR placed_at IS NOT NULL" in told
    expected = before.replace("= NULL", "IS NULL").replace("<>  null", "IS NOT NULL")
    assert path.read_text("utf-8") == expected
    assert main(["check", "--fix", str(path)]) == 0
    assert path.read_text("utf-8") == expected


def test_a_sound_notebook_is_not_touched_by_fix(tmp_path: Path) -> None:
    path = notebook(tmp_path, *BASE.split("\n---\n"))
    before = path.stat()
    assert main(["check", "--fix", str(path)]) == 0
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_json_has_the_documented_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = notebook(tmp_path, "%%entity Order\nnumber: Text(20)", "%%query q()\nSELECT numbr FROM Order")
    assert main(["check", "--json", str(path)]) == 1
    found = json.loads(capsys.readouterr().out)
    place = {"notebook": None, "cell": 2, "line": 2, "column": 8}
    assert found[0] == {
        "code": "LK101",
        "severity": "error",
        "fact": 'query q: there is no attribute "numbr" here',
        "hint": 'did you mean "number"?',
        "place": place,
        "element": "query:q",
        "page": "lowcode_kernel/checks/pages/LK101.md",
        "fixable": True,
    }


@pytest.mark.parametrize(
    ("words", "status", "said", "not_said"),
    [
        ([], 0, "LK402", "nothing"),
        (["--severity", "warning"], 1, "LK402", "nothing"),
        (["--severity", "warning", "--ignore", "LK4"], 0, "no problems", "LK402"),
        (["--select", "unused-element"], 0, "LK402", "LK401"),
        (["--select", "LK401,LK9"], 0, "LK401", "LK402"),
        (["--select", "nonsense"], 2, "", "LK402"),
    ],
)
def test_ci_chooses_codes_and_severity(
    words: list[str], status: int, said: str, not_said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook(tmp_path, "%%entity Order\nnumber: Text(20)", "%%query q(a: Text)\nSELECT number FROM Order")
    assert main(["check", str(path), *words]) == status
    told = capsys.readouterr().out
    assert said in told
    assert not_said not in told


def test_explain_needs_no_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--explain", "LK207"]) == 0
    assert "# LK207 select-star: a query selects *" in capsys.readouterr().out
    assert main(["check", "--explain", "LK299"]) == 2


def test_what_is_deployed_is_asked_of_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = schema_of(model_of("%%entity Order\nnumber: Text(20)\nnote: Text").application)
    monkeypatch.setattr("lowcode_kernel.magics.workbench.Workbench.environment", lambda _, name: name)
    monkeypatch.setattr("lowcode_kernel.farm.history.schema_history", lambda *_: (deployed,))
    path = notebook(tmp_path, "%%entity Order\nnumber: Text(10)")
    assert main(["check", str(path), "--against", "prod", "--severity", "warning"]) == 1
    told = capsys.readouterr().out
    assert "LK826 warning cell 1, line 1: Order.note is deployed, and the model has it no more" in told
    assert "LK829 warning cell 1, line 2: Order.number holds 10 characters, and 20 where it is deployed" in told


# as a whole


def test_the_tour_has_no_errors_and_one_warning() -> None:
    found = check(read_notebook(TOUR))
    assert {problem.code for problem in found} == {"LK402", "LK404", "LK903"}
    assert [problem.element for problem in found if problem.severity == "warning"] == ["query:longest_flights"]


def test_errors_alone_are_the_errors_of_all() -> None:
    model = model_of("(shop)", SPARE, "%%query q()\nSELECT nope FROM Order", '%%screen s "/" --role None\ntitle(1)')
    assert {(p.code, p.fact) for p in find_errors(model)} == {
        (p.code, p.fact) for p in check(model) if p.severity == "error"
    }


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), max_size=6))
def test_circles_are_what_leads_back(uses: dict[str, list[str]]) -> None:
    def reached(start: str) -> set[str]:
        found, left = set[str](), [start]
        while left:
            new = [name for name in uses.get(left.pop(), []) if name in uses and name not in found]
            found.update(new)
            left.extend(new)
        return found

    around = {frozenset(n for n in uses if n in reached(name) and name in reached(n)) for name in uses}
    assert {frozenset(circle) for circle in circles(uses)} == {part for part in around if part}
    order = {name: number for number, part in enumerate(components(uses)) for name in part}
    assert all(order[used] <= order[name] for name in uses for used in uses[name] if used in uses)
