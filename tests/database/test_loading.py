"""Loading of `%%data`: what is wrong with files is told before anything is written; what is right is written once."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.evolution import evolve
from lowcode_kernel.farm import loading
from lowcode_kernel.farm.environments import Environment, Secret
from lowcode_kernel.farm.loading import load_data
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.relational import schema_of

if TYPE_CHECKING:
    from pathlib import Path

MODEL = """%app shop

%%entity Country
key(code)
code: Text(2)
name: Text(10)

%%entity Customer
name: Text(8)
email: Email = unique()
tier: Choice("standard", "gold") = "standard"
country: Country | None
since: Date | None
points: Integer = 0

"""
COUNTRIES = "code,name\nCH,Switzerland\nIT,Italy\n"
GOOD = "name,email,country,since,points\nAnn,ann@x.org,IT,2020-01-02,3\nBob,bob@x.org,NA,NA,4\n"
BAD = """name,email,tier,country,since,points
Ann,ann@x.org,gold,IT,2020-01-02,3
Bartholomew,bob@x.org,silver,XX,2020-01-03,4.5
,ann@x.org,gold,IT,soon,5
"""


class Shop:
    """An environment whose database holds the model, and a folder of files."""

    def __init__(self, application, database, folder: Path) -> None:
        self.application = application
        self.schema, changes, _ = evolve(None, schema_of(application))
        database.run(*(change.sql for change in changes))
        self.run = database.run
        self.folder = folder
        server = Secret(database.url.replace(f"/{database.name}", ""))
        self.environment = Environment(name="dev", home=folder / "home", server=server)
        self.database = database

    def load(self, **options) -> list[tuple[str, int, int, int]]:
        reports = load_data(self.environment, self.application, self.schema, self.folder, **options)
        return [(r.entity, r.rows, r.written, r.there) for r in reports]

    def count(self, table: str) -> int:
        return self.run(f"SELECT count(*) FROM {self.schema.views}.{table}")[0][0]


@pytest.fixture
def shop(model, database, tmp_path, monkeypatch):
    def make(cells: str, **files: str) -> Shop:
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        made = Shop(model(MODEL + cells), database, tmp_path)
        # the application's database has the application's name, the test's another
        monkeypatch.setattr(Environment, "database_url", lambda *_: Secret(database.url))
        return made

    return make


CUSTOMERS = "%%data Customer --file customers.csv"
BOTH = f"%%data Country --file countries.csv\nSELECT code, left(name, 10) AS name FROM source\n\n{CUSTOMERS}"


def test_rows_are_loaded_targets_of_references_first_and_only_once(shop):
    made = shop(BOTH, countries=COUNTRIES, customers=GOOD)
    assert made.load() == [("Country", 2, 2, 0), ("Customer", 2, 2, 0)]
    assert made.load() == [("Country", 2, 0, 2), ("Customer", 2, 0, 2)]
    found = made.run(f"SELECT name, tier, country, since::text, points FROM {made.schema.views}.customer ORDER BY name")
    assert found == [("Ann", "standard", "IT", "2020-01-02", 3), ("Bob", "standard", None, None, 4)]


def test_replace_gives_rows_that_are_there_the_new_values(shop, tmp_path):
    made = shop(BOTH, countries=COUNTRIES, customers=GOOD)
    made.load()
    (tmp_path / "customers.csv").write_text(GOOD.replace("Bob,", "Robert,"))
    made.load(replace=True)
    assert made.run(f"SELECT name FROM {made.schema.views}.customer ORDER BY id") == [("Ann",), ("Robert",)]


def test_everything_that_is_wrong_is_told_with_rows_and_nothing_is_written(shop):
    made = shop(BOTH, countries=COUNTRIES, customers=BAD)
    with pytest.raises(LowcodeError) as error:
        made.load()
    assert str(error.value).splitlines() == [
        "cell 5, line 1: Customer.name is required, and has no value in 1 row: row 3",
        'cell 5, line 1: Customer.name is longer than 8 in 1 row: row 2 ("Bartholomew")',
        'cell 5, line 1: Customer.tier is none of standard, gold in 1 row: row 2 ("silver")',
        'cell 5, line 1: Customer.since is not a Date in 1 row: row 3 ("soon")',
        'cell 5, line 1: Customer.points is not an Integer in 1 row: row 2 ("4.5")',
        'cell 5, line 1: Customer.email is unique, and 1 value stands in several rows: "ann@x.org" in rows 1, 3',
        'cell 5, line 1: Customer.country refers to a row that Country doesn\'t have in 1 row: row 2 ("XX")',
    ]
    assert (made.count("country"), made.count("customer")) == (0, 0)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            "%%data Customer --file custmers.csv",
            'cell 4, line 1: there is no file custmers.csv; did you mean "customers.csv"?',
        ),
        (
            "%%data Customer --file nothing:x.csv",
            "cell 4, line 1: package nothing is not installed; install it: uv pip install nothing",
        ),
        (
            "%%data Customer --file customers.csv\nSELECT name, email AS mail FROM source",
            'cell 4, line 2: Customer has no attribute mail; did you mean "email"?',
        ),
        (
            "%%data Customer --file customers.csv\nSELECT name,\n  nam FROM source",
            'cell 4, line 3: Binder Error: Referenced column "nam" not found in FROM clause!',
        ),
    ],
    ids=["file", "package", "column", "statement"],
)
def test_what_is_wrong_with_a_cell_is_told_with_its_place(shop, cell, said):
    made = shop(cell, customers=GOOD)
    with pytest.raises(LowcodeError) as error:
        made.load()
    assert str(error.value).startswith(said)
    assert made.count("customer") == 0


def test_an_entity_without_a_natural_key_is_loaded_once_unless_replaced(model, database, tmp_path, monkeypatch):
    (tmp_path / "notes.csv").write_text("text\nhello\n")
    made = Shop(model("%app shop\n\n%%entity Note\ntext: Text\n\n%%data Note --file notes.csv"), database, tmp_path)
    monkeypatch.setattr(Environment, "database_url", lambda *_: Secret(database.url))
    made.load()
    with pytest.raises(LowcodeError, match="Note has rows already"):
        made.load()
    made.load(replace=True)
    assert made.count("note") == 1


def test_many_rows_keep_their_indexes_and_references(shop, monkeypatch):
    monkeypatch.setattr(loading, "MANY", 1)
    made = shop(BOTH, countries=COUNTRIES, customers=GOOD)
    names = "SELECT relname FROM pg_class WHERE relkind = 'i' AND relnamespace = 'shop'::regnamespace"
    names += " UNION ALL SELECT conname FROM pg_constraint WHERE contype = 'f' AND convalidated ORDER BY 1"
    before = made.run(names)
    made.load()
    assert made.run(names) == before


def test_progress_ends_at_the_number_of_rows(shop):
    told: list[tuple[str, int, int]] = []
    made = shop(BOTH, countries=COUNTRIES, customers=GOOD)
    made.load(report=lambda *step: told.append(step))
    assert [step for step in told if step[1] == step[2]][-1] == ("Customer", 2, 2)


def test_a_zip_is_unpacked_and_files_beside_it_are_tables(shop, tmp_path):
    sql = "SELECT s.name, s.email, c.code AS country FROM source s LEFT JOIN countries c ON c.code = s.country"
    cells = f"{BOTH.removesuffix(CUSTOMERS)}%%data Customer --file packed.csv\n{sql}"
    made = shop(cells, countries=COUNTRIES)
    with zipfile.ZipFile(tmp_path / "packed.csv.zip", "w") as archive:
        archive.writestr("packed.csv", GOOD)
    assert made.load()[1] == ("Customer", 2, 2, 0)


def test_numbers_go_on_after_those_that_were_loaded(model, database, tmp_path, monkeypatch):
    (tmp_path / "notes.csv").write_text("id,text\n7,hello\n")
    made = Shop(model("%app shop\n\n%%entity Note\ntext: Text\n\n%%data Note --file notes.csv"), database, tmp_path)
    monkeypatch.setattr(Environment, "database_url", lambda *_: Secret(database.url))
    assert made.load() == [("Note", 1, 1, 0)]
    assert made.load() == [("Note", 1, 0, 1)]
    assert made.run(f"INSERT INTO {made.schema.views}.note (text) VALUES ('x') RETURNING id") == [(8,)]


def test_a_default_that_only_the_version_has_is_filled_in(model, database, tmp_path, monkeypatch):
    (tmp_path / "things.csv").write_text("name\na\n")
    text = "%app shop\n\n%%entity Thing\nname: Text\nkind: Text = {}\n\n%%data Thing --file things.csv"
    made = Shop(model(text.format('"x"')), database, tmp_path)
    made.application = model(text.format('"y"'))
    made.schema, changes, _ = evolve(made.schema, schema_of(made.application))
    database.run(*(change.sql for change in changes))
    monkeypatch.setattr(Environment, "database_url", lambda *_: Secret(database.url))
    made.load()
    assert made.run(f"SELECT kind FROM {made.schema.views}.thing") == [("y",)]


def test_what_is_computed_is_not_loaded_and_conditions_hold(model, database, tmp_path, monkeypatch):
    text = '%app shop\n\n%%entity Thing\na: Integer\nb: Integer\ntotal: Integer = computed(a + b)\ncheck(a < b, "a is more")'
    made = Shop(model(f"{text}\n\n%%data Thing --file things.csv"), database, tmp_path)
    monkeypatch.setattr(Environment, "database_url", lambda *_: Secret(database.url))
    things = tmp_path / "things.csv"
    things.write_text("a,b,total\n1,2,3\n")
    with pytest.raises(LowcodeError, match=r"Thing\.total is computed: it can't be loaded; leave the column out"):
        made.load()
    things.write_text("a,b\n1,2\n4,3\n")
    with pytest.raises(LowcodeError, match="the database refused the rows of Thing: a is more"):
        made.load()
    things.write_text("a,b\n1,2\n")
    assert made.load() == [("Thing", 1, 1, 0)]
    assert made.run(f"SELECT total FROM {made.schema.views}.thing") == [(3,)]
