"""What a verb is, and how its arguments are read."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lowcode_kernel.magics.workbench import Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a verb gives. `value` is for programs; `view` shows itself in a notebook and has a plain form; `status` is
    the command's exit status. `json` is what `--json` prints where that is not the value itself.
    """

    value: object = None
    view: object = None
    status: int = 0
    json: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb. `arguments` adds its own to a parser; `run` gets the bench, the parsed arguments and a function that
    shows progress. `needs_notebook` says whether the command has to be given one.
    """

    name: str
    summary: str
    run: Callable[[Workbench, argparse.Namespace, Callable[[object], None]], Result]
    arguments: Callable[[argparse.ArgumentParser], None] = field(default=lambda _: None)
    needs_notebook: Callable[[argparse.Namespace], bool] = field(default=lambda _: True)


class Help(Exception):  # noqa: N818 - not an error
    """Carries the help text to whoever shows it."""


class _Parser(argparse.ArgumentParser):
    """A parser that neither prints nor exits."""

    def error(self, message: str) -> NoReturn:
        raise LowcodeError.of(f"{self.prog}: {message}", self.format_usage().strip(), code="LK003")

    def print_help(self, file: object = None) -> NoReturn:
        del file
        raise Help(self.format_help())


def parse(verb: Verb, words: Sequence[str], *, prefix: str) -> argparse.Namespace:
    """Read a verb's arguments; raises LowcodeError for what can't be read, and Help for -h."""
    parser = _Parser(prog=f"{prefix}{verb.name}", description=verb.summary)
    parser.add_argument("-o", "--output", metavar="VAR", help="put the result into this variable")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.arguments(parser)
    return parser.parse_args(list(words))


def split(line: str, what: str) -> list[str]:
    """Split a magic's line into words as a shell does."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise LowcodeError.of(f"{what}: {error}", "close the quotation mark", code="LK003") from None
