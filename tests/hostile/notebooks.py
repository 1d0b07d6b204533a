"""Files that say that they are notebooks."""

from __future__ import annotations

import json
from itertools import product

_WRONG: tuple[object, ...] = (
    None, True, 0, -1, 1.5, 10**400, "", "a", "\ud800", [], [[]], [None], [0], ["a", 0], {}, {"a": []}, [{}], [{"a": 1}], [[["a"]]],
)  # fmt: skip


def _cell(**changed: object) -> dict[str, object]:
    return {"cell_type": "code", "id": "a", "metadata": {}, "source": "%role Sales"} | changed


def notebooks() -> dict[str, bytes]:
    """Return files by name; most are no notebook."""
    found = {
        "empty": b"",
        "null": b"\0" * 1000,
        "not UTF-8": b"\xff\xfe{}",
        "byte order mark": b'\xef\xbb\xbf{"cells": []}',
        "deep lists": b"[" * 100_000,
        "deep objects": b'{"cells": ' * 100_000,
        "deep and closed": b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a deep cell": b'{"cells": [{"cell_type": "code", "source": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
        "deep metadata": b'{"cells": [], "metadata": ' + b'{"a": ' * 100_000 + b"1" + b"}" * 100_001,
        "digits": b'{"cells": ' + b"9" * 5_000 + b"}",
        "many digits": b'{"cells": [], "nbformat": ' + b"9" * 1_000_000 + b"}",
        "not a number": b'{"cells": [], "nbformat": NaN, "a": Infinity, "b": 1e999999}',
        "an open text": b'{"cells": "' + b"a" * 1_000_000,
        "escapes": b'{"cells": "' + b"\\ud800" * 100_000 + b'"}',
        "the same key": b'{"cells": [], "cells": 1, "cells": []}',
        "100,000 cells": json.dumps({"cells": [_cell(source="")] * 100_000}).encode(),
        "a megabyte of lines": json.dumps({"cells": [_cell(source=["a\n"] * 400_000)]}).encode(),
        "half a character": b'{"cells": [{"cell_type": "code", "source": "%role S\\ud800"}]}',
        "itself": json.dumps({"cells": [_cell(source="%use notebook.ipynb\n" * 2_000)]}).encode(),
    }
    for number, wrong in enumerate(_WRONG):
        found[f"as a whole {number}"] = json.dumps(wrong).encode()
        found[f"as cells {number}"] = json.dumps({"cells": wrong}).encode()
        found[f"as a cell {number}"] = json.dumps({"cells": [wrong, _cell()]}).encode()
    for key, (number, wrong) in product(("cell_type", "id", "metadata", "source"), enumerate(_WRONG)):
        found[f"as {key} {number}"] = json.dumps({"cells": [_cell(**{key: wrong})]}).encode()
    return found
