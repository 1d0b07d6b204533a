"""The browser side of an application: what is generated for a screen, and that it is the same every time."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lowcode_kernel.application import Application
from lowcode_kernel.assembly import assemble
from lowcode_kernel.generators.layers.javascript import Call, names_of, written
from lowcode_kernel.generators.layers.web import ScreenView, screen_module, screen_views, web_files
from lowcode_kernel.language import read_cell
from lowcode_kernel.places import Place

GOLDEN = Path(__file__).parent / "golden" / "web"
CELLS = (
    '%app shop --title "Tom & Co <shop>"',
    "%%entity Customer\nname: Text(80)\nsince: Date\nsite: Url | None",
    "%%entity Order\ncustomer: Customer\nnumber: Text(20)\ntotal: Decimal(12, 2)\npaid: Boolean = False",
    """%%query orders_of(customer: Customer)
SELECT o.id, o.number, o.total, o.paid FROM Order o WHERE o.customer = :customer""",
    """%%query totals()
SELECT c.since AS day, SUM(o.total) AS total
FROM Order o JOIN Customer c ON c.id = o.customer GROUP BY c.since""",
    """%%action place(customer: Customer, number: Text(20), note: Text(400) | None, total: Decimal(12, 2), by: User, \
            kind: Choice("retail", "trade") = "retail", day: Date = today(), copies: Integer = 1) -> Order
return Order.create(customer=customer, number=number, total=total)""",
    '''%%screen orders "/customers/{customer}" (customer: Customer)
"""What a customer bought. */ alert(1)"""
since = date_input("Since")
kind = choice_input("Kind", ["all", "paid"], default="all")
title(customer.name)
text("Said \\"so\\" and </script>")
details(customer, attributes=[name, since, site], label="About")
if kind == "paid":
    chart(totals(), x=day, y=total, kind="line", label="Sold by day")
else:
    metric("Orders", len(orders_of(customer=customer)), unit="in all")
table(orders_of(customer=customer), columns=[column(number, "No."), total, paid], row=link(orders, customer=row.id))
button("New order", place, customer=customer.id, ask=[number, note, total, kind, day, copies, by], confirm="Sure?")
link("Start", start)''',
    '%%screen start "/"\ntitle("Start")',
)


def shop() -> Application:
    model = assemble([read_cell(text, Place(cell=number)) for number, text in enumerate(CELLS, 1)])
    assert not model.problems, "\n".join(map(str, model.problems))
    return model.application


def golden(name: str, text: str) -> None:
    """Compare with the kept text; LOWCODE_UPDATE=1 keeps the new one."""
    path = GOLDEN / name
    if os.environ.get("LOWCODE_UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    app = shop()
    return {file.path: file.content.decode() for file in web_files(app, screen_views(app))}


def test_a_screen_is_a_module_that_a_person_would_write(files: dict[str, str]) -> None:
    golden("orders.js", files["shop/web/screens/orders.js"])


def test_the_screens_are_listed_with_their_addresses(files: dict[str, str]) -> None:
    golden("screens.js", files["shop/web/screens.js"])


def test_the_page_names_what_it_loads_by_one_digest(files: dict[str, str]) -> None:
    page = files["shop/web/index.html"]
    assert "<title>Tom &amp; Co &lt;shop&gt;</title>" in page
    addresses = re.findall(r'(?:href|src)="(assets/[^"]+)"', page)
    assert len({address.split("/")[1] for address in addresses}) == 1
    assert {f"shop/web/{address.split('/', 2)[2]}" for address in addresses} <= set(files)
    assert page.count('<base href="/">') == 1


def test_the_page_holds_no_script_and_no_style(files: dict[str, str]) -> None:
    """So that `script-src 'self'; style-src 'self'` is all that it needs."""
    page = files["shop/web/index.html"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    code = "\n".join(text for path, text in files.items() if path.endswith(".js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", code)


def test_every_import_names_a_file(files: dict[str, str]) -> None:
    for path, text in files.items():
        for target in re.findall(r'(?:from |import\(|import )"(\.[^"]+)"', text) if path.endswith(".js") else []:
            found = os.path.normpath(Path(path).parent / target)
            assert found in files, f"{path} imports {target}"


def test_two_generations_are_the_same_bytes() -> None:
    app = shop()
    assert web_files(app, screen_views(app)) == web_files(shop(), screen_views(shop()))
    paths = [file.path for file in web_files(app, screen_views(app))]
    assert paths == sorted(set(paths))


def test_another_screen_changes_the_digest(files: dict[str, str]) -> None:
    app = shop()
    fewer = {file.path: file.content.decode() for file in web_files(app, screen_views(app)[:1])}
    assert fewer["shop/web/index.html"] != files["shop/web/index.html"]


def test_the_modules_of_all_applications_stay_small() -> None:
    folder = Path(__file__).parents[1] / "generators" / "templates" / "web"
    assert sum(path.read_text().count("\n") for path in folder.rglob("*.js")) < 1350


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not needed for anything but this check")
def test_the_modules_are_valid(tmp_path: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        if path.endswith(".js"):
            module = tmp_path / (path.replace("/", "_")[:-3] + ".mjs")
            module.write_text(text)
            done = subprocess.run(["node", "--check", module], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Call("title"), "title()"),
        (Call("metric", "Late", {}), 'metric("Late")'),
        ({"a": True, "b-c": None, "d": ("x", 1)}, '{ a: true, "b-c": null, d: ["x", 1] }'),
        ('</script>"\u2028', '"</script>\\"\\u2028"'),
        ((), "[]"),
    ],
)
def test_values_are_written_as_javascript(value: object, text: str) -> None:
    assert written(value) == text


def test_what_does_not_fit_on_a_line_is_broken_at_the_last_argument() -> None:
    call = Call("table", "label", {"columns": (Call("column.text", "name", "Name"),), "empty": "Nothing"})
    assert written(call, 0, 40) == (
        'table("label", {\n  columns: [column.text("name", "Name")],\n  empty: "Nothing",\n})'
    )
    assert names_of(call) == {"table", "column"}


def test_a_screen_without_anything_is_a_module_too() -> None:
    assert "inputs: [],\n  components: {},\n" in screen_module(ScreenView(name="bare", path="/bare"))
