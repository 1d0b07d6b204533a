"""The generated flight desk with a real PostgreSQL and a real NATS: who may do what, what is undone, and what is never
lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.generated_application import desk, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.generated_application import Client, Desk

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def served() -> Iterator[Desk]:
    with desk() as found:
        yield found


@pytest.fixture(scope="module")
def dispatcher(served: Desk) -> Iterator[Client]:
    with served.user("dora@example.com", "Dispatcher") as client:
        yield client


@pytest.fixture(scope="module")
def supervisor(served: Desk) -> Iterator[Client]:
    with served.user("sam@example.com", "Supervisor") as client:
        yield client


def test_nobody_sees_or_does_anything_without_signing_in(served: Desk) -> None:
    with served.client() as stranger:
        assert stranger.get("/api/screens/summaries").status_code == 401
        assert stranger.run("resolve_note", note=1).status_code == 401
        answer = stranger.get("/session")
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.json()["trace"]) == 32


def test_a_session_says_who_is_signed_in_and_which_screens_there_are(dispatcher: Client) -> None:
    found = dispatcher.get("/session").json()
    assert (found["user"]["email"], found["user"]["roles"]) == ("dora@example.com", ["Dispatcher"])
    assert [screen["name"] for screen in found["screens"]] == ["summaries", "notes"]


def test_a_screen_answers_the_data_of_its_components(dispatcher: Client) -> None:
    found = dispatcher.get("/api/screens/departures", params={"origin": "EWR", "day": "2013-02-08"}).json()
    assert found["components"]["c1"] == {"text": "Departures of Newark"}
    assert [found["components"][name]["value"] for name in ("c2", "c3", "c4")] == [2, 1, 1]
    assert [row["airline"] for row in found["components"]["c7"]["rows"]] == ["United", "Delta"]


def test_pages_come_with_security_headers_and_the_base_of_their_address(served: Desk) -> None:
    with served.client() as browser:
        page = browser.get("/notes", headers={"X-Forwarded-Prefix": "/user/ana/proxy/8000"})
        assert '<base href="/user/ana/proxy/8000/">' in page.text
        assert '<base href="/">' in browser.get("/notes", headers={"X-Forwarded-Prefix": "//evil.example"}).text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"


def test_assets_are_kept_for_ever_only_at_their_own_address(served: Desk) -> None:
    with served.client() as browser:
        page = browser.get("/notes").text
        own = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert "immutable" in browser.get(f"/{own}").headers["cache-control"]
        other = browser.get(f"/assets/ffffffffffff/{own.split('/', 2)[2]}")
        assert (other.status_code, other.headers["cache-control"]) == (200, "no-store")


def test_a_request_of_another_site_is_refused(dispatcher: Client) -> None:
    body = {"flight": 1, "text": "forged"}
    for headers in (
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "x"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
    ):
        answer = dispatcher.post("/api/actions/write_note", json=body, headers=headers)
        assert answer.status_code == 403, headers
    assert dispatcher.post("/api/notes", json=body, headers={"X-CSRF-Token": ""}).status_code == 403


def test_a_role_that_is_missing_is_named_nowhere_and_refused(dispatcher: Client) -> None:
    answer = dispatcher.run("summarize_day", day="2013-02-08")
    assert (answer.status_code, answer.json()["title"]) == (403, "Not allowed")


def test_every_argument_that_does_not_fit_is_told_at_once(dispatcher: Client) -> None:
    answer = dispatcher.run("write_note", flight="one", other=1)
    assert answer.status_code == 422
    assert answer.json()["fields"] == {"flight": "not a whole number", "text": "required", "other": "not known here"}
    assert dispatcher.run("write_note", flight=1, text="x" * 501).json()["fields"] == {"text": "at most 500 characters"}
    assert dispatcher.get("/api/screens/departures", params={"origin": "EWR", "day": "soon"}).status_code == 422


def test_a_request_that_is_too_large_is_not_read(dispatcher: Client) -> None:
    assert dispatcher.run("write_note", flight=1, text="x" * 1_000_001).status_code == 413
    chunks = (b"x" * 100_000 for _ in range(11))
    assert dispatcher.post("/api/actions/write_note", content=chunks).status_code == 413


def test_an_address_that_is_not_there_is_a_problem_too(dispatcher: Client) -> None:
    for answer, status in (
        (dispatcher.get("/nowhere"), 404),
        (dispatcher.put("/session"), 405),
        (dispatcher.run("nothing"), 404),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_five_wrong_passwords_make_one_wait_and_a_forged_address_does_not_help(served: Desk) -> None:
    password = served.add_user("tim@example.com", "Dispatcher")
    with served.client() as browser:
        for number in range(5):
            browser.headers["X-Forwarded-For"] = f"192.0.2.{number}"
            assert browser.sign_in("tim@example.com", "wrong").status_code == 401
        answer = browser.sign_in("tim@example.com", password)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 301


def test_a_row_rule_hides_what_others_wrote(served: Desk, dispatcher: Client, supervisor: Client) -> None:
    note = dispatcher.run("write_note", flight=1, text=" crew is late ").json()
    assert note["text"] == "crew is late"
    with served.user("eva@example.com", "Dispatcher") as other:
        assert other.get("/api/screens/notes").json()["components"]["c2"]["rows"] == []
        assert other.run("resolve_note", note=note["id"]).status_code == 404
    texts = [row["text"] for row in supervisor.get("/api/screens/notes").json()["components"]["c2"]["rows"]]
    assert "crew is late" in texts
    assert supervisor.run("resolve_note", note=note["id"]).json()["resolved"] is True
    assert supervisor.run("resolve_note", note=note["id"]).json()["detail"] == "this note is resolved already"


def test_a_refused_action_leaves_nothing_behind(served: Desk, supervisor: Client) -> None:
    answer = supervisor.run("summarize_day", day="2013-02-08")  # writes Newark's day, then finds no flight of Kennedy
    assert (answer.status_code, answer.json()["detail"]) == (409, "JFK has no flights on 2013-02-08")
    assert served.sql("SELECT count(*) FROM flightdesk.day_summary") == [(0,)]


VIOLATIONS = {
    "INSERT INTO airline (code, name) VALUES ('UA', 'Again')": "Rejected: This already exists. {'code': 'already taken'}",
    "INSERT INTO flight (carrier, number, origin, destination, departs_at, distance) VALUES ('XX', 1, 'EWR', 'JFK', now(), 1)": (
        "Rejected: It refers to something that is not there. {'carrier': 'not found'}"
    ),
    "DELETE FROM airport WHERE code = 'EWR'": "Refused: It is still used by flight and can't be deleted. {}",
    "INSERT INTO airline (code) VALUES ('ZZ')": "Rejected: A value is missing. {'name': 'required'}",
    "INSERT INTO airline (code, name) VALUES ('TOO', 'Long')": "Rejected: A value is not allowed. {'code': 'not allowed'}",
    "SELECT our_mistake": "None",
}
VIOLATE = """
import asyncio, os, sys, asyncpg
from flightdesk.errors import of_constraint

async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"], server_settings={"search_path": "flightdesk"})
    for statement in sys.argv[1:]:
        try:
            await connection.execute(statement)
        except asyncpg.PostgresError as error:
            told = of_constraint(error)
            print(told and f"{type(told).__name__}: {told.detail} {told.fields}")

asyncio.run(main())
"""


def test_what_a_constraint_rejects_is_told_in_the_words_of_a_form(served: Desk) -> None:
    (served.folder / "violate.py").write_text(VIOLATE)
    assert served.python("violate", *VIOLATIONS).splitlines() == list(VIOLATIONS.values())


def test_an_audit_event_is_in_the_queue_before_the_reply(served: Desk, dispatcher: Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = dispatcher.post("/api/notes", json={"flight": 1, "text": "told"}, headers=headers)
    assert answer.status_code == 200
    (event,) = [event for event in served.events("audit") if event["trace"] == trace]
    assert (event["element"], event["outcome"], event["host"], event["version"]) == (
        "action:write_note",
        "ok",
        "fe1",
        "test",
    )
    assert event["attributes"] == {"argument.flight": 1, "argument.text": "told"}


def test_requests_and_queries_arrive_in_batches(served: Desk, dispatcher: Client) -> None:
    dispatcher.get("/api/screens/summaries")
    eventually(lambda: any(event["element"] == "screen:summaries" for event in served.events("request")))
    eventually(lambda: any(event["element"] == "query:recent_summaries" for event in served.events("query")))


def test_a_session_that_ends_elsewhere_ends_here(served: Desk) -> None:
    password = served.add_user("una@example.com", "Dispatcher")
    with served.client(0) as here, served.client(1) as there:
        assert here.sign_in("una@example.com", password).status_code == 200
        there.cookies.update(here.cookies)
        assert there.get("/session").status_code == 200  # remembered from now on
        assert here.delete("/session").status_code == 204
        eventually(lambda: there.get("/session").status_code == 401, 3)
        assert here.sign_in("una@example.com", password).status_code == 200
        served.python("flightdesk.users", "remove", "una@example.com")
        eventually(lambda: here.get("/session").status_code == 401, 3)


def test_sessions_are_read_anew_while_the_listening_connection_is_lost(served: Desk) -> None:
    with served.user("ben@example.com", "Dispatcher") as client:
        assert client.get("/session").status_code == 200
        served.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(query, 'LISTEN') OR query = 'SELECT 1'"
        )
        served.sql("UPDATE flightdesk.app_user SET active = false WHERE email = 'ben@example.com'")  # nobody is told
        eventually(lambda: client.get("/session").status_code == 401, 8)


@pytest.mark.parametrize("text", ["while the queue is away"])
def test_an_audit_event_outlives_a_queue_that_is_away(served: Desk, dispatcher: Client, text: str) -> None:
    served.nats.kill()
    for number in range(3):
        assert dispatcher.run("write_note", flight=1, text=f"{text} {number}").status_code == 200
    assert len(list(served.spool.glob("*.audit.json"))) >= 3
    served.nats.start()
    eventually(lambda: not list(served.spool.glob("*.audit.json")))
    texts = [event["attributes"].get("argument.text") for event in served.events("audit")]
    assert [texts.count(f"{text} {number}") for number in range(3)] == [1, 1, 1]


def test_the_applications_own_tests_pass(served: Desk) -> None:
    served.python("unittest", "discover", "tests")
