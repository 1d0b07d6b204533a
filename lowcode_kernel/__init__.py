"""Model a business application in notebook cells; compile it to ordinary code; deploy it to a farm of servers.

This package is the pure middle: the language (cell text to elements), the application, its graph, its checks, and the
records that the
other packages exchange. It has no effects beyond reading a notebook file.

    cell text -> Element -> Application -> Graph -> Application (optimized) -> Bundle -> Plan -> Release -> events ->
    notebook

Each arrow is one function and each noun one frozen record. `generators`, `farm` and `widgets` import from here and
never from each other;
`magics` joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: what `%load_ext lowcode_kernel` calls."""
    from lowcode_kernel.magics import register  # the one import of another folder: the extension's entry point is here

    register(shell)
