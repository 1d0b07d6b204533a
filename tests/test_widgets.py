"""The views without a browser: their text, their HTML with hostile names, the layout, and the graph's state."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from lowcode_kernel.checks.catalog import explanation
from lowcode_kernel.elements import Attribute, Constraint, Entity, Role
from lowcode_kernel.fixes import Fix
from lowcode_kernel.impact_effects import VERDICTS, Effect
from lowcode_kernel.places import Place
from lowcode_kernel.problems import Problem
from lowcode_kernel.types import INTEGER
from lowcode_kernel.widgets.drawing import draw_graph, graph_summary
from lowcode_kernel.widgets.graph_style import GraphState, found, neighbours, style_of
from lowcode_kernel.widgets.graph_view import LiveGraph, graph_view
from lowcode_kernel.widgets.highlighting import highlighted
from lowcode_kernel.widgets.impact_view import impact_view
from lowcode_kernel.widgets.layers import NODE_HEIGHT, place_nodes, width_of
from lowcode_kernel.widgets.logs_view import logs_view
from lowcode_kernel.widgets.markup import Markup, joined, tag
from lowcode_kernel.widgets.model_view import model_view
from lowcode_kernel.widgets.palette import KIND_COLOURS, OTHER, contrast
from lowcode_kernel.widgets.plan_view import plan_view
from lowcode_kernel.widgets.problems_view import explanation_view, fixes_view, problems_view
from lowcode_kernel.widgets.progress_view import live_progress, loading_view, progress_line, progress_view
from lowcode_kernel.widgets.records import ColumnView, EdgeView, GraphView, LoadingView, ModelView, NodeView, TableView
from lowcode_kernel.widgets.table_view import table_view, value_text
from lowcode_kernel.widgets.view import View, has_front_end
from tests.browser_lab import flightdesk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOSTILE = '<img src=x onerror="alert(1)"></style><script>alert(1)</script>&"\''
VOID = {"img", "br", "meta"}


class Balance(HTMLParser):
    """Reads HTML that closes what it opens; keeps the tags and the attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_html(html: str) -> Balance:
    reader = Balance()
    reader.feed(html)
    assert reader.open == []
    return reader


def hostile_graph() -> GraphView:
    detail = tuple((label, HOSTILE) for label in ("doc", "sql", "python", "place", HOSTILE))
    nodes = (
        NodeView(id=HOSTILE, label=HOSTILE, kind="query", detail=detail),
        NodeView(id="entity:A", label="A", kind=HOSTILE, detail=detail),
    )
    return GraphView(nodes=nodes, edges=(EdgeView(source=HOSTILE, target="entity:A", label=HOSTILE),), title=HOSTILE)


def hostile_plan() -> Any:
    plan = flightdesk.upgrade_plan()
    changes = tuple(replace(c, sql=HOSTILE, table=HOSTILE, summary=HOSTILE, risk=HOSTILE) for c in plan.changes)
    steps = tuple(replace(step, summary=HOSTILE, host=HOSTILE) for step in plan.steps)
    return replace(plan, environment=HOSTILE, hosts=(HOSTILE,), changes=changes, steps=steps, notices=(HOSTILE,))


def hostile_model() -> ModelView:
    model = flightdesk.departures_model()
    element = replace(model.element, name=HOSTILE, doc=HOSTILE, sql=HOSTILE)  # type: ignore[call-arg]
    problem = Problem(code=HOSTILE, fact=HOSTILE, hint=HOSTILE, place=Place(cell=1, notebook=HOSTILE))
    columns = (ColumnView(name=HOSTILE, type=HOSTILE),)
    return replace(model, element=element, problems=(problem,), columns=columns, uses=(f"query:{HOSTILE}",))


def hostile_problems() -> tuple[Problem, ...]:
    place = Place(cell=1, notebook=HOSTILE)
    fix = Fix(what=HOSTILE, edits=())
    problem = Problem(code="LK207", fact=HOSTILE, hint=HOSTILE, place=place, severity="warning", fix=fix)
    return problem, replace(problem, code=HOSTILE, fix=None), replace(problem, fact="again")


def effects(element: str) -> tuple[Effect, ...]:
    """Each verdict once, for each of two changes."""
    place = Place(cell=1, notebook=HOSTILE)
    return tuple(
        Effect(element=element, change=change, verdict=verdict, how=HOSTILE, place=place, facts=(HOSTILE,))
        for change in ("retype", HOSTILE)
        for verdict in reversed(VERDICTS)
    )


def hostile_table() -> TableView:
    return TableView(
        columns=(ColumnView(name=HOSTILE, type=HOSTILE), ColumnView(name="element")),
        rows=((HOSTILE, f"query:{HOSTILE}"),),
        title=HOSTILE,
    )


VIEWS: dict[str, Callable[[], View]] = {
    "graph": lambda: graph_view(flightdesk.flightdesk_graph()),
    "graph of nothing": lambda: graph_view(GraphView(nodes=(), edges=())),
    "graph, hostile": lambda: graph_view(hostile_graph()),
    "plan": lambda: plan_view(flightdesk.upgrade_plan()),
    "plan, hostile": lambda: plan_view(hostile_plan()),
    "plan of nothing": lambda: plan_view(replace(flightdesk.upgrade_plan(), changes=(), steps=())),
    "plan that can't be": lambda: plan_view(replace(flightdesk.upgrade_plan(), steps=(), problems=(HOSTILE,))),
    "progress": lambda: progress_view("Deploy", flightdesk.plan_steps(("a", "b")), flightdesk.reports(5)),
    "progress, failed": lambda: progress_view(HOSTILE, (), flightdesk.reports(6, failing=True), 3.5),
    "loading": lambda: loading_view((*flightdesk.loads(), LoadingView(entity=HOSTILE, rows=1, detail=HOSTILE))),
    "entity": lambda: model_view(flightdesk.flight_model()),
    "query": lambda: model_view(flightdesk.departures_model()),
    "query, hostile": lambda: model_view(hostile_model()),
    "integration": lambda: model_view(flightdesk.weather_model()),
    "role": lambda: model_view(ModelView(element=Role(name="Manager", place=Place(cell=1)))),
    "logs": lambda: logs_view(flightdesk.log_table(), {"screen:departures": HOSTILE}),
    "logs, hostile": lambda: logs_view(hostile_table()),
    "logs of nothing": lambda: logs_view(TableView(columns=(), rows=())),
    "table, hostile": lambda: table_view(hostile_table()),
    "problems": lambda: problems_view(flightdesk.flight_model().problems),
    "no problems": lambda: problems_view(()),
    "problems, hostile": lambda: problems_view(hostile_problems()),
    "fixes, hostile": lambda: fixes_view(hostile_problems(), hostile_problems(), HOSTILE, HOSTILE),
    "no fixes": lambda: fixes_view((), hostile_problems(), "", HOSTILE),
    "page": lambda: explanation_view(explanation("LK207")),
    "impact": lambda: impact_view("What a change does", effects("query:orders")),
    "impact, hostile": lambda: impact_view(HOSTILE, effects(f"query:{HOSTILE}")),
    "impact on nothing": lambda: impact_view(HOSTILE, ()),
}


@pytest.mark.parametrize("name", VIEWS)
def test_each_view_has_a_text_and_a_sound_html(name: str) -> None:
    view = VIEWS[name]()
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert repr(view) == str(view) == bundle["text/plain"] != ""
    assert "<div" not in bundle["text/plain"]
    seen = read_html(bundle["text/html"])
    assert "script" not in seen.tags
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert seen.tags.count("style") == 1
    assert "<img src=x" not in bundle["text/html"]


def test_an_entity_shows_what_is_computed_and_what_is_checked() -> None:
    at = Place(cell=1)
    net = Attribute(name="net", type=INTEGER, place=at)
    gross = Attribute(name="gross", type=INTEGER, computed="net * 2", place=at)
    constraint = Constraint(condition="net > 0", message="nothing to sell", place=at)
    shown = model_view(
        ModelView(element=Entity(name="Item", attributes=(net, gross), constraints=(constraint,), place=at))
    )
    assert "gross: Integer = computed(net * 2)" in shown.text
    assert "check: net > 0: nothing to sell" in shown.text
    assert "computed: net * 2" in shown.html


def test_the_example_of_a_page_is_without_what_only_tests_read() -> None:
    view = explanation_view(explanation("LK215"))
    assert "(shop)" in explanation("LK215").text
    assert "(shop)" not in view.text + view.html
    assert "In a web shop with the entities Customer and Order" in view.text


def test_the_same_record_gives_the_same_bytes() -> None:
    for make in VIEWS.values():
        assert make()._repr_mimebundle_() == make()._repr_mimebundle_()


def test_text_is_escaped_unless_it_is_markup() -> None:
    assert tag("b", "<i>", Markup("<i>x</i>"), class_='"') == '<b class="&quot;">&lt;i&gt;<i>x</i></b>'
    assert joined("a", "<") == "a&lt;"


@pytest.mark.parametrize("colour", [*KIND_COLOURS.values(), OTHER])
def test_each_colour_is_readable_in_both_themes(colour: str) -> None:
    assert contrast(colour, "#ffffff") >= 4.5
    assert contrast(colour, "#111111") >= 3.0


def test_sql_keywords_are_those_in_capitals() -> None:
    html = highlighted("SELECT a.name, day FROM A a -- <b>", "sql")
    assert re.findall(r'keyword">(\w+)', html) == ["SELECT", "FROM"]
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (1234.5, "1,234.5"),
        (0.00012, "0.00012"),
        ({"a": 1}, '{"a": 1}'),
        (flightdesk.log_table().rows[0][0], "2026-11-23 09:00:00Z"),
    ],
)
def test_values_are_written_as_people_write_them(value: object, text: str) -> None:
    assert value_text(value) == text


def test_a_long_table_says_how_much_of_it_is_shown() -> None:
    table = TableView(columns=(ColumnView(name="n"),), rows=tuple((n,) for n in range(1000)))
    assert "the first 200 of 1,000 rows" in table_view(table).html
    assert table_view(table).text.endswith("the first 20 of 1,000 rows")


# the layout


def overlapping(graph: GraphView) -> list[tuple[str, str]]:
    at = place_nodes(graph)
    boxes = sorted(
        (at[n.id][0] - width_of(n.label) / 2, at[n.id][0] + width_of(n.label) / 2, at[n.id][1], n.id)
        for n in graph.nodes
    )
    return [
        (one[3], other[3])
        for index, one in enumerate(boxes)
        for other in boxes[index + 1 :]
        if other[0] < one[1] and abs(one[2] - other[2]) < NODE_HEIGHT
    ]


@pytest.mark.parametrize(
    "graph", [flightdesk.flightdesk_graph(), flightdesk.large_graph(300)], ids=["flightdesk", "300"]
)
def test_no_node_covers_another(graph: GraphView) -> None:
    assert overlapping(graph) == []


def test_users_stand_left_of_what_they_use() -> None:
    graph = flightdesk.flightdesk_graph()
    at = place_nodes(graph)
    assert [edge for edge in graph.edges if at[edge.source][0] >= at[edge.target][0]] == []


def test_cycles_loops_and_strangers_are_laid_out() -> None:
    nodes = tuple(NodeView(id=name, label=name, kind="screen") for name in "abcd")
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a"), ("a", "nowhere")]
    graph = GraphView(nodes=nodes, edges=tuple(EdgeView(source=one, target=other) for one, other in edges))
    assert set(place_nodes(graph)) == set("abcd")
    assert overlapping(graph) == []
    assert neighbours(graph, "a") == (("b",), ("c",))
    LiveGraph(graph, place_nodes(graph))


def test_a_chain_of_thousands_needs_no_deep_stack() -> None:
    nodes = tuple(NodeView(id=str(n), label=str(n), kind="action") for n in range(5000))
    edges = tuple(EdgeView(source=str(n), target=str(n + 1)) for n in range(4999))
    assert len(place_nodes(GraphView(nodes=nodes, edges=edges))) == 5000


def test_the_drawing_is_an_svg_with_every_node() -> None:
    graph = flightdesk.flightdesk_graph()
    root = ET.fromstring(draw_graph(graph))
    assert len(root.findall(".//{http://www.w3.org/2000/svg}rect")) == len(graph.nodes)
    ET.fromstring(draw_graph(hostile_graph()))
    assert graph_summary(graph).endswith(f"{len(graph.edges)} dependencies")


# the live graph, with what the front-end would send


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """A widget that is left to the end of the process writes a traceback there."""
    yield
    import ipywidgets

    ipywidgets.Widget.close_all()


@pytest.fixture
def live() -> LiveGraph:
    graph = flightdesk.flightdesk_graph()
    return LiveGraph(graph, place_nodes(graph))


def click(live: LiveGraph, id_: str) -> None:
    live.canvas._handle_custom_msg({"event": "click", "widget": "node", "data": {"data": {"id": id_}}}, [])


def opacity(live: LiveGraph, selector: str) -> object:
    """Return the opacity that the last rule naming the selector gives."""
    rules = [rule for rule in live.canvas.get_style() if selector in rule["selector"] and "opacity" in rule["style"]]
    return rules[-1]["style"]["opacity"]


def test_a_click_shows_the_element_and_dims_the_others(live: LiveGraph) -> None:
    click(live, "query:departures")
    assert live.state == GraphState(selected="query:departures")
    assert opacity(live, 'node[id="entity:Flight"]') == 1
    assert opacity(live, "node") != 0
    assert "departures" in live._head.value
    assert "SELECT" in live._detail.value
    assert [button.description for button in live._up.box.children] == ["Flight", "Airline", "Airport"]


def test_a_neighbour_can_be_followed_and_buttons_are_used_again(live: LiveGraph) -> None:
    click(live, "query:departures")
    first = live._up.box.children[0]
    first.click()
    assert live.state.selected == "entity:Flight"
    assert live._up.box.children[0] is first
    assert first.description == "Airline"


def test_the_reader_is_reported(live: LiveGraph) -> None:
    picked: list[str] = []
    graph = live.graph
    told = LiveGraph(graph, place_nodes(graph), on_select=picked.append)
    click(told, "role:Supervisor")
    click(told, "no such node")
    assert picked == ["role:Supervisor"]


def test_a_search_lists_what_it_finds(live: LiveGraph) -> None:
    live.search("query totals")
    assert [button.description for button in live._up.box.children] == ["day_totals"]
    assert "1 match" in live._head.value
    live.search("")
    assert live._up.box.children == ()


def test_a_kind_is_hidden_and_shown(live: LiveGraph) -> None:
    live.show_kind("role", False)
    assert {"selector": 'node[kind="role"]', "style": {"display": "none"}} in live.canvas.get_style()
    assert not [node for node in found(live.graph, live.state) if node.kind == "role"]
    live.show_kind("role", True)
    assert live.canvas.get_style() == style_of(live.graph, GraphState())


def test_hostile_names_reach_no_selector_or_page_unescaped() -> None:
    graph = hostile_graph()
    live = LiveGraph(graph, place_nodes(graph), selected=HOSTILE)
    for widget in (live._head, live._detail, live._up_title, live._down_title):
        assert "<img src=x" not in widget.value
        assert "<script" not in widget.value
    assert '\\"alert(1)\\"' in json.dumps(live.canvas.get_style()).replace("\\\\\\", "\\")


def test_a_thousand_elements_are_placed_in_a_moment() -> None:
    """A guard against a layout that has become quadratic, an order of magnitude above what was measured (16 ms)."""
    graph = flightdesk.large_graph(1000)
    start = time.process_time()
    place_nodes(graph)
    assert time.process_time() - start < 1.0


# where a view is shown


def test_a_front_end_is_known_by_what_it_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    assert not has_front_end()
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    assert has_front_end()


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    shown: list[Any] = []

    class Handle:
        def update(self, bundle: object, **_: object) -> None:
            shown.append(("again", bundle))

    def display(thing: object, **options: object) -> Handle | None:
        shown.append(thing)
        return Handle() if options.get("display_id") else None

    monkeypatch.setattr("IPython.display.display", display)
    return shown


def test_a_headless_run_shows_the_static_form_alone(displayed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    graph_view(flightdesk.flightdesk_graph())._ipython_display_()
    assert [set(one) for one in displayed] == [{"text/plain", "text/html"}]


def test_a_front_end_gets_the_static_form_and_the_widget(displayed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    graph_view(flightdesk.flightdesk_graph())._ipython_display_()
    assert len(displayed) == 2
    assert "lowcode-static" in displayed[0]["text/html"]
    assert "lowcode-live" in displayed[1]._dom_classes


def test_progress_is_one_output_that_is_replaced(displayed: list[Any]) -> None:
    progress = live_progress("Deploy", flightdesk.plan_steps(("fe1",)))
    progress._ipython_display_()
    for report in flightdesk.reports(4):
        progress.report(report)
    progress.finish()
    assert len(displayed) >= 2
    assert all(one[0] == "again" for one in displayed[1:])
    assert "stage" in displayed[-1][1]["text/plain"]


def test_a_report_is_a_line_for_a_log() -> None:
    assert (
        progress_line(flightdesk.reports(6, failing=True)[-1])
        == "start    fe2          failed 10.0 s: port 8410 refused the connection for 10 s"
    )


def test_no_view_loads_a_widget_before_it_is_shown() -> None:
    views = ", ".join(f"lowcode_kernel.widgets.{name}_view" for name in ("graph", "plan", "progress", "model", "logs"))
    script = f"import {views}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert not {"ipywidgets", "ipycytoscape", "pygments", "IPython"} & set(done.stdout.split())


def test_the_first_problem_of_a_code_unfolds_to_its_page() -> None:
    view = problems_view(hostile_problems())
    html = view._repr_mimebundle_()["text/html"]
    assert html.count("<details>") == 1
    assert "LK207 select-star" in html
    assert "Name the columns that are used." in html
    assert view.text.count(" [fix]") == 2
    assert "3 warnings (2 with a fix: check --fix)" in html
