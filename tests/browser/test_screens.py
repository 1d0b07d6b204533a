"""The generated browser side, used by a person with a mouse, a keyboard and sometimes no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import Visitor
    from playwright.sync_api import Page


def rows(page: Page) -> list[str]:
    return page.locator(".linked tbody tr").all_inner_texts()


def column(page: Page, number: int) -> list[str]:
    return page.locator(f".linked tbody td:nth-child({number})").all_inner_texts()


# sign-in


def test_signing_in_leads_back_to_where_one_was(visitor: Visitor) -> None:
    page = visitor.open("/departures/LGA?late=true")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Email and password do not match an account")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("correct horse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Departures of La Guardia")
    expect(page).to_have_url(re.compile(r"/departures/LGA\?late=true$"))
    expect(page.get_by_label("Late only")).to_be_checked()


@pytest.mark.parametrize(
    "next_", ["//example.com/", "https://example.com/", "javascript:alert(1)", "/%5C%5Cexample.com"]
)
def test_signing_in_leads_nowhere_else(visitor: Visitor, next_: str) -> None:
    visitor.allowed |= {404}
    page = visitor.sign_in(f"/sign-in?next={next_}")
    assert page.url.startswith(visitor.base + "/")


def test_signing_out(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.get_by_role("button", name="Ada Lindqvist").click()
    expect(page.get_by_role("list", name="Roles")).to_contain_text("Supervisor")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Email")).to_be_visible()
    expect(visitor.open("/departures/JFK").get_by_label("Email")).to_be_visible()


def test_a_session_that_ended_asks_to_sign_in_again(visitor: Visitor) -> None:
    page = visitor.sign_in("/flights/3")
    visitor.stub(expire=True)
    page.get_by_role("button", name="Write a note").click()
    page.get_by_label("Text").fill("late")
    page.locator("dialog .primary").click()
    expect(page.get_by_label("Email")).to_be_visible()
    expect(page).to_have_url(re.compile(r"next=%2Fflights%2F3"))


# screens and addresses


def test_a_cold_view_is_one_session_and_one_data_request(visitor: Visitor) -> None:
    page = visitor.sign_in()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(visitor.base)))
    visitor.open("/departures/JFK?day=2013-01-01")
    data = [address for address in asked if not address.startswith("/assets/")]
    assert sorted(data) == [
        "/api/screens/departures?day=2013-01-01&origin=JFK",
        "/departures/JFK?day=2013-01-01",
        "/session",
    ]
    assert len([address for address in asked if address.endswith(".js")]) < 20


def test_components_show_the_data(visitor: Visitor) -> None:
    page = visitor.sign_in()
    expect(page).to_have_title("Departures of John F Kennedy Intl · Flight desk")
    assert page.locator(".metric").all_inner_texts() == [
        "Flights\n297",
        "Late\n54",
        "Cancelled\n1",
        "Average delay\n12.2 min",
    ]
    assert rows(page)[0].split("\t") == ["1 Jan 2013 05:40", "1141", "American Airlines Inc.", "Miami Intl", "2", "A4"]
    assert page.locator("time").first.get_attribute("title") == "1 Jan 2013, 00:40 your time"
    assert page.locator("svg .bar").count() == 19


def test_inputs_are_in_the_address_and_the_back_button_works(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.get_by_label("Late only").check()
    expect(page).to_have_url(re.compile(r"late=true"))
    expect(page.get_by_text("54 rows")).to_be_visible()
    page.get_by_role("button", name="Day after").click()
    expect(page.get_by_text("No departures on this day")).to_be_visible()
    expect(page).to_have_url(re.compile(r"day=2013-01-02"))
    page.go_back()
    expect(page.get_by_text("54 rows")).to_be_visible()
    expect(page.get_by_label("Day", exact=True)).to_have_value("2013-01-01")
    page.go_back()
    expect(page.get_by_text("297 rows")).to_be_visible()
    expect(page.get_by_label("Late only")).not_to_be_checked()


def test_a_row_leads_to_its_screen_and_back_is_where_one_was(visitor: Visitor) -> None:
    page = visitor.sign_in()
    ended = page.evaluate_handle("() => ({ scroll: new Promise(done => addEventListener('scrollend', done)) })")
    page.get_by_text("Honolulu Intl").scroll_into_view_if_needed()
    ended.evaluate("async (ended) => void (await ended.scroll)")
    depth = page.evaluate("scrollY")
    assert depth > 500
    page.get_by_text("Honolulu Intl").click()
    expect(page).to_have_url(re.compile(r"/flights/\d+$"))
    expect(page.locator("h1")).to_be_focused()
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(page.get_by_text("297 rows")).to_be_visible()
    assert abs(page.evaluate("scrollY") - depth) < 2


def test_a_row_opens_from_the_keyboard(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".linked tbody a").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".linked tbody a").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("JetBlue Airways 725")


def test_what_a_condition_hides_is_not_shown(visitor: Visitor) -> None:
    page = visitor.sign_in("/flights")
    expect(page.locator("svg .point")).to_have_count(24)
    page.get_by_label("Kind").select_option("bar")
    expect(page.locator("svg .bar")).to_have_count(24)
    expect(page.locator("svg .point")).to_have_count(0)


def test_text_is_never_markup(visitor: Visitor) -> None:
    page = visitor.sign_in("/flights")
    expect(page.get_by_text("<b>Not bold.</b>")).to_be_visible()


def test_an_application_works_under_a_prefix(visitor: Visitor) -> None:
    page = visitor.sign_in("/proxy/8000/")
    page.get_by_role("link", name="John F. Kennedy").click()
    expect(page.get_by_text("297 rows")).to_be_visible()
    expect(page).to_have_url(f"{visitor.base}/proxy/8000/departures/JFK")
    page.get_by_role("link", name="All flights").click()
    expect(page.locator("[aria-current=page]")).to_have_text("All flights")


# tables and charts


def test_a_table_is_sorted_by_its_headings(visitor: Visitor) -> None:
    page = visitor.sign_in()
    heading = page.get_by_role("columnheader", name="Delay (min)")
    heading.click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    delays = [int(text) for text in column(page, 5)]
    assert delays == sorted(delays)
    heading.click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert int(column(page, 5)[0]) == max(int(text) for text in column(page, 5))
    page.get_by_role("button", name="Last page").click()
    assert column(page, 5)[-1] == "–"


def test_a_word_finds_rows(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.get_by_label("Find in table").fill("hawaii")
    expect(page.get_by_text("1 of 297 rows")).to_be_visible()
    assert column(page, 3) == ["Hawaiian Airlines Inc."]
    page.get_by_label("Find in table").fill("nowhere")
    expect(page.get_by_text("No row has this word")).to_be_visible()


def test_five_thousand_rows_are_a_hundred_at_a_time(visitor: Visitor) -> None:
    page = visitor.sign_in("/flights")
    assert page.locator("tbody tr[class], .linked tbody tr").count() == 100
    page.get_by_role("button", name="Last page").click()
    expect(page.get_by_text("4901–5000 of 5000")).to_be_visible()
    expect(page.get_by_role("button", name="Next page")).to_be_disabled()
    page.get_by_role("columnheader", name="Distance").click()
    expect(page.get_by_text("1–100 of 5000")).to_be_visible()
    assert column(page, 3)[:2] == ["0", "0"]


def test_a_chart_tells_its_values(visitor: Visitor) -> None:
    page = visitor.sign_in()
    chart = page.locator("svg[role=img]")
    chart.hover(position={"x": 400, "y": 100})
    expect(page.locator(".tooltip")).to_have_text("Hour 10 · Delay -2.0")
    chart.focus()
    page.keyboard.press("End")
    expect(chart).to_have_attribute("aria-label", re.compile(r"Hour 23 · Delay -5\.0"))
    page.get_by_text("Show the values").click()
    expect(page.get_by_role("row", name="23 -5.0")).to_be_visible()


# actions


def test_an_action_asks_and_refreshes_in_place(visitor: Visitor) -> None:
    page = visitor.sign_in("/flights/5")
    expect(page.get_by_text("Nobody wrote a note yet")).to_be_visible()
    opener = page.get_by_role("button", name="Write a note")
    opener.click()
    expect(page.get_by_label("Text")).to_be_focused()
    page.keyboard.type("<img src=x onerror=alert(1)> crew is late")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status").filter(has_text="Write a note: done")).to_be_visible()
    expect(page.get_by_role("cell", name="<img src=x onerror=alert(1)> crew is late")).to_be_visible()
    expect(page.locator("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_what_is_missing_is_said_at_its_field(visitor: Visitor) -> None:
    page = visitor.sign_in("/flights/5")
    page.get_by_role("button", name="Move to another gate").click()
    page.locator("dialog .primary").click()
    gate = page.get_by_role("textbox", name="Gate")
    expect(gate).to_be_focused()
    expect(gate).to_have_accessible_description("This is needed")
    gate.fill("D123456")
    expect(gate).to_have_value("D123")
    page.get_by_label("Reason").select_option("crew")
    page.locator("dialog .primary").click()
    expect(page.locator(".details")).to_contain_text("D123")


def test_the_servers_errors_are_shown_at_the_field_or_below(visitor: Visitor) -> None:
    visitor.allowed |= {409, 422}
    page = visitor.sign_in("/flights/6")
    page.get_by_role("button", name="Write a note").click()
    page.get_by_label("Text").fill("<script>")
    page.locator("dialog .primary").click()
    expect(page.get_by_label("Text")).to_have_accessible_description("Say more than that")
    page.get_by_label("Text").fill("   ")
    page.locator("dialog .primary").click()
    expect(page.locator("dialog").get_by_role("alert")).to_have_text("A note needs a text")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_refusal_is_said_in_its_own_words(visitor: Visitor) -> None:
    visitor.allowed |= {409}
    page = visitor.sign_in("/flights/7")
    page.get_by_role("button", name="Cancel the flight").click()
    expect(page.get_by_text("The passengers will be told at once.")).to_be_visible()
    page.locator("dialog .primary").click()
    expect(page.locator("dialog").get_by_role("alert")).to_have_text("This flight has left already")


# failures


def test_a_failure_of_the_server_has_a_trace_and_a_way_out(visitor: Visitor) -> None:
    visitor.allowed |= {500}
    page = visitor.sign_in("/")
    visitor.stub(status=500, detail="an error occurred and was recorded")
    page.get_by_role("link", name="LaGuardia").click()
    expect(page.get_by_role("alert")).to_contain_text("4bf92f3577b34da6a3ce929d0e0e4736")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("h1")).to_have_text("Departures of La Guardia")


def test_without_a_network_the_screen_stays_and_comes_back(visitor: Visitor) -> None:
    visitor.allowed |= {0}
    page = visitor.sign_in()
    page.context.set_offline(True)
    page.get_by_label("Late only").check()
    expect(page.get_by_role("alert")).to_contain_text("No connection")
    expect(page.get_by_text("297 rows")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("54 rows")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_does_not_exist_is_said(visitor: Visitor) -> None:
    visitor.allowed |= {404}
    page = visitor.sign_in("/flights/99999")
    expect(page.get_by_role("alert")).to_contain_text("There is no such flight")
    visitor.open("/somewhere/else")
    expect(page.get_by_role("alert")).to_contain_text("There is no page at this address")
    page.get_by_role("link", name="To the start").click()
    expect(page.locator("h1")).to_have_text("Flight desk")


def test_only_slow_answers_show_that_something_loads(visitor: Visitor) -> None:
    page = visitor.sign_in("/")
    visitor.stub(delay=1.5)
    page.get_by_role("link", name="LaGuardia").click()
    shown = page.locator(".progress").evaluate(
        "bar => [getComputedStyle(bar).animationName, getComputedStyle(bar).animationDelay]"
    )
    assert shown == ["appear", "0.2s"]
    expect(page.locator(".progress")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Flight desk")
    expect(page.locator("h1")).to_have_text("Departures of La Guardia")
    expect(page.locator(".progress")).to_have_count(0)


def test_the_last_visit_wins(visitor: Visitor) -> None:
    page = visitor.sign_in("/")
    visitor.stub(delay=0.6)
    page.get_by_role("link", name="LaGuardia").click()
    with page.expect_event("requestfailed"):  # the browser gives it up, the slow answer comes to nobody
        page.get_by_role("link", name="John F. Kennedy").click()
    expect(page.locator("h1")).to_have_text("Departures of John F Kennedy Intl")


# phones


def test_no_screen_is_wider_than_a_phone(visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 380, "height": 800})
    page = visitor.sign_in()
    for path in ("/departures/JFK", "/flights/5", "/flights", "/"):
        visitor.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 380, path
