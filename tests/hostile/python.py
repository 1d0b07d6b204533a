"""Bodies of actions, jobs, tests and screens that mean harm: deep, long, and tangled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.texts import filled, numbered

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON: dict[str, Callable[[], str]] = {
    "not": lambda: "x = " + "not " * 12_000 + "a",
    "negated": lambda: "x = " + "-" * 48_000 + "1",
    "surrogate text": lambda: "x = '\ud800'\nlog('\udfff')",
    "4,000 digits in a body": lambda: "x = " + "9" * 4000 + "\nlog(str(x))",
    "hexadecimal": lambda: "x = 0x" + "f" * 40_000,
    "powers": lambda: "x = 9" + "**9" * 10_000,
    "shifts": lambda: "x = 1 << 99999999999\nlog(x)",
    "repeated text": lambda: "x = 'a' * 10 ** 12\nlog(x)",
    "sum": lambda: "x = " + filled("1+", 49_000) + "1",
    "names": lambda: "x = " + filled("a.", 49_000) + "a",
    "calls": lambda: "x = f" + "()" * 24_000,
    "lambdas": lambda: "x = " + "lambda: " * 6000 + "1",
    "ors": lambda: "x = " + " or ".join(["a"] * 9000),
    "comparisons": lambda: "x = a" + "<a" * 20_000,
    "conditions": lambda: "x = " + "1 if a else " * 4000 + "1",
    "arguments": lambda: "f(" + "1," * 20_000 + ")",
    "keywords": lambda: "log(" + numbered("a#=1", 5000, ", ") + ")",
    "dictionary": lambda: "x = {" + numbered("#: 1", 5000, ", ") + "}",
    "local functions": lambda: "\n".join(" " * level + f"def f{level}() -> Integer:" for level in range(95)),
    "500 local functions": lambda: "\n".join(" " * level + "def f() -> Text:" for level in range(300)),
    "500 functions beside": lambda: numbered("def f#(n: Integer) -> Integer:\n return n", 500),
    "functions that call": lambda: "def f0(n: Integer) -> Integer:\n return n\n"
    + "\n".join(f"def f{n}(n: Integer) -> Integer:\n return f{n - 1}(n) + f{n - 1}(n)" for n in range(1, 500))
    + "\nreturn f499(n)",
    "function that calls itself": lambda: "def f(n: Integer) -> Integer:\n return f(n) + f(n)\nlog(f(1))",
    "functions in circles": lambda: "def f(n: Integer) -> Integer:\n return g(n)\n"
    "def g(n: Integer) -> Integer:\n return f(n)\nlog(f(1))",
    "comprehension": lambda: "x = [1 " + "for a in b " * 200 + "]\nlog(x)",
    "comprehension over rows": lambda: "x = [1 " + " ".join(f"for r{n} in Order.list()" for n in range(200)) + "]\nlog(x)",
    "comprehensions": lambda: "x = " + "[" * 80 + "1" + " for a in b]" * 80,
    "loops": lambda: "\n".join(" " * n + "for r in Order.list():" for n in range(90)) + "\n" + " " * 90 + "log(r.number)",
    "loops beside": lambda: numbered("for r# in Order.list():\n log(r#.number)", 1000),
    "tries": lambda: "".join(" " * n + "try:\n" for n in range(90)) + " " * 90 + "pass\n"
    + "".join(" " * n + "except Refused:\n" + " " * n + " pass\n" for n in reversed(range(90))),
    "assignments": lambda: numbered("a# = n", 4000),
    "chained": lambda: "x0 = Order.list()\n" + "\n".join(f"x{n} = x{n - 1}" for n in range(1, 3500)) + "\nreturn x3499",
    "doubled": lambda: "x0 = n\n" + "\n".join(f"x{n} = x{n - 1} + x{n - 1}" for n in range(1, 2500)) + "\nreturn x2499",
    "swapped": lambda: "a = Order.list()\nb = Order.list()\nfor i in range(3):\n" + " a, b = b, a\n" * 3000 + "\nreturn a",
    "widened": lambda: "x = n\n" + "x = [x]\n" * 3000 + "return x",
    "dict of dicts": lambda: "x = {}\n" + "x = {'a': x}\n" * 3000 + "return x",
    "ifs beside": lambda: "a = 1\n" + "if n:\n a = a + 1\nelse:\n a = a - 1\n" * 1200 + "return a",
    "rows of branches": lambda: "rows = Order.list()\n"
    + "if n:\n rows = Order.find()\nelse:\n rows = Order.list()\n" * 700 + "return rows",
    "deletes": lambda: "del " + ", ".join(["a"] * 9000),
    "stars": lambda: "x = [" + "*[], " * 9000 + "]",
    "decorators": lambda: "@a\n" * 20_000 + "def f(): pass",
    "matches": lambda: "match n:\n" + "".join(f" case {n}:\n  pass\n" for n in range(2000)),
    "patterns": lambda: "match n:\n case " + "[" * 80 + "a" + "]" * 80 + ":\n  pass",
    "walrus": lambda: "x = " + "(a := " * 80 + "1" + ")" * 80,
    "annotations": lambda: "x: " + "dict[Text, " * 80 + "Text" + "]" * 80 + " = {}",
    "slices": lambda: "x = a" + "[1]" * 16_000,
    "surrogate escapes": lambda: '"""\\ud800"""\nlog("\\ud800")\nx = "\\ud800"\nrequire(x == "", "\\ud800")\nraise Refused("\\ud800")',
    "surrogate body doc": lambda: '"""\\ud800"""\nlog("a")',
    "surrogate key": lambda: 'x = {"\\ud800": 1}\nlog(f"{n}\\ud800")\nreturn x',
    "null body doc": lambda: '"""\\0"""\nlog("a")',
    "reads in a list": lambda: "x = [" + "Order.list(), " * 3000 + "]\nlog(len(x[0]))",
    "reads beside": lambda: numbered("x# = Order.list(number='#')", 1000) + "\nlog(len(x1))",
    "equal reads": lambda: "log(len(Order.list()))\n" * 900,
    "reads of 1,400 characters": lambda: "log(" + "Order.count() + " * 85 + "1)",
    "loops of 1,400 characters": lambda: "log([1 " + "for a in Order.list() " * 62 + "])",
    "followed": lambda: "o = Order.find()\nif o is not None:\n" + " log(o.previous.number if o.previous else '')\n" * 900,
    "gets": lambda: "for o in Order.list():\n" + " log(Order.get(o.id).number)\n" * 900,
    "950 statements": lambda: "rows = Order.list()\n" + "if n:\n rows = Order.find()\nelse:\n rows = Order.list()\n" * 180 + "return rows",
    "300 loops": lambda: numbered("for r# in Order.list():\n log(r#.number)", 190),
}  # fmt: skip

SCREENS: dict[str, Callable[[], str]] = {
    "components": lambda: numbered("title('a')", 3500),
    "tables": lambda: numbered("table(Order.list(), columns=[number])", 1200),
    "inputs": lambda: numbered("a# = text_input('A#')", 2000),
    "buttons": lambda: numbered("button('B#', act, order=order, ask=[n])", 1000),
    "sections": lambda: "section('a', " * 80 + "title('b')" + ")" * 80,
    "screen ifs": lambda: "\n".join(" " * n + "if n:" for n in range(80)) + "\n" + " " * 80 + "title('a')",
    "surrogate labels": lambda: 'title("\\ud800")\nx = text_input("\\ud800")\nchart(Order.list(), x=number, y=total, kind="\\ud800")',
    "surrogate screen doc": lambda: '"""\\ud800"""\ntitle("a")',
    "null screen": lambda: 'title("\\0")\ntext("\\0")',
}  # fmt: skip
