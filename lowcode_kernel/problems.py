"""What is wrong with a model or a request, said so that its author can put it right.

A `Problem` is found by the language or by a check; a `LowcodeError` carries problems to the user. Both print as
`where: fact; hint`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.fixes import Fix
    from lowcode_kernel.places import Place

_LONGEST = 800  # characters of a fact or a hint
_MANY = 200  # names: comparing a word with more of them takes milliseconds, and there may be thousands of such words
_FEW = 12  # names that a message lists
_LONG = 100  # characters of a name

Severity = Literal["error", "warning", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding with its place and the way out.

    `code` is stable ("LK103"); `fact` says what is so, without blame; `hint` says what would put it right ("" if
    nothing is known). `fix` is there where there is one way only to put it right.
    """

    code: str
    fact: str
    hint: str = ""
    place: Place | None = None
    severity: Severity = "error"
    element: str | None = None
    fix: Fix | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """A cell may be a megabyte, and what is told of it is read by a person."""
        for name in ("fact", "hint"):
            text = getattr(self, name)
            if len(text) > _LONGEST:
                object.__setattr__(self, name, f"{text[: _LONGEST - 100]} ... {text[-90:]}")

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
    if len(name) > _LONG:
        return ""
    few = 0 < len(names) <= _FEW
    if near := get_close_matches(name, names if len(names) <= _MANY else _alike(name, names), n=1, cutoff=0.6):
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(names)}" if few else ""


def _alike(name: str, names: list[str]) -> list[str]:
    """Return the names that begin or end as a word does and are about as long, the likest first."""
    low, length = name.lower(), len(name)
    start, end = low[:2], low[-2:]
    near = [other for other in names if -2 <= len(other) - length <= 2]
    near = [other for other in near if other[:2].lower() == start or other[-2:].lower() == end]
    return sorted(near, key=lambda other: -_common(low, other.lower()))[:_FEW]


def _common(one: str, other: str) -> int:
    """Return how many characters two words have in common at their beginnings and their ends."""
    first = next((number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    last = next((number for number, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=False)) if a != b), len(one))
    return first + last
