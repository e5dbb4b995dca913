"""The tests of the safety rules can fail: each is run with its rule broken.

One fault for each rule, in hard limits where there are any. `python bench/mutate.py` tries hundreds.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BREAK = Path(__file__).parent / "support" / "broken.py"
NOTICED, FINE = 1, 0  # how pytest ends: a test has failed, all have passed

# The module, what stands in it, what stands there instead, and the test of the rule.
RULES = {
    "1: the charger's own limit holds": (
        "control.currents",
        "min(highest_a, status.max_current_a)",
        "max(highest_a, status.max_current_a)",
        "control/test_safety_rules.py::test_rule_1_never_outside_the_limits",
    ),
    "2: no write before a fresh status": (
        "tasks.charger_task",
        "self._status.put(None)",
        "self._status.value",
        "tasks/test_charger_task.py::test_nothing_is_written_before_a_status_of_this_connection",
    ),
    "3: readings age out": (
        "control.freshness",
        "age_s <= usual_s + 3.0",
        "age_s >= usual_s + 3.0",
        "control/test_safety_rules.py::test_rule_3_stale_is_never_followed",
    ),
    "4: a lease ends": (
        "tasks.charger_task",
        "self._clock.now() >= lease.expires",
        "self._clock.now() == lease.expires",
        "tasks/test_task_safety.py::test_dead_controller_leaves_no_car_charging",
    ),
    "4: at the edge too, by its own clock": (
        "mqtt.bridge",
        "age_s >= lease.duration_s",
        "age_s == lease.duration_s",
        "mqtt/test_bridge_safety.py::test_no_setpoint_older_than_its_lease_is_put_and_seq_never_goes_back",
    ),
    "5: a start takes over what it finds": (
        "control.controller",
        "self._setpoint = _found(status)",
        "self._setpoint = NO_CHARGE",
        "control/test_safety_rules.py::test_rule_5_a_start_changes_nothing",
    ),
    "6: the driver's own hand wins": (
        "control.hand",
        "changed_at == self.acknowledged_at",
        "changed_at != self.acknowledged_at",
        "control/test_safety_rules.py::test_rule_6_the_hand_wins",
    ),
    "6: over a restart too": (
        "control.controller",
        "self.hand.recall(kept.lately.hand_acknowledged_at)",
        "self.hand.acknowledged_at",
        "control/test_restart.py::test_a_change_by_hand_is_respected_on",
    ),
    "7: minimum times hold": (
        "control.limits",
        "if now_s < free_s else None",
        "if now_s > free_s else None",
        "control/test_safety_rules.py::test_rule_7_limits_on_switching_hold_in_every_mode",
    ),
    "7: over a restart too": (
        "control.controller",
        "self._limits.recall(kept.lately.switches)",
        "self._limits.kept()",
        "control/test_restart.py::test_starts_before_it_count",
    ),
}

# The ordinary run has all of them pass; here it is enough that whatever breaks them is the fault.
QUICK = {
    "control/test_safety_rules.py::test_rule_5_a_start_changes_nothing",
    "tasks/test_charger_task.py::test_nothing_is_written_before_a_status_of_this_connection",
}


def outcomes(faults: list[tuple[str, str, str, str]]) -> list[tuple[int, str]]:
    """Run the test of each fault with it, and return how that ended and what was said."""
    asked = [(f"pvcharge.{module}", before, after, f"tests/{test}") for module, before, after, test in faults]
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-B", str(BREAK)],
        input=json.dumps(asked),
        cwd=ROOT,
        env=os.environ | {"CI": "1", "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    return [(code, said) for code, said in json.loads(done.stdout)]


def test_broken_rules_are_noticed() -> None:
    """Each rule's own test fails with the fault, and for no other reason than that."""
    for rule, (code, said) in zip(RULES, outcomes(list(RULES.values())), strict=True):
        assert code == NOTICED, f"{rule}\n{said}"
        assert f"{RULES[rule][3].rpartition('::')[2]}" in said, rule
        assert "1 failed" in said, f"{rule}\n{said}"


def test_whole_rules_are_not() -> None:
    """With a text replaced by itself, the same way of running finds nothing."""
    whole = [(module, before, before, test) for module, before, _, test in RULES.values()]
    for code, said in outcomes([fault for fault in whole if fault[3] in QUICK]):
        assert code == FINE, said
