"""The language: the text of a cell in, elements and problems out.

A cell is either one definition (`%%entity Order` and a body) or ordinary code among which lines such as `%role
Manager` define. Bodies are valid Python,
parsed and never run, or valid SQL. What one cell can tell is told here; what needs the whole application is a check
(`lowcode_kernel.checks`).
"""

from lowcode_kernel.language.cells import CELL_MAGICS, LINE_MAGICS, CellReading, read_cell

__all__ = ["CELL_MAGICS", "LINE_MAGICS", "CellReading", "read_cell"]
