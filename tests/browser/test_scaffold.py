"""What `%scaffold` gives, in a browser: a shop whose screens nobody wrote."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.shop import Shop, shop
from tests.tour.conftest import picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from playwright.sync_api import Browser, Page

    Opener = Callable[..., AbstractContextManager[Visitor]]

SAL, MAX = "sal@example.com", "max@example.com"
ROWS = "table.linked tbody tr"
SHOWN = "main:not([aria-busy]) :is(.screen, .problem)"


@pytest.fixture(scope="module")
def served() -> Iterator[Shop]:
    with shop({SAL: "Sales", MAX: "Manager"}) as found:
        yield found


@pytest.fixture
def visits(served: Shop, browser: Browser) -> Opener:
    """Return a function that opens a window of somebody who is signed in; the console must have been silent."""

    @contextmanager
    def opened(email: str, path: str, **options: Any) -> Iterator[Visitor]:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, "locale": "en-GB", **options})
        visitor = Visitor(page=context.new_page(), base=served.address)
        visitor.page.on("console", visitor.hear)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        page = visitor.open(path)
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(served.passwords[email])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector(SHOWN)
        yield visitor
        context.close()
        assert visitor.complaints == []

    return opened


def open_row(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("h1")).to_have_text(name)


def test_a_list_is_paged_by_the_server(visits: Opener) -> None:
    with visits(SAL, "/customers") as visitor:
        page = visitor.page
        expect(page.locator(ROWS)).to_have_count(25)
        picture(page, "scaffold-list")
        page.get_by_role("button", name="Next page").click()
        expect(page.locator(".pager")).to_contain_text("26–50")
        assert "c3.start=25" in page.url
        page.get_by_role("button", name="Next page").click()
        expect(page.locator(ROWS)).to_have_count(10)
        expect(page.get_by_role("button", name="Next page")).to_be_disabled()
        page.get_by_role("button", name="Previous page").click()
        expect(page.locator(".pager")).to_contain_text("26–50")
        page.get_by_role("button", name="First page").click()
        expect(page.locator(".pager")).to_contain_text("1–25")


def test_a_search_begins_at_the_first_page(visits: Opener) -> None:
    with visits(SAL, "/customers?c3.start=50") as visitor:
        page = visitor.page
        expect(page.locator(ROWS)).to_have_count(10)
        page.get_by_label("Search").fill("OMER 0")
        expect(page.locator(ROWS)).to_have_count(9)
        assert "start" not in page.url
        page.get_by_label("Search").fill("c42@example")
        expect(page.locator(ROWS)).to_have_count(1)
        page.get_by_label("Search").fill("nobody%")
        expect(page.get_by_text("No customers")).to_be_visible()


def test_a_row_is_entered_with_what_is_wrong_told_at_its_field(visits: Opener) -> None:
    with visits(SAL, "/customers") as visitor:
        visitor.allowed |= {422}
        page = visitor.page
        page.get_by_role("link", name="New customer").click()
        expect(page.locator("h1")).to_have_text("New customer")
        form = page.get_by_role("form", name="Create")
        form.get_by_role("button", name="Create").click()
        expect(form.get_by_label("Name")).to_be_focused()
        expect(form.get_by_label("Name")).to_have_accessible_description("This is needed")
        form.get_by_label("Name").fill("Nora Quinn")
        form.get_by_label("Email").fill("c7@example.com")
        form.get_by_label("Tier").select_option("gold")
        form.get_by_label("Owner").select_option(label="Max")
        form.get_by_role("button", name="Create").click()
        expect(form.get_by_label("Email")).to_have_accessible_description("Already taken")
        expect(form.get_by_label("Email")).to_be_focused()
        picture(page, "scaffold-form")
        form.get_by_label("Tags").select_option(["1", "3"])
        form.get_by_label("Email").fill("nora@example.com")
        form.get_by_label("Email").press("Enter")
        expect(page.locator("h1")).to_have_text("Nora Quinn")
        expect(page.get_by_role("status").filter(has_text="Create: done")).to_be_visible()
        expect(page.locator(".details")).to_contain_text("Max")
        expect(page.locator(".details")).to_contain_text("gold")
        expect(page.locator(".details")).to_contain_text("Export, Retail")
        page.get_by_role("link", name="Edit").click()
        expect(page.get_by_label("Tags")).to_have_values(["1", "3"])
        page.get_by_label("Tags").select_option(["2"])
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".details")).to_contain_text("Press")
        expect(page.locator(".details")).not_to_contain_text("Export")


def test_a_row_is_changed(visits: Opener) -> None:
    with visits(SAL, "/customers?search=Customer+07") as visitor:
        page = visitor.page
        open_row(page, "Customer 07")
        expect(page.get_by_role("button", name="Delete")).to_have_count(0)
        expect(page.locator(".pager")).to_contain_text("1–10")
        picture(page, "scaffold-details")
        page.get_by_role("link", name="Edit").click()
        form = page.get_by_role("form", name="Save")
        expect(form.get_by_label("Since")).to_have_value("2020-01-08")
        expect(form.get_by_label("Owner")).to_have_value("1")
        expect(form.get_by_label("Active")).to_be_checked()
        form.get_by_label("Since").fill("")
        form.get_by_label("Active").uncheck()
        form.get_by_label("Note").fill("Pays late\nand in coins")
        form.get_by_role("button", name="Cancel").click()
        expect(page.locator(".details")).to_contain_text("8 Jan 2020")
        page.get_by_role("link", name="Edit").click()
        form.get_by_label("Since").fill("")
        form.get_by_label("Active").uncheck()
        form.get_by_role("button", name="Save").click()
        expect(page.locator(".details")).to_contain_text("No")
        expect(page.locator(".details")).not_to_contain_text("8 Jan 2020")


def test_a_row_is_deleted_by_those_who_may_and_where_nothing_refers_to_it(visits: Opener) -> None:
    with visits(MAX, "/customers/7") as visitor:
        visitor.allowed |= {409}
        page = visitor.page
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Delete this customer?")).to_be_visible()
        page.locator("dialog .primary").click()
        expect(page.locator("dialog").get_by_role("alert")).to_contain_text("still used")
        page.get_by_role("button", name="Back").click()
        visitor.open("/customers/8")
        page.get_by_role("button", name="Delete").click()
        page.locator("dialog .primary").click()
        expect(page.locator("h1")).to_have_text("Customers")
        page.get_by_label("Search").fill("Customer 08")
        expect(page.get_by_text("No customers")).to_be_visible()


def test_rows_lead_to_each_other_by_name(visits: Opener) -> None:
    with visits(SAL, "/orders?search=O-1") as visitor:
        page = visitor.page
        expect(page.locator(ROWS).first).to_contain_text("Customer 07")  # and not 7
        open_row(page, "O-1")
        table = page.get_by_role("table", name="Items")
        table.get_by_role("link").first.click()
        expect(page.locator("h1")).to_have_text(re.compile(r"O-1, (Apple|Pear)"))
        assert re.search(r"/items/1/[AP]-1$", page.url)
        page.get_by_role("link", name="Edit").click()
        page.get_by_label("Quantity").fill("12")
        page.keyboard.press("Enter")
        expect(page.locator(".details")).to_contain_text("12")


def test_a_word_in_an_address_is_no_key(visits: Opener) -> None:
    with visits(MAX, "/products/new") as visitor:
        expect(visitor.page.locator("h1")).to_have_text("New product")
    with visits(SAL, "/products") as visitor:
        expect(visitor.page.locator(ROWS)).to_have_count(3)
        expect(visitor.page.get_by_role("link", name="New product")).to_have_count(0)


def test_a_phone_shows_forms_in_its_width(visits: Opener) -> None:
    size = {"width": 390, "height": 844}
    with visits(SAL, "/customers/9/edit", viewport=size, has_touch=True, is_mobile=True) as visitor:
        for path in ("/customers/9/edit", "/customers", "/customers/9"):
            visitor.open(path)
            assert visitor.page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
