"""Parameters of elements as the parameters of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.generators.layers.python_types import annotation

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Parameter


def parameter_text(parameter: Parameter, app: Application, *, stored: bool = True) -> str:
    """Return a parameter as Python writes it, with its default."""
    text = f"{parameter.name}: {annotation(parameter.type, app, stored=stored)}"
    return text + default_text(parameter)


def default_text(parameter: Parameter) -> str:
    """Return what follows a parameter's annotation: ` = 3`, or nothing where an argument is required."""
    if parameter.default is None:
        return " = None" if parameter.type.optional else ""
    is_decimal = parameter.type.name == "Decimal" and parameter.default != "None"
    return f' = Decimal("{parameter.default}")' if is_decimal else f" = {parameter.default}"


def words(text: str) -> set[str]:
    """Return the names that occur in annotations."""
    for char in "[](),:=|":
        text = text.replace(char, " ")
    return set(text.split())
