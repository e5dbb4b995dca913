"""Each route of the API: what it answers, and what it refuses."""

import csv
import io
import json
from datetime import date
from typing import Any

import aiohttp
import pytest

from pvcharge.model import Mode
from pvcharge.web.ports import Ports
from web.house import SESSION, House, open_house
from web.scraping import decision, flow, health, status


async def get(api: aiohttp.ClientSession, path: str, expected: int = 200) -> Any:
    """Return the document at a path."""
    async with api.get(path) as answer:
        assert answer.status == expected, await answer.text()
        kind = "application/json" if expected == 200 else "application/problem+json"
        assert answer.content_type == kind
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")
        return await answer.json(content_type=None)


async def send(
    api: aiohttp.ClientSession, method: str, path: str, body: object = None, expected: int = 200
) -> Any:
    """Send a document, and return the one that comes back."""
    async with api.request(method, path, json=body) as answer:
        assert answer.status == expected, await answer.text()
        return await answer.json(content_type=None)


async def test_state_of_a_house_that_has_just_begun(api: aiohttp.ClientSession) -> None:
    """Nothing is known, and said so by null; what never changes is there."""
    state = await get(api, "state")
    assert (state["role"], state["site"], state["timezone"]) == ("standalone", "home", "Europe/Vienna")
    assert state["at"] == "2026-06-15T12:00:00+00:00"
    assert state["values"]["pv_w"] is None
    assert state["texts"] == {"en": {"reason": None, "source": None}, "de": {"reason": None, "source": None}}
    assert (state["decision_age_s"], state["session"], state["devices"]) == (None, None, [])
    assert state["can"] == ["mode", "boost", "limits", "settings", "history", "learned"]
    assert state["limits"] == {"min_current_a": 6, "max_current_a": 16}
    assert state["level"] == "owner"


async def test_state_of_a_house_that_charges(house: House, api: aiohttp.ClientSession) -> None:
    """Values, sentences in both languages, devices with age and advice, and the session."""
    for event in (flow(), status(), decision(source="roof"), health("roof"), health("box", ok=False)):
        house.keeper.take(event)
    house.keeper.take(health("mqtt", {"reconnects": 2.0}))
    house.keeper.take(health("box writes"))
    house.session = SESSION
    house.pass_time(4)
    state = await get(api, "state")
    assert state["values"]["pv_w"] == 4000.0
    assert state["decision_age_s"] == 4.0
    assert state["texts"]["en"]["reason"].startswith("Following the surplus of 2.9 kW")
    assert "2,9 kW" in state["texts"]["de"]["reason"]
    assert state["session"]["solar_share"] == 0.75
    roof, box, mqtt, writes = state["devices"]
    assert (writes["kind"], writes["age_s"]) == ("charger", None)
    assert (roof["name"], roof["kind"], roof["ok"], roof["age_s"]) == ("roof", "inverter", True, 4.0)
    assert (box["kind"], box["ok"], box["error"]) == ("charger", False, "key=SECRET refused")
    assert box["advice"] == "advice.other"
    assert (mqtt["kind"], mqtt["age_s"], mqtt["facts"]) == ("link", None, {"reconnects": 2.0})


async def test_a_source_that_nobody_speaks_for(house: House, api: aiohttp.ClientSession) -> None:
    """Readings of an inverter at the edge come without a word of its health: their age speaks for it."""
    house.keeper.take(flow(source="far away"))
    [device] = (await get(api, "state"))["devices"]
    assert (device["name"], device["kind"], device["ok"]) == ("far away", "inverter", True)
    house.pass_time(1801)
    [device] = (await get(api, "state"))["devices"]
    assert (device["ok"], device["age_s"]) == (False, 1801.0)


@pytest.mark.parametrize(
    ("path", "body", "done"),
    [
        ("mode", {"mode": "min_surplus"}, ("mode", Mode.MIN_SURPLUS)),
        ("boost", {"on": True, "minutes": 90}, ("boost", True, 90)),
        ("boost", {"on": True, "minutes": None}, ("boost", True, None)),
        ("boost", {"on": False}, ("boost", False, None)),
        ("limits", {"min_current_a": 8}, ("limits", 8, None)),
        ("limits", {"min_current_a": 8, "max_current_a": 10}, ("limits", 8, 10)),
    ],
)
async def test_commands(
    house: House, api: aiohttp.ClientSession, path: str, body: dict[str, object], done: tuple[object, ...]
) -> None:
    """Each is passed on as it is meant, and answered with the state."""
    state = await send(api, "PUT", path, body)
    assert house.steering.done == [done]
    assert state["site"] == "home"


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("mode", {"mode": "fast"}, "mode"),
        ("mode", {}, "mode"),
        ("mode", {"mode": 1}, "mode"),
        ("boost", {"on": 1}, "on"),
        ("boost", {"on": True, "minutes": 0}, "minutes"),
        ("boost", {"on": True, "minutes": 1441}, "minutes"),
        ("boost", {"on": True, "minutes": "90"}, "minutes"),
        ("boost", {"on": False, "minutes": 5}, ""),
        ("limits", {}, ""),
        ("limits", {"min_current_a": 10, "max_current_a": 8}, ""),
        ("limits", {"max_current_a": 20}, "max_current_a"),
        ("limits", {"max_current_a": 8.5}, "max_current_a"),
        ("limits", {"max_current_a": True}, "max_current_a"),
        ("mode", [], ""),
        ("mode", None, ""),
    ],
)
async def test_commands_that_will_not_do(
    house: House, api: aiohttp.ClientSession, path: str, body: object, key: str
) -> None:
    """They are refused by key, and not passed on."""
    async with api.put(path, data=json.dumps(body), headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 422
        problem = await answer.json(content_type=None)
    assert [error["key"] for error in problem["errors"]] == [key]
    assert problem["status"] == 422
    assert house.steering.done == []


async def test_a_key_that_was_misspelt(api: aiohttp.ClientSession) -> None:
    """The one that was meant is named."""
    problem = await send(api, "PUT", "boost", {"on": True, "minute": 5}, 422)
    assert problem["errors"] == [{"key": "minute", "message": "there is no such key; did you mean minutes?"}]


async def test_a_command_that_is_not_in_force(house: House, api: aiohttp.ClientSession) -> None:
    """It is said, and what to look at."""
    house.steering.deaf = True
    problem = await send(api, "PUT", "mode", {"mode": "off"}, 503)
    assert problem["detail"] == "the controller has not carried it out within 5 s; see its log"


async def test_settings(api: aiohttp.ClientSession) -> None:
    """Looked at, changed, taken back; who has seen old ones must look again."""
    assert (await get(api, "settings"))["revision"] == 3
    changes = {"revision": 3, "changes": {"control.import_price": 0.31}}
    changed = await send(api, "PATCH", "settings", changes)
    assert (changed["revision"], changed["can_undo"], changed["settings"][0]["value"]) == (4, True, 0.31)
    await send(api, "PATCH", "settings", changes, 409)
    undone = await send(api, "POST", "settings/undo", {})
    assert (undone["can_undo"], undone["settings"][0]["value"]) == (False, 0.3)
    await send(api, "POST", "settings/undo", {}, 409)


async def test_settings_that_will_not_do(api: aiohttp.ClientSession) -> None:
    """What is wrong is said by key."""
    problem = await send(api, "PATCH", "settings", {"revision": 3, "changes": {"control.phases": 1}}, 422)
    assert problem["errors"] == [{"key": "control.phases", "message": "there is no such setting"}]
    problem = await send(api, "PATCH", "settings", {"revision": 3, "changes": {}}, 422)
    assert [error["key"] for error in problem["errors"]] == ["changes"]


async def test_what_was_learned(api: aiohttp.ClientSession) -> None:
    """Shown, and forgotten."""
    assert (await get(api, "learned"))["learned"]["voltage_v"] == 231.5
    async with api.delete("learned") as answer:
        assert (answer.status, await answer.json()) == (200, {"learned": {"v": 1}})


async def test_a_day(house: House, api: aiohttp.ClientSession) -> None:
    """Today unless another one is asked for."""
    assert (await get(api, "day"))["now"] is not None
    assert (await get(api, "day?date=2026-06-01"))["date"] == "2026-06-01"
    assert house.past.asked == [(None,), (date(2026, 6, 1),)]


async def test_energies(house: House, api: aiohttp.ClientSession) -> None:
    """By day and by month."""
    [row] = (await get(api, "energy?by=month&start=2026-01-01&end=2027-01-01"))["rows"]
    assert row["battery_in_kwh"] is None
    assert house.past.asked == [("month", date(2026, 1, 1), date(2027, 1, 1))]


async def test_sessions(house: House, api: aiohttp.ClientSession) -> None:
    """With a limit, and as a table that holds them all."""
    assert (await get(api, "sessions?limit=1&start=2000-01-01"))["total"] == 300
    async with api.get("sessions.csv?start=2000-01-01") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="pvcharge-sessions.csv"'
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert len(rows) == 300
    assert (rows[0]["started_at"], rows[0]["pauses_s"]) == ("2026-06-15T10:00:00+00:00", "1200.0")
    assert [asked[-1] for asked in house.past.asked if isinstance(asked, tuple)] == [1, None]


async def test_savings_and_log(api: aiohttp.ClientSession) -> None:
    """What charging has brought, and the last lines."""
    assert (await get(api, "savings"))["all"]["saved"] == 0.66
    assert [entry["fields"]["n"] for entry in (await get(api, "log?limit=2"))["entries"]] == ["0", "1"]


async def test_support(api: aiohttp.ClientSession) -> None:
    """A file to download."""
    async with api.get("support") as answer:
        assert (answer.status, answer.content_type) == (200, "application/zip")
        assert "pvcharge-home-20260615.zip" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("day?date=yesterday", "date"),
        ("day?date=1999-12-31", "date"),
        ("day?date=2026-06-01&date=2026-06-02", "date"),
        ("day?day=2026-06-01", "day"),
        ("energy?by=year&start=2026-01-01&end=2027-01-01", "by"),
        ("energy?by=day&start=2026-01-01", "end"),
        ("energy?by=day&start=2026-01-01&end=2026-01-01", ""),
        ("energy?by=day&start=2020-01-01&end=2026-01-01", ""),
        ("sessions?limit=0", "limit"),
        ("sessions?start=2026-01-02&end=2026-01-01", ""),
        ("log?limit=1e3", "limit"),
        ("state?now", "now"),
    ],
)
async def test_queries_that_will_not_do(api: aiohttp.ClientSession, path: str, key: str) -> None:
    """They are refused by key."""
    problem = await get(api, path, 422)
    assert [error["key"] for error in problem["errors"]] == [key]


async def test_a_history_that_cannot_be_read(house: House, api: aiohttp.ClientSession) -> None:
    """It is said; all else goes on."""
    house.past.broken = True
    for path in ("day", "sessions", "savings", "energy?by=day&start=2026-01-01&end=2026-02-01"):
        assert "disk I/O error" in (await get(api, path, 503))["detail"]
    await get(api, "state")


async def test_a_daemon_that_has_nothing_to_offer(house: House) -> None:
    """Such as an edge without a broker: it is said what there is not, and where it is."""
    bare = House(house.folder, ports=Ports())
    async with open_house(bare) as api:
        assert (await get(api, "state"))["can"] == []
        for path in ("day", "sessions", "savings", "settings", "learned", "log", "support"):
            assert "here" in (await get(api, path, 404))["detail"]
        assert "here" in (await send(api, "PUT", "mode", {"mode": "off"}, 404))["detail"]
