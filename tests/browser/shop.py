"""A scaffolded shop, generated and served on a database of its own: what `%scaffold` gives with nothing added."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg

from lowcode_kernel.assembly import assemble
from lowcode_kernel.checks import check, errors
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.generators.writing import write_bundle
from lowcode_kernel.language import read_cell
from lowcode_kernel.places import Place
from tests.postgres import local_server
from tests.services import free_port, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.bundle import Bundle

CELLS = (
    '%app shop --title "Web shop"\n%role Sales\n%role Manager',
    """%%entity Customer
name: Text(80)
email: Email = unique()
tier: Choice("standard", "gold") = "standard"
since: Date | None
active: Boolean = True
discount: Decimal(5, 2) = 0
note: Text(400) | None
owner: User
tags: many(Tag)
access(read=[Sales, Manager], write=[Sales, Manager], delete=Manager)""",
    "%%entity Tag\nname: Text(20)\naccess(read=[Sales, Manager], write=Manager, delete=Manager)",
    """%%entity Product
code: Text(12)
title: Text(80)
price: Decimal(10, 2)
key(code)
access(read=[Sales, Manager], write=Manager, delete=Manager)""",
    """%%entity Order
customer: Customer
number: Text(20) = unique()
placed_at: DateTime = now()
access(read=[Sales, Manager], write=[Sales, Manager], delete=Manager)""",
    """%%entity Item
order: Order
product: Product
quantity: Integer = 1
key(order, product)
access(read=[Sales, Manager], write=[Sales, Manager], delete=[Sales, Manager])""",
    "%scaffold Customer\n%scaffold Product\n%scaffold Order\n%scaffold Item",
)
ROWS = """
INSERT INTO shop.customer (name, email, owner, discount, since)
    SELECT 'Customer ' || to_char(n, 'FM00'), 'c' || n || '@example.com', 1, n / 4.0, date '2020-01-01' + n
    FROM generate_series(1, 60) n;
INSERT INTO shop.tag (name) VALUES ('Export'), ('Press'), ('Retail');
INSERT INTO shop.product (code, title, price) VALUES ('A-1', 'Apple', 1.5), ('P-1', 'Pear', 2), ('new', 'Newt', 3);
INSERT INTO shop."order" (customer, number) SELECT 7, 'O-' || n FROM generate_series(1, 14) n;
INSERT INTO shop.item ("order", product, quantity) VALUES (1, 'A-1', 3), (1, 'P-1', 1);
"""


def bundle_of_the_shop() -> Bundle:
    """Return the shop's bundle."""
    model = assemble(read_cell(text, Place(cell=number)) for number, text in enumerate(CELLS, 1))
    found = errors(check(model))
    assert not found, "\n".join(map(str, found))
    return generate(optimize(model.application).application)


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop that runs, and the passwords of those who may sign in."""

    address: str
    passwords: dict[str, str]


@contextmanager
def shop(people: dict[str, str]) -> Iterator[Shop]:
    """Serve the shop. `people` are e-mail addresses with a role each."""
    with tempfile.TemporaryDirectory(prefix="lowcode-shop-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        server, port = stack.enter_context(local_server(folder / "postgres", free_port())), free_port()
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        given = {"DATABASE_URL": f"{server}/shop", "COOKIE_SECURE": "0", "RELEASE": "test", "PYTHON": sys.executable}
        environment, app = {**os.environ, **given}, folder / "app"
        write_bundle(bundle_of_the_shop(), app)
        _python(app, environment, "alembic", "-c", "upgrade/alembic.ini", "upgrade", "head")
        passwords = {
            email: _python(app, environment, "shop.users", "add", email, "--name", _name(email), "--role", role)
            for email, role in people.items()
        }
        with psycopg.connect(f"{server}/shop", autocommit=True) as connection:
            connection.execute(ROWS)
        process = _serve(app, environment, port, folder / "log")
        stack.callback(stop, process)
        yield Shop(address=f"http://127.0.0.1:{port}", passwords=passwords)


def _name(email: str) -> str:
    return email.partition("@")[0].capitalize()


def _python(folder: Path, environment: dict[str, str], *words: str) -> str:
    """Run a module of the application, and return the last word that it says."""
    command = (sys.executable, "-m", *words)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return (done.stdout.split() or [""])[-1]


def _serve(folder: Path, environment: dict[str, str], port: int, log: Path) -> subprocess.Popen[bytes]:
    command = ("./start", "--host", "127.0.0.1", "--port", str(port))
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    deadline = time.monotonic() + 60
    while not _is_ready(f"http://127.0.0.1:{port}"):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return process


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False
