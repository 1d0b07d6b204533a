"""The processor time of a service: its process and all that it started."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]  # comes with ipykernel


def seconds(process: int) -> float:
    """Return what a process and its children have used until now."""
    parent = psutil.Process(process)
    used = [one.cpu_times() for one in (parent, *parent.children(recursive=True))]
    return float(sum(times.user + times.system for times in used))
