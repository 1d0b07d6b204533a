"""Plans, progress, elements and logs in JupyterLab, and the kernel in its launcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser_lab.flightdesk import DEPARTURES
from tests.browser_lab.test_graph import shot

if TYPE_CHECKING:
    from tests.browser_lab.conftest import Lab, Person

IMPORTS = """import flightdesk
from lowcode_kernel.widgets.logs_view import logs_view
from lowcode_kernel.widgets.model_view import model_view
from lowcode_kernel.widgets.plan_view import plan_view
from lowcode_kernel.widgets.progress_view import live_loading, live_progress
from IPython.display import display"""
PLAN = "display(plan_view(flightdesk.upgrade_plan()))"
PROGRESS = """goes_well, fails = flightdesk.reports(12), flightdesk.reports(6, failing=True)
for title, reports in (("Deploy flightdesk 8c1f0a52be77 to prod", goes_well), ("Deploy to staging", fails)):
    progress = live_progress(title, flightdesk.plan_steps(("fe1", "fe2", "fe3")))
    display(progress)
    for report in reports: progress.report(report)
    progress.finish()
loading = live_loading()
display(loading)
for load in flightdesk.loads(): loading.report(load)
loading.finish()"""
MODEL = """for model in (flightdesk.flight_model(), flightdesk.departures_model(), flightdesk.weather_model()):
    display(model_view(model))"""
LOGS = 'logs_view(flightdesk.log_table(), {"screen:departures": "cell 14"})'


def shown(person: Person, name: str, selector: str) -> None:
    person.wait_for(selector)
    for theme, short in (("JupyterLab Light", "light"), ("JupyterLab Dark", "dark")):
        person.use_theme(theme)
        person.page.locator(".jp-OutputArea-output .lowcode").first.evaluate("e => e.scrollIntoView({block: 'start'})")
        shot(person, f"{name}-{short}")


def test_a_plan_is_shown(lab: Lab, person: Person) -> None:
    person.open(lab.write("plan.ipynb", f"{IMPORTS}\n{PLAN}"))
    person.run_all()
    shown(person, "plan", ".lowcode-plan")
    assert person.errors == []


def test_progress_is_replaced_and_not_repeated(lab: Lab, person: Person) -> None:
    person.open(lab.write("progress.ipynb", f"{IMPORTS}\n{PROGRESS}"))
    person.run_all()
    shown(person, "progress", ".lowcode-loading")
    assert person.page.locator(".lowcode-progress").count() == 2
    assert person.errors == []


def test_elements_and_logs_are_shown(lab: Lab, person: Person) -> None:
    person.open(lab.write("model.ipynb", f"{IMPORTS}\n{MODEL}", LOGS))
    person.run_all()
    shown(person, "model", ".lowcode-tag:text('refused')")
    person.page.locator(".lowcode-tag:text('refused')").scroll_into_view_if_needed()
    shot(person, "logs-dark")
    assert person.errors == []


def test_the_launcher_offers_the_kernel_with_its_logo(lab: Lab, person: Person) -> None:
    person.page.goto(lab.page("lab"))
    card = person.page.locator(".jp-LauncherCard", has_text="Low-code").first
    card.wait_for()
    assert card.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")
    shot(person, "launcher")


CELLS = "window.jupyterapp.shell.currentWidget.content.widgets"
MIME = f"() => {CELLS}.map(cell => cell.model.mimeType)"


def test_sql_is_highlighted_where_a_cell_holds_sql(lab: Lab, person: Person) -> None:
    query = f"%%query departures(origin: Airport, day: Date)\n{DEPARTURES}"
    entity = "%%entity Flight\nnumber: Integer"
    person.open(lab.write("sql.ipynb", query, entity, "1 + 1"))
    sql = "text/x-sql"
    person.page.wait_for_function(f"() => ({MIME})()[0] === '{sql}'")
    assert sql not in person.page.evaluate(MIME)[1:]
    person.page.evaluate(
        f"""() => {{
          {CELLS}[0].model.sharedModel.setSource('x = 1')
          {CELLS}[2].model.sharedModel.setSource('%%logs dev\\nSELECT 1')
        }}"""
    )
    person.page.wait_for_function(f"() => ({MIME})()[2] === '{sql}' && ({MIME})()[0] !== '{sql}'")
    person.page.evaluate(
        "q => window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(q)", query
    )
    person.page.wait_for_selector(".cm-line span >> text=SELECT")
    shot(person, "sql")
    assert person.errors == []
