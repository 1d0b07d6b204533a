"""What a body imports, and what it can't reach.

import math                              a standard module that only computes
from holidays import country_holidays    a package that the application declares: %package holidays==0.56 --hash ...

A body reaches files, processes, the environment and the network by declared elements alone: the rest has no name here.
This keeps an application what its graph says it is; it is no wall against an author who wants to break out.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from lowcode_kernel.language.bodies import shown
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.types import Type

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import Analyzer
    from lowcode_kernel.elements import Package

STANDARD = frozenset(
    "base64 calendar collections collections.abc datetime decimal fractions functools hashlib itertools json math re"
    " statistics string textwrap unicodedata zoneinfo".split()
)
"""Modules of the standard library that only compute."""

_FORBIDDEN = frozenset(
    "open eval exec compile __import__ globals locals vars dir getattr setattr delattr hasattr input breakpoint type"
    " object super memoryview classmethod staticmethod property help exit quit os sys subprocess socket shutil pathlib"
    " importlib builtins ctypes pickle threading multiprocessing asyncio".split()
)
_INNER = frozenset(
    "gi_frame gi_code cr_frame cr_code ag_frame ag_code f_globals f_locals f_builtins f_back f_code tb_frame tb_next"
    " co_code func_globals mro".split()
)
_HOLES = frozenset({"Formatter"})  # it follows the names in a text, wherever they lead
_BY_ELEMENTS = "files, services and settings are reached by declared elements: %%data, %%integration, %setting"
_OWN = frozenset({"date", "datetime", "timedelta", "Decimal"})
_MODULE = frozenset({"refused", "call", "run", "Context", "ROLES", "ARGUMENTS", "job_context", "msgspec", "View"})
"""Names of the modules that bodies become."""
_HOMES = {"date": "datetime", "datetime": "datetime", "timedelta": "datetime", "Decimal": "decimal"}
IMPORTED = Type(name="imported", kind="unknown")
"""The type of what comes from a module: nothing is known of it, and every use of it is let through."""


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a body imports: `import module as name`, or `from module import symbol as name`."""

    module: str
    symbol: str | None
    name: str

    @property
    def line(self) -> str:
        """The statement that does it."""
        if self.symbol is None:
            return f"import {self.module}" + (f" as {self.name}" if self.name != self.module else "")
        return f"from {self.module} import {self.symbol}" + (f" as {self.name}" if self.name != self.symbol else "")


def package_of(module: str, app: Application) -> Package | None:
    """Return the declared package that gives a module."""
    root = module.partition(".")[0]
    return next((package for package in app.packages.values() if root in modules_of(package)), None)


def modules_of(package: Package) -> tuple[str, ...]:
    """Return the names that a package is imported by."""
    return package.modules or (package.name.replace("-", "_").replace(".", "_").lower(),)


class ImportReader:
    """Reads the imports of one body, and knows what their names stand for."""

    def __init__(self, body: Analyzer) -> None:
        self.body = body
        self.found: dict[Import, None] = {}

    def read(self, node: ast.Import | ast.ImportFrom) -> None:
        """Read one statement."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if self._may_import(alias.name, node):
                    self._bind(_plain(alias), node)
                elif alias.name != "datetime":
                    self._bind_unknown(_plain(alias).name)
            return
        allowed = self._may_import(node.module or ".", node) if not node.level else self._relative(node)
        for alias in node.names:
            if alias.name == "*":
                self.body.problem("LK339", "import * has no meaning here", "name what is imported", node)
            elif allowed and self._is_public(node.module or "", alias.name, node):
                self._bind(Import(node.module or "", alias.name, alias.asname or alias.name), node)
            else:
                self._bind_unknown(alias.asname or alias.name)

    def _relative(self, node: ast.ImportFrom) -> bool:
        self.body.problem("LK339", f"`{shown(node)}` names no module", "a notebook is no package: %use it", node)
        return False

    def _may_import(self, module: str, node: ast.stmt) -> bool:
        if module == "datetime" and isinstance(node, ast.Import):
            hint = "date, datetime and timedelta are there without it; else write from datetime import ..."
            self.body.problem("LK339", "datetime is the class here, not the module", hint, node)
            return False
        if module in STANDARD:
            return True
        if (package := package_of(module, self.body.app)) is not None:
            self.body.uses.add(package.id)
            return not self._is_inner(module, node)
        if module.partition(".")[0] in sys.stdlib_module_names:
            known = f"; of the standard library, {', '.join(sorted(STANDARD))} are at hand"
            self.body.problem("LK340", f"a body can't import {module}", _BY_ELEMENTS + known, node)
        else:
            self.body.problem("LK339", f"no %package gives the module {module}", f"declare {_line(module)}", node)
        return False

    def _is_inner(self, module: str, node: ast.AST) -> bool:
        if any(part.startswith("_") for part in module.split(".")):
            self.body.problem("LK341", f"{module} is not for others to use", "", node)
            return True
        return False

    def _bind(self, found: Import, node: ast.AST) -> None:
        if found.symbol == found.name and _HOMES.get(found.name) == found.module:
            return  # it is there anyway
        if found.name in _OWN | _MODULE:
            self.body.problem("LK302", f'"{found.name}" has a meaning of its own', "choose another name", node)
            self._bind_unknown(found.name)
            return
        self.found[found] = None
        if found.symbol is None and "." in found.module and found.name == found.module:
            found = Import(found.module, None, found.module.partition(".")[0])
        self.body.note_assigned(found.name, node)
        self.body.check_name(found.name, node)
        self.body.bind(found.name, IMPORTED, node)

    def _bind_unknown(self, name: str) -> None:
        """A name whose import was refused is told once, not each time that it is used."""
        self.body.scope.bind(name.partition(".")[0], IMPORTED)

    # what can be reached

    def check_name(self, name: str, node: ast.AST) -> bool:
        """Report a name that reaches out of the application; say whether it does."""
        if name == "print":
            self.body.problem("LK340", "a body has nowhere to print to", "write log(...)", node)
        elif name in _FORBIDDEN or name.startswith("__"):
            self.body.problem("LK340", f"a body can't use {name}", _BY_ELEMENTS, node)
        else:
            return False
        return True

    def check_attribute(self, node: ast.Attribute) -> bool:
        """Report an attribute that leads behind a value, or out of a module; say whether it does."""
        if node.attr.startswith("_") or node.attr in _INNER:
            self.body.problem("LK341", f"{node.attr} is not for bodies to use", "use what the value offers", node)
            return True
        module = self._module(node.value)
        if module is not None and module in STANDARD:
            return not self._is_public(module, node.attr, node)
        if self.body.types.get(node.value) is IMPORTED and node.attr in _FORBIDDEN & sys.stdlib_module_names:
            self.body.problem("LK340", f"a body can't reach {shown(node)}", _BY_ELEMENTS, node)
            return True
        return False

    def _module(self, node: ast.expr) -> str | None:
        """Return the standard module that an expression stands for."""
        if isinstance(node, ast.Name) and self.body.names.get(node.id) is IMPORTED:
            return next((one.module for one in self.found if one.symbol is None and one.name == node.id), None) or next(
                (node.id for one in self.found if one.name == one.module and one.name.startswith(f"{node.id}.")), None
            )
        if isinstance(node, ast.Attribute) and (owner := self._module(node.value)) is not None:
            name = f"{owner}.{node.attr}"
            return name if name in STANDARD else None
        return None

    def _is_public(self, module: str, name: str, node: ast.AST) -> bool:
        """Say whether a module offers a name; a standard module is looked into."""
        if name.startswith("_"):
            self.body.problem("LK341", f"{module}.{name} is not for others to use", "", node)
            return False
        if module not in STANDARD:
            return True
        found = import_module(module)
        if f"{module}.{name}" in STANDARD:
            return True
        public = getattr(found, "__all__", None) or [one for one in dir(found) if not one.startswith("_")]
        known = [one for one in public if not isinstance(getattr(found, one, None), ModuleType)]
        if name in _HOLES or (name not in known and not isinstance(getattr(found, name, None), type)):
            self.body.problem("LK340", f"{module} offers no {name}", did_you_mean(name, known), node)
            return False
        return True


def _plain(alias: ast.alias) -> Import:
    return Import(alias.name, None, alias.asname or alias.name)


def _line(module: str) -> str:
    """Return the line that declares a package for a module, with the version that is installed here, if one is."""
    from importlib import metadata

    name = module.partition(".")[0]
    try:
        version = metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return f"it: %package {name}==VERSION --hash sha256:..."
    return f"it: %package {name}=={version} --hash sha256:..."
