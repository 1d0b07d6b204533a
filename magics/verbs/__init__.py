"""The verbs: what `%verb` does in a notebook and `lowcode verb NOTEBOOK` in a shell, written once.

A verb declares its arguments and returns a `Result`: a value for programs (`-o VAR`, `--json`), a view for people, and
an exit status.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lowcode_kernel.magics.verbs.verb import Verb

# name -> the module that holds it: imported when the verb is first used, so that the extension loads at once
MODULES = {
    "check": "checking",
    "graph": "analysing",
    "impact": "analysing",
    "explain": "modelling",
    "generate": "modelling",
    "test": "testing",
    "plan": "deploying",
    "deploy": "deploying",
    "rollback": "deploying",
    "status": "deploying",
    "history": "deploying",
    "stop": "deploying",
    "data": "running",
    "user": "running",
    "jobs": "running",
    "run": "running",
    "logs": "running",
}


def find_verb(name: str) -> Verb:
    """Return a verb by name; raises KeyError."""
    module = import_module(f"lowcode_kernel.magics.verbs.{MODULES[name]}")
    found: Verb = module.VERBS[name]
    return found
