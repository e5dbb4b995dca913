"""Whatever the feed brings: the state is one, and JSON that everybody can read."""

import json
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import flows, setpoints, statuses
from pvcharge.model import Decision, DeviceHealth, Distrust, Mode, PowerFlow, Reason
from pvcharge.web.answers import State
from pvcharge.web.live.hub import dump
from web.house import House
from web.scraping import NOON

_texts = st.text(max_size=20)  # with halves of characters, as JSON from afar may hold them
_numbers = st.one_of(st.floats(), st.integers(), st.just(10**400), st.booleans())
_moments = st.integers(-300, 300).map(lambda seconds: NOON + timedelta(seconds=seconds))
_maybe_numbers = st.one_of(st.none(), st.floats())
_decisions = st.builds(
    Decision,
    _moments,
    setpoints,
    st.sampled_from(Reason),
    st.sampled_from(Mode),
    surplus_w=_maybe_numbers,
    needed_w=_maybe_numbers,
    reading_age_s=st.one_of(st.none(), st.floats(0, 1e9)),
    waits_until=st.one_of(st.none(), _moments),
    boost_until=st.one_of(st.none(), _moments),
    source=st.one_of(st.none(), _texts),
    distrust=st.one_of(st.none(), st.sampled_from(Distrust)),
)
_healths = st.builds(
    DeviceHealth,
    _texts,
    _moments,
    st.booleans(),
    _moments,
    st.one_of(st.none(), _texts),
    st.dictionaries(_texts, st.one_of(_texts, _numbers, st.none(), st.just(("a", 1))), max_size=5),
)
_sources = st.builds(
    lambda at, pv_w, source: PowerFlow(at, at, pv_w, source=source), _moments, st.floats(0, 1e5), _texts
)
_events = st.one_of(flows, _sources, statuses, _decisions, _healths, st.integers(0, 10_000))


@given(st.lists(_events, max_size=12))
def test_any_events_make_a_state(events: list[object]) -> None:
    """In UTF-8, with finite numbers, and read back as what it was."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
    for event in events:
        if isinstance(event, int):
            house.pass_time(event)
        else:
            house.keeper.take(event)
        state = house.keeper.state("owner")
        document = state.model_dump(mode="json")
        text = dump(document).encode()

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        assert json.loads(text, parse_constant=refuse) == document
        State.model_validate_json(state.model_dump_json())
