"""What entities can say, end to end: generated, on a real database, asked by HTTP as a browser would."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from lowcode_kernel.checks import check
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.writing import write_bundle
from tests.cases import model_of
from tests.differential.requests import Request, Sample, SampleUser
from tests.differential.twins import Twin

if TYPE_CHECKING:
    from pathlib import Path

    from lowcode_kernel.application import Application

OPEN = "access(read=[Teacher, Guest], write=Teacher, delete=Teacher)"
MODEL = f"""
%app school --title "School"
%role Teacher
%role Guest
---
%%entity Tag
key(label)
label: Text(10)
{OPEN}
---
%%entity Student
name: Text(80)
mentor: Student | None = field(on_delete=set_null)
friend: Student | None = field(on_delete=set_null)
tags: many(Tag)
check(mentor != id, "nobody is a mentor of their own")
{OPEN}
---
%%entity Course
key(code)
code: Text(10)
price: Decimal(10, 2) = 10
rate: Decimal(4, 2) | None
gross: Decimal(12, 2) = computed(price * (1 + rate))
label: Text = computed(f"{{code}} ({{price}})")
dear: Boolean = computed(gross is not None and gross > 100)
share: Decimal(6, 3) = computed(1 / (price - 10))
lead: Student
starts_on: Date = today()
ends_on: Date | None
days: Integer = computed((ends_on - starts_on).days)
token: Uuid = uuid()
made_at: DateTime = now()
check(ends_on >= starts_on, "a course ends after it starts")
check(price >= 0, "a price is not negative")
check(price < 1000, "a price is not negative")
{OPEN}
---
%%entity Note
key(key)
key: Text
limit: Integer
student: Student
access(read=Teacher, write=Teacher, delete=Teacher)
---
%%entity Enrolment
student: Student = field(on_delete=cascade)
course: Course
grade: Integer | None
key(student, course)
access(read=[Teacher, Guest], write=Teacher, delete=Teacher, rows=grade != 6 or Teacher in user.roles)
"""
ACTIONS = """
%%action add_student(name: Text, mentor: Student | None = None) -> Student --role Teacher --rest "POST /api/students"
return Student.create(name=name, mentor=mentor)
---
%%action add_tagged(name: Text, tags: many(Tag)) -> Student --role Teacher --rest "POST /api/tagged"
return Student.create(name=name, tags=tags)
---
%%action tags_of(student: Student) -> Text --rest "POST /api/tags_of"
return ", ".join([tag for tag in student.tags]) + f" {len(student.tags)}"
---
%%action set_tags(student: Student, tags: many(Tag)) --role Teacher --rest "POST /api/set_tags"
Student.update(student, tags=tags)
---
%%action rename(student: Student, name: Text) --role Teacher --rest "POST /api/rename"
Student.update(student, name=name, tags=[])
---
%%action make_own_mentor(student: Student) --role Teacher --rest "POST /api/own"
Student.update(student, mentor=student)
---
%%action add_course(code: Text, lead: Student, price: Decimal = 10, rate: Decimal | None = None, ends_on: Date | None = None) -> Course --role Teacher --rest "POST /api/courses"
return Course.create(code=code, lead=lead, price=price, rate=rate, starts_on=date(2026, 1, 1), ends_on=ends_on)
---
%%action course(code: Text) -> Text --rest "POST /api/course"
found = Course.get(code)
return f"{found.label} {found.gross} {found.dear} {found.days} {found.share}"
---
%%action enrol(student: Student, course: Course) -> Enrolment --role Teacher --rest "POST /api/enrol"
return Enrolment.create(student=student, course=course)
---
%%action grade(student: Student, course: Course, grade: Integer) -> Enrolment --role Teacher --rest "POST /api/grade"
row = Enrolment.get(student=student, course=course)
if row.grade is None:
    return Enrolment.update(student=student, course=course, grade=grade)
return Enrolment.update(row, grade=grade)
---
%%action seen(student: Student, course: Course) -> Text --rest "POST /api/seen"
here = Enrolment.exists(student=student, course=course)
row = Enrolment.find(student=student, course=course, only=[grade])
name = Student.get(student, only=[name]).name
rows = Course.get_many([course, None, course])
return f"{here} {'-' if row is None else row.grade} {name} {rows[course].code} {len(rows)}"
---
%%action leads() -> Text --rest "POST /api/leads"
courses = Course.list(order_by=["-price", code], limit=2, only=[code, lead])
students = Student.get_many([c.lead for c in courses])
return ", ".join([f"{c.code}:{students[c.lead].name}" for c in courses])
---
%%action missing() -> Text --rest "POST /api/missing"
students = Student.get_many([])
return students[999].name
---
%%action leave(student: Student, course: Course) --role Teacher --rest "POST /api/leave"
Enrolment.delete(student=student, course=course)
---
%%action delete_course(course: Course) --role Teacher --rest "POST /api/delete_course"
Course.delete(course)
---
%%action delete_student(student: Student) --role Teacher --rest "POST /api/delete_student"
Student.delete(student)
---
%%screen enrolments "/enrolments" --role Teacher
table(Enrolment.list(order_by=-grade), columns=[student, course, grade], row=link(enrolment, student=row.student, course=row.course))
---
%%screen enrolment "/enrolments/{student}/{course}" --role Teacher
row = Enrolment.get(student=student, course=course)
details(row, attributes=[student, course, grade])
details(student, attributes=[name, mentor, tags])
button("Leave", leave, student=row.student, course=row.course)
link("Again", enrolment, student=student, course=course)
---
%%screen students "/students" --role Teacher
table(Student.list(), columns=[name, mentor, tags])
---
%%query dear(least: Decimal)
SELECT code, gross FROM Course WHERE gross >= :least ORDER BY gross
---
%%action forms(student: Student, course: Course, tags: many(Tag) = []) -> Text --role Teacher --rest "POST /api/forms"
row = Enrolment.update(Enrolment.get(student=student, course=course), grade=4)
same = row == Enrolment.get(row)
Note.create(key="a", limit=3, student=student)
note = Note.get("a")
Note.update(note, limit=4)
late = Note.find(key="a", only=[limit])
people = User.get_many([user.id])
found = ", ".join([f"{one.code} {one.gross}" for one in dear(least=0.5)])
kept = Note.exists(key="a") and not Note.exists(key="b") and Note.exists()
Note.delete(note)
return f"{same} {0 if late is None else late.limit} {people[user.id].name} {found} {kept} {Note.exists()} {len(tags)}"
"""
USERS = (SampleUser("ann", ("Teacher",)), SampleUser("gus", ("Guest",)), SampleUser("nob", ("Other",)))


@pytest.fixture(scope="module")
def school() -> Application:
    model = model_of(*MODEL.split("---\n"), *ACTIONS.split("---\n"))
    assert [str(problem) for problem in check(model) if problem.severity == "error"] == []
    return model.application


def test_the_code_is_strictly_typed(school, tmp_path: Path) -> None:
    write_bundle(generate(school), tmp_path)
    words = ("--strict", "--no-error-summary", "--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"))
    command = (sys.executable, "-m", "mypy", *words, "school")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout == ""


@pytest.fixture
def ask(school, database, tmp_path: Path):
    """Ask the school's service: gives status and body of each request, in order."""

    def asked(*requests: tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], str]) -> list[tuple[int, Any]]:
        return asyncio.run(_asked(school, tmp_path, database.url, [_request(*one) for one in requests]))

    return asked


def _request(path: str, arguments: dict[str, Any], user: str = "ann") -> Request:
    method = "GET" if path.startswith("screens/") else "POST"
    given = {"parameters": arguments} if method == "GET" else {"arguments": arguments}
    return Request(user, method, f"/api/{path}", **given)


async def _asked(app: Any, folder: Path, url: str, requests: list[Request]) -> list[tuple[int, Any]]:
    twin = Twin(app, folder, url)
    connection = await asyncpg.connect(url)
    rows = ("INSERT INTO tag (label) VALUES ('new'), ('loud'), ('calm')",)
    try:
        await twin.prepare(connection, Sample((), rows, tuple(requests), USERS))
    finally:
        await connection.close()
    seen = await twin.observe(requests)
    return [(answer.status, answer.body) for answer in seen.answers]


def _told(answers: list[tuple[int, Any]]) -> list[Any]:
    """Return what each answer says: its text, or its status and detail."""
    return [body if status == 200 else (status, body["detail"]) for status, body in answers]


STUDENTS = (("students", {"name": "Una"}), ("students", {"name": "Ben", "mentor": 1}))


def test_computed_attributes_are_read_as_others(ask):
    answers = ask(
        *STUDENTS,
        ("courses", {"code": "A", "lead": 1, "price": "100", "rate": "0.2", "ends_on": "2026-01-31"}),
        ("courses", {"code": "B", "lead": 1}),
        ("course", {"code": "A"}),
        ("course", {"code": "B"}),
    )
    assert answers[2][1] | {"token": "", "made_at": ""} == {
        "code": "A",
        "price": "100.00",
        "rate": "0.20",
        "gross": "120.00",
        "label": "A (100.00)",
        "dear": True,
        "share": "0.011",
        "lead": 1,
        "starts_on": "2026-01-01",
        "ends_on": "2026-01-31",
        "days": 30,
        "token": "",
        "made_at": "",
    }
    assert _told(answers[4:]) == ["A (100.00) 120.00 True 30 0.011", "B (10.00) None False None None"]


def test_a_write_that_breaks_a_condition_is_refused_with_its_message(ask):
    assert _told(
        ask(
            *STUDENTS,
            ("courses", {"code": "A", "lead": 1, "ends_on": "2025-01-31"}),
            ("courses", {"code": "A", "lead": 1, "price": "-1"}),
            ("own", {"student": 2}),
        )[2:]
    ) == [
        (409, "a course ends after it starts"),
        (409, "a price is not negative"),
        (409, "nobody is a mentor of their own"),
    ]


def test_a_row_is_found_changed_and_deleted_by_a_key_of_two_references(ask):
    both = {"student": 2, "course": "A"}
    answers = ask(
        *STUDENTS,
        ("courses", {"code": "A", "lead": 1}),
        ("enrol", both),
        ("enrol", both),
        ("seen", both),
        ("grade", {**both, "grade": 3}),
        ("grade", {**both, "grade": 6}),
        ("seen", both),
        ("seen", both, "gus"),
        ("screens/enrolments", {}),
        ("screens/enrolment", both),
        ("leave", both),
        ("seen", both),
        ("leave", both),
        ("grade", {**both, "grade": 6}),
    )
    assert answers[4][0] == 422
    assert _told(answers[5:10]) == [
        "True None Ben A 1",
        {"student": 2, "course": "A", "grade": 3},
        {"student": 2, "course": "A", "grade": 6},
        "True 6 Ben A 1",
        "False - Ben A 1",  # the row rule hides it from a guest
    ]
    (row,) = answers[10][1]["components"]["c1"]["rows"]
    assert {name: row[name]["value"] for name in ("student", "course")} == both
    assert (row["student"]["label"], row["grade"]) == ("Ben", 6)
    shown = answers[11][1]["components"]
    assert shown["c1"]["attributes"] == {"student": "Ben", "course": "A (10.00)", "grade": 6}
    assert shown["c2"]["attributes"] == {"name": "Ben", "mentor": "Una", "tags": ""}
    assert (shown["c3"]["arguments"], shown["c4"]["arguments"]) == (both, both)
    assert [status for status, _ in answers[12:]] == [200, 200, 404, 404]


def test_what_is_deleted_restricts_cascades_and_sets_null(ask):
    answers = ask(
        *STUDENTS,
        ("courses", {"code": "A", "lead": 2}),
        ("enrol", {"student": 1, "course": "A"}),
        ("delete_course", {"course": "A"}),
        ("delete_student", {"student": 2}),
        ("delete_student", {"student": 1}),
        ("delete_course", {"course": "A"}),
        ("screens/students", {}),
    )
    assert _told(answers[4:6]) == [
        (409, "It is still used by enrolment and can't be deleted."),
        (409, "It is still used by course and can't be deleted."),
    ]
    assert [status for status, _ in answers[6:]] == [200, 200, 200]
    assert answers[8][1]["components"]["c1"]["rows"] == [{"name": "Ben", "mentor": None, "tags": ""}]


def test_the_forms_meet_in_one_action(ask):
    both = {"student": 1, "course": "A"}
    courses = ({"code": code, "lead": 1, "price": price, "rate": "0"} for code, price in (("B", "90"), ("A", "20")))
    answers = ask(*STUDENTS, *(("courses", one) for one in courses), ("enrol", both), ("forms", both))
    assert _told(answers[5:]) == ["True 4 ann A 20.00, B 90.00 True False 0"]


def test_lists_of_other_rows_are_written_and_read(ask):
    answers = ask(
        ("tagged", {"name": "Una", "tags": ["new", "loud"]}),
        ("tags_of", {"student": 1}),
        ("set_tags", {"student": 1, "tags": ["calm", "new"]}),
        ("tags_of", {"student": 1}, "gus"),
        ("screens/students", {}),
        ("rename", {"student": 1, "name": "Ute"}),
        ("tags_of", {"student": 1}),
        ("tagged", {"name": "Ben", "tags": ["none"]}),
        ("set_tags", {"student": 7, "tags": []}),
        ("tags_of", {"student": 1}, "nob"),
    )
    assert _told(answers[:4]) == [
        {"id": 1, "name": "Una", "mentor": None, "friend": None},
        "loud, new 2",
        None,
        "calm, new 2",
    ]
    assert answers[4][1]["components"]["c1"]["rows"] == [{"name": "Una", "mentor": None, "tags": "calm, new"}]
    assert _told(answers[6:7]) == [" 0"]
    assert [status for status, _ in answers[7:]] == [404, 404, 403]


def test_rows_by_key_are_missed_when_they_are_asked_for(ask):
    answers = ask(
        *STUDENTS,
        ("courses", {"code": "A", "lead": 2, "price": "30"}),
        ("courses", {"code": "B", "lead": 1, "price": "50"}),
        ("courses", {"code": "C", "lead": 1, "price": "20"}),
        ("leads", {}),
        ("missing", {}, "nob"),
        ("leads", {}, "nob"),
    )
    assert _told(answers[5:]) == ["B:Una, A:Ben", (404, "There is no Student 999"), (403, "You may not read Course.")]
