"""The logic of the box, without any network."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import WattpilotBox
from pvcharge.sim.wattpilot.writes import WriteRefusedError

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Life:
    """A box and its time."""

    def __init__(self, **options: Any) -> None:
        self.box = WattpilotBox(**options)
        self.now = NOON
        self.box.tick(self.now)

    def go(self, seconds: float) -> "Life":
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.box.tick(self.now)
        return self

    def __getitem__(self, key: str) -> Any:
        return self.box.properties[key]


def charging(**options: Any) -> Life:
    """Return a box that charges a car with 3 x 16 A."""
    life = Life(**options)
    life.box.plug(Car())
    return life.go(60)


@pytest.mark.parametrize(
    ("frc", "lmo", "status", "allowed"),
    [
        (0, 3, 15, True),
        (0, 4, 17, False),
        (0, 5, 18, False),
        (1, 3, 4, False),
        (1, 4, 4, False),
        (1, 5, 4, False),
        (2, 3, 3, True),
        (2, 4, 3, True),
        (2, 5, 3, True),
    ],
)
def test_force_state_and_logic_mode(frc: int, lmo: int, status: int, allowed: bool) -> None:  # noqa: FBT001
    """Force beats the mode; neutral leaves it to the mode, and Eco without an inverter waits."""
    life = charging()
    life.box.press("lmo", lmo)
    life.box.press("frc", frc)
    life.go(60)
    assert (life["modelStatus"], life["alw"]) == (status, allowed)
    assert life["acu"] == (16 if allowed else None)
    assert (life.box.power_w > 0) is allowed


def test_settings_show_effect_at_the_next_tick() -> None:
    """A write is stored at once; the logic follows a second later, the car within seconds."""
    life = charging()
    life.box.set_value("frc", 1)
    assert (life["frc"], life["alw"], life["modelStatus"]) == (1, True, 15)
    life.go(1)
    assert (life["alw"], life["modelStatus"], life["car"]) == (False, 4, 2)
    life.go(6)
    assert (life["car"], life.box.power_w) == (4, 0)


def test_car_states_of_a_charge() -> None:
    """Idle, plugged in, charging, paused, resumed, unplugged."""
    life = Life()
    assert (life["car"], life["acu"]) == (1, None)
    life.box.plug(Car())
    life.go(10)
    assert (life["car"], life["alw"], life["acu"]) == (3, True, 16)
    life.go(20)
    assert life["car"] == 2
    life.box.press("frc", 1)
    assert life.go(10)["car"] == 4
    life.box.press("frc", 0)
    assert life.go(5)["car"] == 3
    assert life.go(60)["car"] == 2
    life.box.unplug()
    assert life.go(1)["car"] == 1


def test_full_car_reads_complete() -> None:
    """A car that ends by itself is complete although it may charge."""
    life = Life()
    life.box.plug(Car(capacity_wh=5000, needs_wh=500))
    life.go(1200)
    assert (life["car"], life["alw"]) == (4, True)
    assert life["wh"] == pytest.approx(500, abs=5)
    assert life["cdi"]["type"] == 1


def test_unplugging_resets() -> None:
    """When the car leaves, the force state and the transaction end; the settings stay."""
    life = charging()
    for key, value in (("frc", 1), ("psm", 1), ("amp", 8), ("lmo", 4), ("trx", 0)):
        life.box.press(key, value)
    life.go(10)
    life.box.unplug()
    life.go(2)
    assert [life[key] for key in ("frc", "trx", "car", "acu")] == [0, None, 1, None]
    assert [life[key] for key in ("psm", "amp", "lmo", "cbl")] == [1, 8, 4, None]
    assert life.box.power_w == 0


def test_a_replugged_car_starts_by_itself() -> None:
    """Because the force state went with the last car, the next one charges unless told otherwise."""
    life = charging()
    life.box.press("frc", 1)
    life.box.unplug()
    life.box.plug(Car())
    assert life.go(60)["car"] == 2


def test_only_one_car_at_a_cable() -> None:
    """A second car needs another cable."""
    life = charging()
    with pytest.raises(RuntimeError, match="unplug it first"):
        life.box.plug(Car())


def test_phase_switch_under_load_pauses() -> None:
    """Under load the box stops the car for psmd, switches and goes on by itself."""
    life = charging()
    life.box.press("psm", 1)
    life.go(2)
    assert (life["modelStatus"], life["alw"], life["acu"], life["fsp"]) == (23, False, None, False)
    life.go(6)
    assert (life["car"], life.box.power_w) == (4, 0)
    life.go(4)
    assert (life["modelStatus"], life["alw"], life["fsp"]) == (15, True, True)
    life.go(60)
    assert life["pnp"] == 1
    assert life["pha"] == [True, False, False, True, True, True]
    assert life.box.power_w == pytest.approx(16 * 230 * 0.98)


def test_phase_switch_without_load_is_immediate() -> None:
    """With an open contactor nothing has to be paused."""
    life = Life()
    life.box.press("psm", 1)
    life.go(1)
    assert (life["fsp"], life["modelStatus"]) == (True, 15)
    life.box.press("psm", 2)
    assert life.go(1)["fsp"] is False


def test_some_firmware_loses_the_car_during_a_phase_switch() -> None:
    """While it switches it may say that no car is there."""
    life = charging(idle_while_switching=True)
    life.box.press("psm", 1)
    assert life.go(8)["car"] == 1
    assert life.go(60)["car"] == 2


def test_simulated_unplug_wakes_a_sleepy_car() -> None:
    """With `su` the pilot goes off before the box resumes, and a car asleep takes that for a replug."""
    life = Life()
    life.box.plug(Car(sleeps_after=1))
    life.go(60)
    life.box.press("frc", 1)
    life.go(10)
    life.box.press("frc", 0)
    assert life.go(120).box.power_w == 0
    life.box.press("su", True)  # noqa: FBT003 - a value of the protocol
    life.box.press("frc", 1)
    life.go(10)
    life.box.press("frc", 0)
    assert life.go(3)["modelStatus"] == 22
    assert life.go(60).box.power_w > 0


@pytest.mark.parametrize(
    ("limits", "cable_a", "effective_a"),
    [({}, 32, 16), ({"amp": 9}, 32, 9), ({"ama": 10}, 32, 10), ({}, 13, 13), ({"amt": 8}, 32, 8)],
)
def test_least_limit_counts(limits: dict[str, int], cable_a: int, effective_a: int) -> None:
    """The car may draw the least of what is set, installed, in the cable and cool enough."""
    life = Life()
    life.box.properties.update(limits)
    life.box.plug(Car(), cable_a=cable_a)
    life.go(60)
    assert life["acu"] == effective_a
    assert life["nrg"][4] == effective_a


def test_access_control_waits_for_a_transaction() -> None:
    """With acs=1 nothing flows until trx is set."""
    life = Life()
    life.box.press("acs", 1)
    life.box.plug(Car())
    assert life.go(60)["modelStatus"] == 2
    life.box.press("trx", 0)
    assert life.go(60)["car"] == 2


def test_energy_limit_ends_the_charge() -> None:
    """At dwo the box stops."""
    life = charging()
    life.box.press("dwo", 1000)
    life.go(900)
    assert life["modelStatus"] == 6
    assert life["wh"] == pytest.approx(1000, abs=20)


def test_error_stops_and_recovers() -> None:
    """An error shows as such, stops the car, and ends."""
    life = charging()
    life.box.fail(9)
    life.go(10)
    assert [life[key] for key in ("err", "modelStatus", "car", "alw")] == [9, 26, 5, False]
    assert life.box.power_w == 0
    life.box.fail(0)
    assert life.go(60)["car"] == 2


def test_reboot() -> None:
    """A reboot takes the network down for a while, stops the car, counts, and keeps the settings."""
    life = charging(boot_s=10)
    life.box.press("amp", 9)
    before = life["rbc"]
    life.box.set_value("rst", True)  # noqa: FBT003 - a value of the protocol
    assert not life.go(8).box.online
    assert life.box.power_w == 0
    assert life.go(60).box.online
    assert (life["rbc"], life["amp"], life["rbt"]) == (before + 1, 9, 68_000)
    assert life["car"] == 2


def test_measures_what_the_car_draws() -> None:
    """`nrg` holds volts, amps, watts and power factors of each phase, and the total."""
    life = charging()
    nrg = life["nrg"]
    assert len(nrg) == 16
    assert all(228 <= volt <= 232 for volt in nrg[:3])
    assert nrg[4:11] == [16, 16, 16, 3610, 3610, 3610, 0]
    assert nrg[11] == pytest.approx(life.box.power_w, abs=1)
    assert nrg[12:] == [98, 98, 98, 0]
    assert all(isinstance(volt, int) for volt in nrg[:3])


def test_two_phase_car() -> None:
    """A car with two phases leaves the third alone, although the contactor closes it."""
    life = Life()
    life.box.plug(Car(phases=2))
    life.go(60)
    assert (life["pnp"], life["pha"][:3]) == (2, [True, True, True])
    assert life["nrg"][4:7] == [16, 16, 0]


def test_counts_energy() -> None:
    """Session and lifetime count the same power; a new session starts at zero."""
    life = charging()
    life.go(3600)
    assert life["wh"] == pytest.approx(10_940, abs=10)
    assert life["eto"] == int(life["wh"])
    life.box.unplug()
    life.box.plug(Car())
    life.go(5)
    assert life["wh"] == 0
    assert life["eto"] == life["etop"] > 10_000


def test_noise_of_the_session_counter() -> None:
    """With the noise of real boxes the session energy is below zero first, and steps back at times."""
    life = Life(wh_noise=True)
    life.box.plug(Car())
    assert life["wh"] == -0.003
    seen = [life.go(2)["wh"] for _ in range(6)]
    assert min(seen) < -0.003
    assert any(later < earlier for earlier, later in pairwise(seen))


def test_catches_up_after_a_jump_of_the_clock() -> None:
    """Many seconds at once are lived one by one, but never more than an hour of them."""
    step, jump = charging(), charging()
    for _ in range(300):
        step.go(1)
    jump.go(300)
    assert step["wh"] == jump["wh"]
    before = jump["eto"]
    jump.go(86_400)
    assert jump["eto"] - before == pytest.approx(10_820, abs=100)
    assert jump["utc"].startswith("2026-06-02T12:06")


def test_time_stamps_of_both_generations() -> None:
    """Old firmware has microseconds behind a second dot; local time names its offset."""
    assert Life()["utc"] == "2026-06-01T12:00:00.000.000"
    assert Life(flex=True)["utc"] == "2026-06-01T12:00:00.000"
    assert Life()["loc"].endswith("T13:00:00.000.000 +01:00")


def test_flex_shows_its_cable_as_an_object() -> None:
    """The Flex has `cll` where older boxes have `cbl`, and floats where they have integers."""
    life = charging(flex=True)
    assert life["cll"]["cableCurrentLimit"] == 32
    assert life["cll"]["requestedCurrent"] == 16
    assert isinstance(life["nrg"][0], float)
    assert "cbl" not in life.box.properties


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("amp", 5, "amp: failed: Value 5 exceeds range 6 to 16 (5)"),
        ("amp", 17, "amp: failed: Value 17 exceeds range 6 to 16 (17)"),
        ("amp", 10.5, "amp: failed: wrong type"),
        ("amp", True, "amp: failed: wrong type"),
        ("amp", None, "amp: failed: wrong type"),
        ("frc", 3, "frc: failed: Value 3 exceeds range 0 to 2 (3)"),
        ("lmo", 2, "lmo: failed: Value 2 exceeds range 3 to 5 (2)"),
        ("fup", 1, "fup: failed: wrong type"),
        ("fna", 1, "fna: failed: wrong type"),
        ("car", 2, "car: failed: read only"),
        ("amx", 8, "amx: failed: unknown key"),
    ],
)
def test_refuses_bad_values(key: str, value: Any, message: str) -> None:
    """A refused value changes nothing, and the text says why."""
    life = Life()
    before = dict(life.box.properties)
    with pytest.raises(WriteRefusedError) as refused:
        life.box.set_value(key, value)
    assert str(refused.value) == message
    assert life.box.properties == before


@pytest.mark.parametrize(
    ("key", "value"), [("amp", 32), ("dwo", None), ("dwo", 1500.5), ("bam", 0), ("fna", "Hof")]
)
def test_takes_good_values(key: str, value: Any) -> None:
    """The Flex takes up to 32 A; limits may be lifted with null."""
    life = Life(flex=True)
    life.box.set_value(key, value)
    assert life[key] == value
