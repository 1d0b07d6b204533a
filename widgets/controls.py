"""The door to ipywidgets: the few controls that the live views are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from lowcode_kernel.widgets.markup import Markup, stylesheet
from lowcode_kernel.widgets.palette import KIND_COLOURS, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Widget = Any  # ipywidgets has no types


def html(content: Markup | str = "", class_: str | None = None) -> Widget:
    """Return a piece of HTML whose `value` may be set anew."""
    widget = ipywidgets.HTML(value=str(content))
    return _classed(widget, class_)


def styles() -> Widget:
    """Return the views' stylesheet and the colours of the kinds, as a widget that shows nothing."""
    rules = [f".lowcode-kind-{kind}{{--lowcode-kind:{colour}}}" for kind, colour in KIND_COLOURS.items()]
    rules.append(f".lowcode-live{{--lowcode-kind:{OTHER}}}")
    return ipywidgets.HTML(
        value=f"{stylesheet()}<style>{''.join(rules)}</style>", layout=ipywidgets.Layout(display="none")
    )


def row(*children: Widget, class_: str | None = None) -> Widget:
    """Return controls side by side."""
    return _classed(ipywidgets.HBox(children), class_)


def column(*children: Widget, class_: str | None = None) -> Widget:
    """Return controls below each other."""
    return _classed(ipywidgets.VBox(children), class_)


def toggle(label: str, kind: str, changed: Callable[[bool], None]) -> Widget:
    """Return a switch in a kind's colour, on at first."""
    widget = ipywidgets.ToggleButton(value=True, description=label, tooltip=f"Show or hide: {label}")
    widget.observe(lambda change: changed(bool(change["new"])), "value")
    return _classed(widget, "lowcode-toggle", _kind_class(kind))


def search_box(placeholder: str, changed: Callable[[str], None]) -> Widget:
    """Return a text field that tells every change."""
    widget = ipywidgets.Text(placeholder=placeholder, continuous_update=True)
    widget.observe(lambda change: changed(str(change["new"])), "value")
    return widget


class ButtonPool:
    """Buttons that are used again for other elements: a new widget for every click would stay in the kernel and the
    page for ever.
    """

    def __init__(self, most: int, clicked: Callable[[str], None]) -> None:
        self.box = _classed(ipywidgets.HBox([]), "lowcode-neighbours")
        self._most = most
        self._clicked = clicked
        self._buttons: list[Widget] = []
        self._targets: list[str] = []

    def show(self, entries: Sequence[tuple[str, str, str]]) -> int:
        """Show buttons for (id, label, kind); return how many entries found no room."""
        shown = list(entries)[: self._most]
        self._targets = [id_ for id_, _, _ in shown]
        while len(self._buttons) < len(shown):
            self._buttons.append(self._new_button(len(self._buttons)))
        for button, (_, label, kind) in zip(self._buttons, shown, strict=False):
            button.description, button.tooltip = label, f"{kind} {label}"
            button._dom_classes = ("lowcode-neighbour", _kind_class(kind))  # noqa: SLF001 - one message, where remove_class and add_class are two
        self.box.children = tuple(self._buttons[: len(shown)])
        return len(entries) - len(shown)

    def _new_button(self, at: int) -> Widget:
        button = ipywidgets.Button()
        button.on_click(lambda _: self._clicked(self._targets[at]))
        return button


def _kind_class(kind: str) -> str:
    return f"lowcode-kind-{kind if kind in KIND_COLOURS else 'other'}"


def _classed(widget: Widget, *classes: str | None) -> Widget:
    for class_ in classes:
        if class_:
            widget.add_class(class_)
    return widget
