"""The language and the verbs as IPython magics, and the `lowcode` command.

This package is thin: it reads arguments, joins the compiler, the farm and the views, and shows what they give. Nothing
imports it but the extension hook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lowcode_kernel.magics.notebook import Notebook

_NOTEBOOKS: WeakKeyDictionary[InteractiveShell, Notebook] = WeakKeyDictionary()


def register(shell: InteractiveShell) -> None:
    """Register all magics with a shell; a second time does nothing."""
    from lowcode_kernel.magics.notebook import Notebook

    if shell not in _NOTEBOOKS:
        _NOTEBOOKS[shell] = Notebook(shell)
        _NOTEBOOKS[shell].register()
