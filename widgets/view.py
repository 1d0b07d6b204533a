"""The object that a view returns: the forms that Jupyter asks for.

A widget's own output is lost when a notebook is closed without its state, and what then stands there is an error. So a
live view is shown as two outputs: first the static form, then the widget, whose styles hide the static form for as long
as they are both there (see `views.css`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.widgets.markup import Markup

_FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")


@dataclass(frozen=True, slots=True)
class View:
    """A record's forms: `text` and `html` at once, the widget on request.

    `widget` makes the live form and is called only where a front-end is there to answer it.
    """

    text: str
    html: Markup
    widget: Callable[[], object] | None = None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        return {"text/plain": self.text, "text/html": str(self.html)}

    def _ipython_display_(self) -> None:
        from IPython.display import display

        bundle: dict[str, Any] = self._repr_mimebundle_()
        display(bundle, raw=True)
        if self.widget is not None and has_front_end():
            display(self.widget())


def has_front_end() -> bool:
    """Say whether a notebook front-end is likely there: one that a person looks at, not Papermill, nbconvert or a
    terminal.

    Jupyter Server tells a kernel its session's name; the headless runners don't.
    """
    return any(os.environ.get(name) for name in _FRONT_ENDS)
