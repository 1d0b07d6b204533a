"""The application that the browser tests show: a flight desk with every kind of component and input."""

from lowcode_kernel.application import Application
from lowcode_kernel.assembly import assemble
from lowcode_kernel.generators.layers.web import screen_views, web_files
from lowcode_kernel.language import read_cell
from lowcode_kernel.places import Place

CELLS = (
    '%app flightdesk --title "Flight desk"',
    "%role Dispatcher\n%role Supervisor",
    "%%entity Airline\nkey(code)\ncode: Text(2)\nname: Text(80)",
    "%%entity Airport\nkey(code)\ncode: Text(3)\nname: Text(80)",
    """%%entity Flight
carrier: Airline
number: Integer
origin: Airport
destination: Airport
departs_at: DateTime
departure_delay: Integer | None
distance: Integer
gate: Text(4) | None""",
    "%%entity Note\nflight: Flight\ntext: Text(500)\nwritten_by: User\nwritten_at: DateTime\nresolved: Boolean = False",
    """%%query departures(origin: Airport, day: Date, late: Boolean)
SELECT f.id, f.departs_at, f.number, a.name AS airline, d.name AS destination, f.departure_delay, f.gate
FROM Flight f JOIN Airline a ON a.code = f.carrier JOIN Airport d ON d.code = f.destination
WHERE f.origin = :origin AND f.departs_at >= :day AND (NOT :late OR f.departure_delay > 15)""",
    """%%query delay_by_hour(origin: Airport, day: Date)
SELECT EXTRACT(hour FROM f.departs_at) AS hour, ROUND(AVG(f.departure_delay), 1) AS delay
FROM Flight f WHERE f.origin = :origin AND f.departs_at >= :day GROUP BY EXTRACT(hour FROM f.departs_at)""",
    """%%query day_totals(origin: Airport, day: Date)
SELECT COUNT(*) AS flights, COUNT(*) FILTER (WHERE f.departure_delay > 15) AS late,
COUNT(*) FILTER (WHERE f.departure_delay IS NULL) AS cancelled, ROUND(AVG(f.departure_delay), 1) AS average_delay
FROM Flight f WHERE f.origin = :origin AND f.departs_at >= :day""",
    """%%query flight_notes(flight: Flight)
SELECT n.written_at, u.name AS author, n.text, n.resolved
FROM Note n JOIN User u ON u.id = n.written_by WHERE n.flight = :flight""",
    "%%query all_flights()\nSELECT f.id, f.number, f.distance, f.gate FROM Flight f",
    """%%action write_note(flight: Flight, text: Text(500), urgent: Boolean = False) -> Note
require(text != "", "a note needs a text")
return Note.create(flight=flight, text=text, written_by=user.id, written_at=now())""",
    """%%action move_flight(flight: Flight, gate: Text(4), reason: Choice("crew", "weather"), at: DateTime | None)
Flight.update(flight, gate=gate)""",
    "%%action cancel_flight(flight: Flight)\nFlight.update(flight, departure_delay=None)",
    """%%screen departures "/departures/{origin}" (origin: Airport)
day = date_input("Day", default=date(2013, 1, 1))
late = checkbox("Late only")
totals = day_totals(origin=origin, day=day)[0]
title(f"Departures of {origin.name}")
metric("Flights", totals.flights)
metric("Late", totals.late)
metric("Cancelled", totals.cancelled)
metric("Average delay", totals.average_delay, unit="min")
chart(delay_by_hour(origin=origin, day=day), x=hour, y=delay, label="Average delay by hour of departure")
table(departures(origin=origin, day=day, late=late),
    columns=[column(departs_at, "Scheduled"), column(number, "Flight"), airline, destination,
        column(departure_delay, "Delay (min)"), gate],
    row=link(flight, flight=row.id), empty="No departures on this day")""",
    """%%screen flight "/flights/{flight}" (flight: Flight)
title(f"{flight.carrier.name} {flight.number}")
details(flight, attributes=[origin, destination, departs_at, departure_delay, distance, gate])
button("Write a note", write_note, flight=flight, ask=[text, urgent])
button("Move to another gate", move_flight, flight=flight, ask=[gate, reason, at])
button("Cancel the flight", cancel_flight, flight=flight, confirm="The passengers will be told at once.")
link("All departures of the day", departures, origin=flight.origin)
section("Notes")
table(flight_notes(flight=flight), columns=[written_at, author, text, resolved], empty="Nobody wrote a note yet")""",
    """%%screen flights "/flights"
kind = choice_input("Kind", ["bar", "line"], default="line")
word = text_input("Word")
airport = entity_input("Airport", Airport)
title("All flights")
text("Every flight that the desk knows.")
if kind == "line":
    chart(delay_by_hour(origin="JFK", day=date(2013, 1, 1)), x=hour, y=delay, kind="line")
else:
    chart(delay_by_hour(origin="JFK", day=date(2013, 1, 1)), x=hour, y=delay)
table(all_flights(), label="Flights", row=link(flight, flight=row.id))""",
    """%%screen start "/"
title("Flight desk")
link("John F. Kennedy", departures, origin="JFK")
link("LaGuardia", departures, origin="LGA")""",
)


def application() -> Application:
    """Return the model of the cells, which has no problems."""
    model = assemble([read_cell(text, Place(cell=number)) for number, text in enumerate(CELLS, 1)])
    assert not model.problems, "\n".join(map(str, model.problems))
    return model.application


def files() -> dict[str, bytes]:
    """Return the generated browser files by their path under `flightdesk/web`."""
    app = application()
    return {file.path.removeprefix("flightdesk/web/"): file.content for file in web_files(app, screen_views(app))}
