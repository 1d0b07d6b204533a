"""Giving people access to a deployed application: the first user can't be added by signing in."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from lowcode_kernel.farm.databases import database_exists, has_table, query
from lowcode_kernel.farm.environments import Secret
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.farm.environments import Environment


INSERT = (
    "INSERT INTO {table} (email, name, roles, password_hash, active)"
    " VALUES (%(email)s, %(name)s, %(roles)s, %(password_hash)s, true)"
)
UPDATE = (
    "UPDATE {table} SET name = %(name)s, roles = %(roles)s, active = true,"
    " password_hash = coalesce(%(password_hash)s::text, password_hash) WHERE lower(email) = %(email)s"
)


def add_user(
    environment: Environment,
    application: str,
    email: str,
    name: str,
    roles: Sequence[str],
    password: Secret | None = None,
) -> Secret:
    """Add a user, or bring name and roles of the one with this address up to date; return the password that signs in.

    Without `password` a new user gets a random one, and one who is there already keeps theirs: then the returned secret
    is empty.
    """
    address, url = email.strip().lower(), environment.database_url(application)
    if "@" not in address:
        raise LowcodeError.of(f'"{email}" is no e-mail address', code="LK636")
    if not database_exists(environment, application) or not has_table(url, application, "app_user"):
        raise LowcodeError.of(f"{application} has no users on {environment.name} yet", "deploy it first", code="LK637")
    table = f"{identifier(application)}.app_user"
    known = query(url, f"SELECT 1 FROM {table} WHERE lower(email) = %(email)s", {"email": address})  # noqa: S608 - quoted
    given = password or (Secret("") if known else Secret(secrets.token_urlsafe(12)))
    person = {"email": address, "name": name, "roles": list(roles), "password_hash": _hash(given)}
    query(url, (UPDATE if known else INSERT).format(table=table), person)
    return given


def _hash(password: Secret) -> str | None:
    """Hash with argon2id, as the application does; an empty password changes nothing."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password.reveal()) if password else None
