"""What is wrong with a model or a request, said so that its author can put it right.

A `Problem` is found by the language or by a check; a `LowcodeError` carries problems to the user. Both print as
`where: fact; hint`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.places import Place

Severity = Literal["error", "warning", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding with its place and the way out.

    `code` is stable ("LK103"); `fact` says what is so, without blame; `hint` says what would put it right ("" if
    nothing is known).
    """

    code: str
    fact: str
    hint: str = ""
    place: Place | None = None
    severity: Severity = "error"
    element: str | None = None

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{self.fact}{hint}"


class LowcodeError(Exception):
    """The user's mistake, or a fault of the world that the user must know of: shown as a message, never as a traceback.

    Our own bugs are other exceptions and show their whole traceback.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @classmethod
    def of(cls, fact: str, hint: str = "", *, code: str = "LK001", place: Place | None = None) -> LowcodeError:
        """Make an error of one problem."""
        return cls(Problem(code=code, fact=fact, hint=hint, place=place))

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback."""
        return [f"{problem.code} {problem}" for problem in self.problems]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the nearest known name, or what is known if it is short, or nothing."""
    names = sorted(set(known))
    if near := get_close_matches(name, names, n=1, cutoff=0.6):
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(names)}" if 0 < len(names) <= 12 else ""
