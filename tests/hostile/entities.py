"""Bodies of entities, structs and integrations that mean harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.texts import filled, numbered

if TYPE_CHECKING:
    from collections.abc import Callable

ENTITIES: dict[str, Callable[[], str]] = {
    "attributes": lambda: numbered("a#: Text", 50_000),
    "5,000 digits": lambda: "a: Integer = " + "9" * 5000 + "\nx = " + "9" * 5000,
    "4,000 digits": lambda: "a: Integer = " + "9" * 4000,
    "1e999999": lambda: "a: Decimal = 1e999999\nx = 1e999999",
    "-1e999999": lambda: "a: Decimal(8, 2) = -1e999999",
    "1e-999999": lambda: "a: Decimal(8, 2) = 1e-999999",
    "complex": lambda: "a: Decimal = 1e999j\nx = 1e999999j",
    "types": lambda: "a: " + "many(" * 80 + "Text" + ")" * 80,
    "types beside": lambda: "a: " + "None | " * 6000 + "Text",
    "types before": lambda: "a: Text" + " | None" * 6000,
    "choices": lambda: "a: Choice(" + numbered('"c#"', 5000, ", ") + ")",
    "computed": lambda: "a0: Integer = 1\n" + "\n".join(f"a{n}: Integer = computed(a{n - 1} + a{n - 1})" for n in range(1, 500)),
    "computed chain": lambda: "a0: Integer = 1\n" + "\n".join(f"a{n}: Integer = computed(a{n - 1})" for n in range(1, 1200)),
    "computed 30": lambda: "a0: Integer = 1\n" + "\n".join(f"a{n}: Integer = computed(a{n - 1} + a{n - 1})" for n in range(1, 31)),
    "computed circle": lambda: "a: Integer = computed(b)\nb: Integer = computed(a)\nc: Integer = computed(c)",
    "computed all": lambda: "\n".join(f"a{n}: Integer = computed({' + '.join(f'a{m}' for m in range(60) if m != n)})" for n in range(60)),
    "checks": lambda: "n: Integer\n" + numbered("check(n > #, 'no #')", 1500),
    "check of ands": lambda: "n: Integer\ncheck(" + " and ".join(["n > 1"] * 5000) + ", 'no')",
    "check of ors": lambda: "n: Integer\ncheck(" + " or ".join(["n > 1 and n < 3"] * 2000) + ", 'no')",
    "rule": lambda: "n: Text\naccess(read=Sales, rows=" + " or ".join(["n == user.id"] * 3000) + ")",
    "rule of nots": lambda: "n: Boolean\naccess(read=Sales, rows=" + "not " * 85 + "n)",
    "rule of dots": lambda: "n: Order\naccess(read=Sales, rows=n" + ".previous" * 3000 + ".number == 'a')",
    "roles": lambda: "n: Text\naccess(read=[" + "Sales, " * 6000 + "])",
    "keys": lambda: numbered("a#: Integer", 1500) + "\nkey(" + numbered("a#", 1500, ", ") + ")",
    "indexes of all": lambda: numbered("a#: Integer", 1200) + "\n" + numbered("index(a#)", 1200),
    "references": lambda: numbered("a#: Order", 3500),
    "many": lambda: numbered("a#: many(Order)", 2500),
    "nulls everywhere": lambda: numbered("a#: Text | None = None", 1800),
    "misspelt": lambda: numbered("a#: Texxt", 4000),
    "misspelt clauses": lambda: numbered("idnex(a#)", 4000),
    "misspelt keys": lambda: numbered("a#: Text", 1500) + "\n" + numbered("index(b#)", 1500),
    "surrogate escape": lambda: '"""\\ud800"""\na: Text = "\\ud800"\nb: Choice("\\ud800")\ncheck(a == "\\ud800", "\\ud800")',
    "surrogate default": lambda: 'a: Text = "\\ud800"',
    "surrogate choice": lambda: 'a: Choice("\\ud800", "b")',
    "surrogate check": lambda: 'a: Text\ncheck(a == "x", "\\ud800")',
    "surrogate condition": lambda: 'a: Text\ncheck(a == "\\ud800", "no")',
    "surrogate computed": lambda: 'a: Text\nb: Text = computed(a + "\\ud800")',
    "surrogate rule": lambda: 'a: Text\naccess(read=Sales, rows=a == "\\ud800")',
    "surrogate doc": lambda: '"""\\ud800"""\na: Text',
    "null default": lambda: 'a: Text = "\\0"',
    "null choice": lambda: 'a: Choice("\\0", "b")',
    "null check": lambda: 'a: Text\ncheck(a == "x", "\\0")',
    "null condition": lambda: 'a: Text\ncheck(a == "\\0", "no")',
    "null computed": lambda: 'a: Text\nb: Text = computed(a + "\\0")',
    "null rule": lambda: 'a: Text\naccess(read=Sales, rows=a == "\\0")',
    "null doc": lambda: '"""\\0"""\na: Text',
    "quotes in texts": lambda: '"""\'\'\'"""\na: Text = "\'\\"{}%$\\\\"\nb: Choice("\'", "\\"", "{a}", "%s")\ncheck(a != "\'{}%", "{a} \'%s\\"")',
    "line ends in texts": lambda: '"""a\\r\\nb"""\na: Text = "a\\r\\nb\\u2028"\ncheck(a != "\\n", "a\\nb")',
}  # fmt: skip

INTEGRATIONS: dict[str, Callable[[], str]] = {
    "operations": lambda: numbered('a# = GET("/a#", b=Text) -> Order', 1400),
    "arrows": lambda: "a = GET('/') " + filled("-> ", 40_000),
    "arrow of spaces": lambda: "a = GET('/') ->" + filled(" ", 900_000),
    "arrow of words": lambda: "a = GET('/') -> " + filled("x ", 900_000),
    "arrows of spaces": lambda: filled("->" + " " * 998),
    "braces of a path": lambda: "a = GET('/" + numbered("{a#}", 4000, "") + "')",
    "surrogate path": lambda: 'a = GET("/\\ud800")',
    "null path": lambda: 'a = GET("/\\0")',
}  # fmt: skip
