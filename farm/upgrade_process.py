"""The process that runs a bundle's upgrade scripts: `python -m lowcode_kernel.farm.upgrade_process`, in the bundle's
folder, with DATABASE_URL.

It does what `python -m alembic -c upgrade/alembic.ini upgrade head` does, and prints a database's refusal as JSON, so
that the one who started it knows a lock that could not be had from a script that is wrong by SQLSTATE and not by text.
A process of its own: the scripts set up logging and event loops, and must be able to be given up.
"""

from __future__ import annotations

import json
import sys

REFUSED = 3


def main() -> int:
    """Upgrade to head; return 0, or 3 after printing `{"sqlstate", "message", "statement"}` where the database refused
    a statement.
    """
    from alembic.config import main as alembic

    try:
        alembic(argv=["-c", "upgrade/alembic.ini", "upgrade", "head"])
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        sys.stdout.write(json.dumps(refusal))
        return REFUSED
    return 0


def _refusal(error: BaseException) -> dict[str, str] | None:
    """Find what the driver said: `orig` is SQLAlchemy's name for the driver's error, `sqlstate` both drivers' name for
    the code.
    """
    origin = getattr(error, "orig", None) or error
    sqlstate = getattr(origin, "sqlstate", None)
    if sqlstate is None:
        return None
    cause = origin.__cause__ or origin
    return {"sqlstate": sqlstate, "message": str(cause), "statement": str(getattr(error, "statement", "") or "")}


if __name__ == "__main__":
    raise SystemExit(main())
