"""The metadata database `lowcode`: what was released where, the journal of every deployment, and who may deploy now.

    release            a bundle, whole, so that it can be staged again after its folders were pruned
    deployment         one attempt to bring a release to its hosts: running -> deployed | cancelled | failed
    step               the journal: each step of a deployment, written before and after it acts
    lease              who deploys an application now; `fence` grows by one with each holder and never falls
    schema_snapshot    each shape that an application's database was given

The jobs of the release that serves are the scheduler's own tables (`job_statements`). Here are the tables and the way
in; what is written to them in a deployment is in `journal`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

from lowcode_kernel.farm.databases import connect, ensure_database
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.environments import Environment

DATABASE = "lowcode"
CLOCK = sa.func.clock_timestamp()

_tables = sa.MetaData()


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **{"nullable": False, **options})


def _moment(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def _now(name: str) -> sa.Column[Any]:
    return _moment(name, nullable=False, server_default=CLOCK)


def _owner(*, key: bool = True) -> tuple[sa.Column[str], sa.Column[str]]:
    return _text("environment", primary_key=key), _text("application", primary_key=key)


RELEASE = sa.Table(
    "release",
    _tables,
    *_owner(),
    _text("version", primary_key=True),
    _text("title"),
    sa.Column("bundle", BYTEA, nullable=False),
    _now("created_at"),
)
DEPLOYMENT = sa.Table(
    "deployment",
    _tables,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    *_owner(key=False),
    _text("version"),
    _text("previous", nullable=True),
    _text("kind"),
    _text("state"),
    sa.Column("plan", JSONB, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    _text("by"),
    _text("detail", server_default=""),
    _now("started_at"),
    _moment("decided_at"),
    _moment("finished_at"),
    sa.Index("deployment_of_application", "environment", "application", "id"),
)
STEP = sa.Table(
    "step",
    _tables,
    sa.Column("deployment", sa.ForeignKey("deployment.id", ondelete="cascade"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    _text("name"),
    _text("host", nullable=True),
    _text("summary"),
    sa.Column("before_decision", sa.Boolean, nullable=False),
    _text("state"),
    sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
    _text("detail", server_default=""),
    _moment("changed_at"),
)
LEASE = sa.Table(
    "lease",
    _tables,
    *_owner(),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    _text("holder", nullable=True),
    _moment("acquired_at"),
    _moment("heard_at"),
    _moment("expires_at"),
)
SNAPSHOT = sa.Table(
    "schema_snapshot",
    _tables,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    *_owner(key=False),
    _text("version"),
    _text("views"),
    sa.Column("schema", JSONB, nullable=False),
    _now("recorded_at"),
)


def open_engine(environment: Environment) -> sa.Engine:
    """Open the metadata database of an environment; the database and its tables are created where they are missing."""
    ensure_database(environment, DATABASE)
    url = environment.database_url(DATABASE)
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: connect(url), pool_size=2, pool_pre_ping=True)
    with transaction(engine) as connection:
        # two first controllers at once: CREATE TABLE IF NOT EXISTS is itself not safe against a race in PostgreSQL
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('lowcode metadata'))"))
        _tables.create_all(connection)
    return engine


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction; a server that went away is a LowcodeError."""
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1]
        raise LowcodeError.of(f"the metadata database does not answer: {reason}", code="LK612") from error
