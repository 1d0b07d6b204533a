"""Carrying steps out: each journalled before and after it acts, neighbours of one name on all hosts at once.

running --(all steps before the decision done)--> decided --(the others done)--> deployed |
| +--(a fault)--> cancelled: started services       +--(a fault)--> tried again; then it stays `running`, and whoever
comes next and staged files are gone               rolls it forward

A cancel leaves the database as it is: upgrades only add, so the old release still fits. The journal, the decision with
it, is written by the thread that carries the plan out, and so is every report.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby
from typing import TYPE_CHECKING

from lowcode_kernel.farm.hosts import HostLost
from lowcode_kernel.farm.journal import LeaseLost
from lowcode_kernel.farm.steps import HOST_ACTIONS, OWN_ACTIONS, UNDO, Work, redact
from lowcode_kernel.plan import Progress
from lowcode_kernel.problems import LowcodeError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lowcode_kernel.plan import Release, Step, StepState

    Report = Callable[[Progress], None]

RETRY_PAUSES = (0.5, 1.0, 2.0, 4.0)
KEPT = "the database stays expanded: the old release fits it"


def carry_out(work: Work, report: Report) -> Release:
    """Carry the whole plan out; raises LowcodeError where it was cancelled, or where it can't be finished now."""
    before = [step for step in work.plan.steps if step.before_decision]
    try:
        for _, phase in groupby(before, key=lambda step: step.name):
            run_phase(work, list(phase), report)
    except LeaseLost:
        raise  # whoever has the lease now cleans up
    except BaseException as error:
        if not _decided(work):
            cancel(work, report, _reason(error))
            raise
        report_lost_answer(work, report)
    return roll_forward(work, report)


def _decided(work: Work) -> bool:
    """Ask the journal, and not our memory: a commit whose answer was lost may have happened.

    Raises LowcodeError where the journal doesn't answer: then nothing may be undone, and whoever comes next finds out.
    """
    return any(one.id == work.deployment and one.decided for one in work.journal.deployments(work.application, limit=5))


def report_lost_answer(work: Work, report: Report) -> None:
    """Say that the decision stands though its answer was lost."""
    decide = next(step for step in work.plan.steps if step.name == "decide")
    report(Progress(step=decide, state="done", detail="recorded, though the answer was lost"))


def roll_forward(work: Work, report: Report, done: frozenset[int] = frozenset()) -> Release:
    """Carry out what follows the decision, trying again where it fails; `done` are numbers of steps that need not be
    repeated.
    """
    after = [step for step in work.plan.steps if not step.before_decision and step.number not in done]
    try:
        for _, phase in groupby(after, key=lambda step: step.name):
            _insist(work, list(phase), report)
    except LeaseLost:
        raise
    except LowcodeError as error:
        work.journal.finish(
            work.lease, work.deployment, "running", f"decided, not finished: {redact(work.environment, str(error))}"
        )
        stands = Problem(
            code="LK625", fact=f"{work.version} is decided but not on every host yet",
            hint="hosts that were not reached serve the old release; the next deploy or rollback finishes this first",
        )  # fmt: skip
        raise LowcodeError(stands, *error.problems) from error
    work.journal.finish(work.lease, work.deployment, "deployed")
    return next(one.release for one in work.journal.deployments(work.application, limit=5) if one.id == work.deployment)


def _insist(work: Work, phase: list[Step], report: Report) -> None:
    for pause in (*RETRY_PAUSES, None):
        try:
            return run_phase(work, phase, report)
        except LeaseLost:
            raise
        except LowcodeError:
            if pause is None:
                raise
            time.sleep(pause)
    return None


def run_phase(work: Work, phase: Sequence[Step], report: Report) -> None:
    """Run the steps of one phase at once; raises LowcodeError with the faults of all hosts, or what was not foreseen as
    it is.
    """
    for step in phase:
        _write(work, report, step, "running")
    with ThreadPoolExecutor(max_workers=min(32, len(phase)), thread_name_prefix=phase[0].name) as pool:
        futures = {pool.submit(_timed, work, step): step for step in phase}
        ended = [(futures[one], _written(work, report, futures[one], *one.result())) for one in as_completed(futures)]
    faults = [(step, fault) for step, fault in ended if fault is not None]
    _raise_faults(work, sorted(faults, key=lambda one: one[0].number))


def _timed(work: Work, step: Step) -> tuple[float, str, BaseException | None]:
    began = time.monotonic()
    try:
        detail, fault = _act(work, step), None
    except Exception as error:  # noqa: BLE001 - it is journalled first, and raised then
        detail, fault = _reason(error), error
    return time.monotonic() - began, redact(work.environment, detail), fault


def _act(work: Work, step: Step) -> str:
    if step.host is not None:
        return HOST_ACTIONS[step.name](work, work.hosts[step.host])
    return OWN_ACTIONS[step.name](work) if step.name in OWN_ACTIONS else ""


def _written(
    work: Work, report: Report, step: Step, seconds: float, detail: str, fault: BaseException | None
) -> BaseException | None:
    """Journal how a step ended; return its fault."""
    if isinstance(fault, LeaseLost):
        return fault
    if step.name == "decide":
        progress = Progress(step=step, state="done", seconds=seconds)
        work.journal.decide(work.lease, work.deployment, progress)
        report(progress)
    else:
        _write(work, report, step, "failed" if fault else "done", seconds, detail)
    return fault


def _write(work: Work, report: Report, step: Step, state: StepState, seconds: float = 0.0, detail: str = "") -> None:
    progress = Progress(step=step, state=state, seconds=round(seconds, 3), detail=detail)
    work.journal.write_step(work.lease, work.deployment, progress)
    report(progress)


def _raise_faults(work: Work, faults: list[tuple[Step, BaseException]]) -> None:
    """Raise one error for all hosts. A lost lease is more than a fault, and so is a bug of ours."""
    for _, fault in faults:
        if isinstance(fault, LeaseLost) or not isinstance(fault, (LowcodeError, HostLost)):
            raise fault
    if faults:
        raise LowcodeError(*(problem for step, fault in faults for problem in _problems(work, step, fault)))


def _problems(work: Work, step: Step, fault: BaseException) -> Iterable[Problem]:
    where = f"{step.host}, {step.name}" if step.host else step.name
    if isinstance(fault, LowcodeError):
        for problem in fault.problems:
            yield Problem(
                code=problem.code, fact=f"{where}: {redact(work.environment, problem.fact)}", hint=problem.hint
            )
    else:
        yield Problem(code="LK624", fact=f"{where}: {_reason(fault)}")


def _reason(fault: BaseException) -> str:
    if isinstance(fault, HostLost):
        return f"the connection to it was lost{f' ({fault})' if str(fault) else ''}"
    if isinstance(fault, KeyboardInterrupt):
        return "interrupted from the keyboard"
    return str(fault) if isinstance(fault, LowcodeError) else f"{type(fault).__name__}: {fault}"


def cancel(work: Work, report: Report, reason: str) -> None:
    """Undo what was done before the decision, last first, on every host that answers, and close the deployment."""
    left: list[str] = []
    for written in reversed(work.journal.steps(work.deployment)):
        if written.state == "waiting" or not written.step.before_decision:
            continue
        if written.step.name in UNDO:
            left += filter(None, [_undo(work, report, written)])
        elif written.step.name == "upgrade" or written.state == "running":
            _close(work, report, written)
    detail = "; ".join((redact(work.environment, reason), *left))
    work.journal.finish(work.lease, work.deployment, "cancelled", detail)


def _close(work: Work, report: Report, written: Progress) -> None:
    """Journal what becomes of a step that isn't undone: one under way was interrupted, an upgrade stays."""
    state: StepState = "failed" if written.state == "running" else written.state
    said = written.detail or ("it was interrupted here" if written.state == "running" else "")
    kept = KEPT if written.step.name == "upgrade" else ""
    _write(work, report, written.step, state, written.seconds, "; ".join(filter(None, (said, kept))))


def _undo(work: Work, report: Report, written: Progress) -> str:
    """Undo a step; return "" or what is left. The next deployment that reaches a lost host prunes what it kept."""
    step = written.step
    try:
        if host := work.hosts.get(step.host or ""):
            UNDO[step.name](work, host)
    except LeaseLost:
        raise
    except (LowcodeError, HostLost) as error:
        left = f"{step.host}: {step.name} could not be undone, {redact(work.environment, _reason(error))}"
        _write(work, report, step, "failed", written.seconds, left)
        return left
    _write(work, report, step, "undone", written.seconds, written.detail)
    return ""
