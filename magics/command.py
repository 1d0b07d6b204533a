"""`lowcode VERB NOTEBOOK [arguments]`: the verbs for a shell and for CI. Exit status 0: well; 1: it found what has to
be put right; 2: it could not act.
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from pathlib import Path
from typing import TextIO

from lowcode_kernel.magics.verbs import MODULES, find_verb
from lowcode_kernel.magics.verbs.verb import Help, parse
from lowcode_kernel.magics.workbench import Workbench
from lowcode_kernel.problems import LowcodeError, did_you_mean


def main(words: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    if words is None:
        from lowcode_kernel.generators.beside import allow

        allow()  # this process is the command's alone
    words = list(sys.argv[1:] if words is None else words)
    gc.set_threshold(50_000, 50, 50)  # a tenth of the time of a generation goes into collecting what isn't garbage
    try:
        return _run(words)
    except Help as text:
        _print(str(text))
        return 0
    except LowcodeError as error:
        for problem in error.problems:
            _print(f"{problem.code} {problem}", to=sys.stderr)
        return 2
    except KeyboardInterrupt:
        _print("stopped", to=sys.stderr)
        return 130


def _run(words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        _print(_usage())
        return 0
    name = words[0]
    if name == "demo":
        from lowcode_kernel.magics.demo import run_demo

        return run_demo(Path(words[1]) if len(words) > 1 else Path("notebooks/00_tour.ipynb"))
    if name not in MODULES:
        raise LowcodeError.of(f'there is no verb "{name}"', did_you_mean(name, MODULES), code="LK003")
    found = find_verb(name)
    notebook = next((word for word in words[1:] if word.endswith(".ipynb")), None)
    arguments = parse(found, [word for word in words[1:] if word != notebook], prefix="lowcode ")
    if notebook is None and found.needs_notebook(arguments):
        raise LowcodeError.of(f"lowcode {name} needs a notebook", f"lowcode {name} app.ipynb", code="LK003")
    return _run_verb(name, Path(notebook) if notebook else None, arguments)


def _run_verb(name: str, notebook: Path | None, arguments: object) -> int:
    from lowcode_kernel.notebook import read_notebook

    path = notebook or Path()
    bench = Workbench(partial(read_notebook, path), path.resolve().parent, notebook)
    result = find_verb(name).run(bench, arguments, _print)  # type: ignore[arg-type]
    if getattr(arguments, "json", False):
        from lowcode_kernel.magics.showing import as_json

        _print(as_json(result.value if result.json is None else result.json))
    elif result.view is not None:
        _print(str(result.view))
    return result.status


def _usage() -> str:
    lines = [f"  {name:<10}{find_verb(name).summary}" for name in MODULES]
    return "\n".join(
        [
            "lowcode VERB NOTEBOOK [arguments]    (lowcode VERB -h tells a verb's arguments)",
            "",
            *lines,
            "",
            "  demo      Run the tour from the first cell to the last.",
        ]
    )


def _print(value: object, to: TextIO | None = None) -> None:
    print(value, file=to or sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
