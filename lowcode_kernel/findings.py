"""What the optimizer did, or why it could not: shown by `%explain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lowcode_kernel.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of one pass. `before` and `after` are SQL ("" where there is none); `acted` is False where `why`
    says what kept the pass from acting.
    """

    rule: str
    element: str
    place: Place
    what: str
    why: str
    before: str = ""
    after: str = ""
    saved: str = ""
    acted: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.what}: {self.why}" + (f" ({self.saved})" if self.saved else "")
