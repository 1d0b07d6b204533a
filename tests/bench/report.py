"""The report of a run as Markdown: a table for each benchmark that ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    Lines = list[str]
    Report = dict[str, Any]


def table(heads: str, rows: Sequence[str]) -> Lines:
    """Return a table; a head that ends with `:` is of numbers."""
    names = heads.split(" | ")
    rule = "|".join("---:" if name.endswith(":") else "---" for name in names)
    return [f"| {' | '.join(name.rstrip(':') for name in names)} |", f"|{rule}|", *(f"| {row} |" for row in rows), ""]


def _reading(report: Report) -> Lines:
    rows = [
        f"{row['case']} | {row['service']} | {row['rate']:,.0f} | {row['median']:.2f} | {row['worst']:.2f} | "
        f"{row['processor']:.3f} | {row['rate_of_peer']:.2f} | {row['processor_of_peer']:.2f}"
        for row in report.get("reading", ())
    ]
    heads = "read screen | service | answers/s: | median ms: | 99 % ms: | processor ms an answer:"
    return table(f"{heads} | of the peer's rate: | of the peer's processor:", rows) if rows else []


def _generating(report: Report) -> Lines:
    rows = [f"{row['name']} | {row['seconds']:.2f} | {row['slowest']:.2f}" for row in report.get("generating", ())]
    return table("generate the flight desk | median s: | slowest s:", rows) if rows else []


def _scaling(report: Report) -> Lines:
    rows = [
        f"{row['entities']:,} | {row['elements']:,} | {row['files']:,} | {row['command']:.2f} | {row['processor']:.2f} | "
        f"{row['megabytes']:.0f} | {row['screen'] * 1000:.0f} | {row['entity'] * 1000:.0f}"
        for row in report.get("scaling", ())
    ]
    heads = "entities: | elements: | files: | `lowcode generate` s: | of the processor: | MB: "
    found = table(f"{heads}| change of a screen ms: | of an entity ms:", rows) if rows else []
    whole = report.get("whole", {})
    rows = [f"{name} | {value:.2f}" for name, value in whole.items() if name != "elements"]
    return [*found, *(table(f"{whole['elements']:,} elements | s:", rows) if rows else [])]


def _optimizing(report: Report) -> Lines:
    kinds = ("round_trips", "rows", "bytes", "seconds")
    rows = [
        " | ".join([row["name"], *(f"{row[kind][0]:,} / {row[kind][1]:,}" for kind in kinds), f"{row['optimize']:.2f}"])
        for row in report.get("optimizing", ())
    ]
    heads = (
        "optimizer off / on | round trips: | rows: | bytes from the database: | s for all requests: | s to optimize:"
    )
    return table(heads, rows) if rows else []


def _farm(report: Report) -> Lines:
    if "farm" not in report:
        return []
    loading = report["farm"]["loading"]
    rows = [
        f"`load_data`: read, map, check, write | {loading['load_data']:.2f} | {loading['of_peer']:.1f}",
        f"the part of it that writes the flights | {loading['flights_alone']:.2f} |",
        f"peer: `COPY` of the same flights into a plain table | {loading['plain_copy']:.2f} | 1.0",
    ]
    deployed = [f"{row['name']} | {row['seconds']:.1f}" for row in report["farm"]["deploying"]]
    return [
        *table(f"load of {loading['rows']:,} flights | median s: | of the peer's time:", rows),
        *table("deploy the flight desk to dev, two hosts | s:", deployed),
    ]


def _imports(report: Report) -> Lines:
    rows = [
        f"`{row['name']}` | {row['seconds'] * 1000:.0f} | {row['peer'] * 1000:.0f} | {row['budget'] * 1000:.0f} | "
        f"{'yes' if row['seconds'] < row['budget'] else 'no'}"
        for row in report.get("imports", ())
    ]
    return table("import | ms: | `import IPython`, same run: | budget ms: | kept", rows) if rows else []


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    before, after = (" ".join(f"{one:.1f}" for one in report["load_average"][when]) for when in ("before", "after"))
    machine = f"{report['processors']} processors; load average before {before}, after {after}"
    head = [f"Python {report['python']}, {machine}; {report['seconds']:.0f} s in all; load by {report['client']}.", ""]
    return (
        "\n".join(
            [
                *head,
                *_reading(report),
                *_farm(report),
                *_generating(report),
                *_scaling(report),
                *_optimizing(report),
                *_imports(report),
            ]
        ).rstrip()
        + "\n"
    )
