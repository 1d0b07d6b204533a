"""No text of a cell raises: a seeded slice of the fuzz campaign."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowcode_kernel.assembly import assemble
from lowcode_kernel.checks import check
from lowcode_kernel.language import CELL_MAGICS, read_cell
from lowcode_kernel.places import Place

WORDS = st.sampled_from(
    [*CELL_MAGICS, "Order", "Text", "(", ")", ":", "=", "|", "None", "SELECT", "FROM", "WHERE", "*", ",", "\n", " ", "'", '"', "{", "}", "[", "]",
     "--role", "--rest", "->", "key", "access", "rows", "user.id", "if", "for x in y:\n    ", "return", "def", "lambda", "1", "0.5", ":x", "\x00", "é"]
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(CELL_MAGICS)), st.lists(WORDS, max_size=12), st.lists(WORDS, max_size=40))
def test_no_cell_raises(kind: str, header: list[str], body: list[str]) -> None:
    text = f"%%{kind} {' '.join(header).replace(chr(10), ' ')}\n{''.join(body)}"
    model = assemble([read_cell("%%entity Order\nnumber: Text", Place(cell=1)), read_cell(text, Place(cell=2))])
    for problem in check(model):
        assert problem.fact
        assert problem.place is not None


def test_deep_nesting_is_told() -> None:
    for body in ["(" * 5000, "[" * 90 + "]" * 90, "x = " + "-" * 20000 + "1", "x" + ".a" * 20000]:
        for header in ["%%action go()", "%%entity Order", '%%screen home "/"']:
            reading = read_cell(f"{header}\n{body}", Place(cell=1))
            check(assemble([reading]))
    reading = read_cell("%%query q()\nSELECT " + "(" * 3000 + "1" + ")" * 3000 + " AS x", Place(cell=1))
    assert check(assemble([reading]))
