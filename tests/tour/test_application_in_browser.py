"""The application that the tour deploys, in a browser, as the people of the desk use it: Ana, a dispatcher, and Sam, a
supervisor. All of it is real: the generated pages, the two front-ends, the database with the flights of 2013.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from lowcode_kernel.farm.environments import Secret
from lowcode_kernel.farm.users import add_user
from tests.browser.conftest import Visitor
from tests.tour.conftest import picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from playwright.sync_api import Browser, Locator, Page

    from tests.tour.conftest import Tour

    Opener = Callable[..., AbstractContextManager[Visitor]]

PASSWORD = "correct horse battery"
ANA, SAM = "ana@example.com", "sam@example.com"
PEOPLE = ((ANA, "Ana Ferreira", ["Dispatcher"]), (SAM, "Sam Okafor", ["Supervisor"]))
SHOWN = "main:not([aria-busy]) :is(.screen, .problem)"
ROWS = "table.linked tbody tr"  # a chart has a table of its values too
DEPARTURES = "/departures/JFK?day=2013-02-08"
PHONE = {"width": 390, "height": 844}
# the console tells of a violation too, but not of one that is only reported
TELL_VIOLATIONS = """document.addEventListener('securitypolicyviolation', event =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`))"""


@pytest.fixture(scope="module")
def address(tour: Tour) -> str:
    """The address of the application, in which Ana and Sam may sign in."""
    for email, name, roles in PEOPLE:
        add_user(tour.environment, "flightdesk", email, name, roles, Secret(PASSWORD))
    return str(tour.environment.public_url)


@pytest.fixture
def visits(address: str, one_chromium: Browser) -> Opener:
    """Return a function that opens a browser window; at its end the console must have been silent."""

    @contextmanager
    def opened(**options: Any) -> Iterator[Visitor]:
        settings = {"viewport": {"width": 1280, "height": 860}, "locale": "en-GB", "timezone_id": "America/New_York"}
        context = one_chromium.new_context(**{**settings, **options})
        context.add_init_script(TELL_VIOLATIONS)
        visitor = Visitor(page=context.new_page(), base=address)
        visitor.page.set_default_timeout(30_000)
        visitor.page.on("console", visitor.hear)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        expect.set_options(timeout=30_000)
        try:
            yield visitor
        finally:
            context.close()
        assert visitor.complaints == []

    return opened


def sign_in(visitor: Visitor, email: str, path: str = "/") -> Page:
    """Sign in on the way to a path."""
    page = visitor.open(path)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(SHOWN)
    return page


def metric(page: Page, label: str) -> Locator:
    return page.locator(".metric", has=page.get_by_text(label, exact=True)).locator("dd")


def open_flight(page: Page, row: int = 0) -> None:
    page.locator(ROWS).nth(row).click()
    page.wait_for_url(re.compile(r"/flights/\d+"))
    page.wait_for_selector(SHOWN)


def write_note(page: Page, text: str) -> None:
    page.get_by_role("button", name="Write a note").click()
    page.get_by_label("Text").fill(text)
    page.locator("dialog .primary").click()


def test_only_who_is_known_comes_in(visits: Opener) -> None:
    with visits() as visitor:
        page = visitor.open(DEPARTURES)
        picture(page, "app-sign-in")
        page.get_by_label("Email").fill(ANA)
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("Email and password do not match an account")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("h1")).to_have_text("Departures of John F Kennedy Intl")
        assert page.url.endswith(DEPARTURES)
        page.get_by_role("button", name="Ana Ferreira: account").click()
        expect(page.get_by_role("list", name="Roles")).to_have_text("Dispatcher")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("main.sign-in")
        page.go_back()
        page.wait_for_selector("main.sign-in")


def test_the_start_leads_to_the_airports(visits: Opener) -> None:
    with visits() as visitor:
        page = sign_in(visitor, ANA)
        expect(page.locator("h1")).to_have_text("Flight desk")
        expect(page.get_by_role("row", name=re.compile("8 Feb 2013"))).to_have_count(3)
        expect(page.get_by_role("button", name="Close a day")).to_have_count(0)
        for link, airport in (("Newark", "Newark Liberty Intl"), ("LaGuardia", "La Guardia")):
            page.get_by_role("link", name=link).click()
            expect(page.locator("h1")).to_have_text(f"Departures of {airport}")
            page.go_back()
            expect(page.locator("h1")).to_have_text("Flight desk")


def test_a_supervisor_closes_a_day(visits: Opener) -> None:
    with visits() as visitor:
        visitor.allowed.add(409)
        page = sign_in(visitor, SAM)
        page.get_by_role("button", name="Close a day").click()
        day = page.locator("dialog").get_by_label("Day")
        day.fill("2014-02-09")
        page.locator("dialog .primary").click()
        expect(page.locator("dialog").get_by_role("alert")).to_have_text("EWR has no flights on 2014-02-09")
        day.fill("2013-02-09")
        page.locator("dialog .primary").click()
        expect(page.get_by_role("status").filter(has_text="Close a day: done")).to_be_visible()
        expect(page.get_by_role("row", name=re.compile("9 Feb 2013"))).to_have_count(3)


def test_the_departures_of_a_day(visits: Opener) -> None:
    with visits() as visitor:
        page = sign_in(visitor, ANA, DEPARTURES)
        expect(metric(page, "Flights")).to_have_text("304")
        expect(page.get_by_role("img")).to_have_accessible_name(re.compile("Average delay by hour of departure"))
        expect(page.locator(ROWS)).to_have_count(100)
        picture(page, "app-departures")
        page.get_by_role("columnheader", name="Delay (min)").get_by_role("button").click()
        expect(page.get_by_role("columnheader", name="Delay (min)")).to_have_attribute("aria-sort", "ascending")
        page.get_by_label("Find in table").fill("tampa")
        expect(page.get_by_role("status").filter(has_text="of 304 rows")).to_be_visible()
        page.get_by_role("button", name="Day after").click()
        page.wait_for_url(re.compile("day=2013-02-09"))
        expect(metric(page, "Flights")).not_to_have_text("304")
        page.get_by_label("Day", exact=True).fill("2013-02-08")
        expect(metric(page, "Flights")).to_have_text("304")
        page.get_by_label("Find in table").fill("")
        open_flight(page)
        expect(page.get_by_role("button", name="Write a note")).to_be_visible()


def test_a_flight_and_what_is_noted_of_it(visits: Opener) -> None:
    with visits() as visitor:
        visitor.allowed.add(409)
        page = sign_in(visitor, ANA, DEPARTURES)
        open_flight(page, row=3)
        expect(page.locator(".details")).to_contain_text("John F Kennedy Intl")
        expect(page.get_by_text("Nobody wrote a note yet")).to_be_visible()
        write_note(page, "   ")
        expect(page.locator("dialog").get_by_role("alert")).to_have_text("A note needs a text")
        page.get_by_label("Text").fill("Catering is late <b>& cold</b>")
        page.locator("dialog .primary").click()
        expect(page.get_by_role("cell", name="Catering is late <b>& cold</b>")).to_be_visible()
        page.get_by_role("button", name="Ask for the weather").click()
        expect(page.get_by_role("cell", name=re.compile(r"Weather at JFK: .* °F, visibility .* miles"))).to_be_visible()
        expect(page.locator("tbody tr")).to_have_count(2)
        picture(page, "app-flight")
        page.get_by_role("link", name="Departures of this airport").click()
        expect(page.locator("h1")).to_have_text("Departures of John F Kennedy Intl")


def test_a_note_is_resolved(visits: Opener) -> None:
    with visits() as visitor:
        page = sign_in(visitor, ANA, DEPARTURES)
        open_flight(page, row=4)
        write_note(page, "Wheelchair at the gate")
        expect(page.get_by_role("cell", name="Wheelchair at the gate")).to_be_visible()
        visitor.open("/notes")
        row = page.get_by_role("row", name=re.compile("Wheelchair at the gate"))
        expect(row).to_be_visible()
        page.get_by_label("Note", exact=True).select_option(label="Wheelchair at the gate")
        page.get_by_role("button", name="Resolve it").click()
        expect(page.get_by_text("Mark this note as resolved?")).to_be_visible()
        page.locator("dialog .primary").click()
        expect(row).to_have_count(0)
        picture(page, "app-notes")


def test_a_dispatcher_sees_her_own_notes_and_a_supervisor_all(visits: Opener) -> None:
    with visits() as visitor:
        page = sign_in(visitor, SAM, DEPARTURES)
        open_flight(page, row=5)
        write_note(page, "For supervisors")
        expect(page.get_by_role("cell", name="For supervisors")).to_be_visible()
        visitor.open("/notes")
        expect(page.get_by_role("cell", name="Crew is late, gate informed")).to_be_visible()
        expect(page.get_by_role("cell", name="For supervisors")).to_be_visible()
    with visits() as visitor:
        page = sign_in(visitor, ANA, "/notes")
        expect(page.get_by_role("cell", name="Crew is late, gate informed")).to_be_visible()
        expect(page.get_by_role("cell", name="For supervisors")).to_have_count(0)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"the keyboard does not reach {wanted}")


def test_a_note_is_written_by_the_keyboard_alone(visits: Opener) -> None:
    with visits() as visitor:
        page = visitor.open("/")
        if not page.get_by_label("Email").evaluate("element => element === document.activeElement"):
            tab_to(page, page.get_by_label("Email"))
        page.keyboard.type(ANA)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector(SHOWN)
        tab_to(page, page.get_by_role("link", name="LaGuardia"))
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Departures of La Guardia")
        tab_to(page, page.locator(f"{ROWS} a").first)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/flights/\d+"))
        opener = page.get_by_role("button", name="Write a note")
        expect(opener).to_be_visible()
        tab_to(page, opener)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Text")).to_be_focused()
        page.keyboard.type("Written without a mouse")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("cell", name="Written without a mouse")).to_be_visible()
        expect(opener).to_be_focused()


def test_a_phone_shows_every_screen_in_its_width(visits: Opener) -> None:
    with visits(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=1) as visitor:
        page = sign_in(visitor, ANA, DEPARTURES)
        picture(page, "app-phone")
        for path in ("/", "/notes", DEPARTURES):
            visitor.open(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        open_flight(page, row=3)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_in_the_dark_it_is_dark(visits: Opener) -> None:
    with visits(color_scheme="dark") as visitor:
        page = sign_in(visitor, SAM, DEPARTURES)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 23)"
        expect(page.get_by_role("img")).to_be_visible()
        picture(page, "app-dark")
