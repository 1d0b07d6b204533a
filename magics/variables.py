"""`--set NAME=VALUE` to the variables that the application's services get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application


def variables_of(pairs: Iterable[str], app: Application) -> dict[str, str]:
    """Return `SETTING_<NAME>` and `INTEGRATION_<NAME>_URL` for `late_after=20` and `weather.url=http://...`; raises
    LowcodeError with all mistakes.
    """
    variables: dict[str, str] = {}
    errors: list[LowcodeError] = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            errors.append(LowcodeError.of(f'--set "{pair}" has no value', "write --set name=value", code="LK003"))
        elif name in app.settings:
            variables[f"SETTING_{name.upper()}"] = value
        elif name.endswith(".url") and name.removesuffix(".url") in app.integrations:
            variables[f"INTEGRATION_{name.removesuffix('.url').upper()}_URL"] = value
        else:
            known = [*app.settings, *(f"{integration}.url" for integration in app.integrations)]
            errors.append(LowcodeError.of(f'"{name}" can\'t be set', did_you_mean(name, known), code="LK003"))
    if errors:
        raise LowcodeError(*(problem for error in errors for problem in error.problems))
    return variables
