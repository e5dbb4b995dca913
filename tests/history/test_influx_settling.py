"""What a server has acknowledged, and what it keeps of that when it dies."""

from pvcharge.history.influx.settling import MOST_BREAKS, Settling


def acknowledge(settling: Settling, seq: int, at_s: float, connection: int = 1) -> int | None:
    """Have something acknowledged at once, and return what has settled by that; -1 if it is in doubt."""
    if settling.is_in_doubt(connection):
        settling.forget()
        return -1
    return settling.acknowledged(seq, at_s, at_s)


def test_what_was_acknowledged_settles_when_the_server_is_alive_later() -> None:
    """Only then is it known that it was not killed in between; and no further than up to then."""
    settling = Settling(20.0)
    assert [acknowledge(settling, seq, float(seq)) for seq in (0, 10, 19, 20, 25, 31)] == [
        *(None, None, None, 0, None, 10)
    ]


def test_time_counts_from_the_answer_to_the_next_question() -> None:
    """A server that answers late may have done its work at any time since it was asked."""
    settling = Settling(20.0)
    settling.acknowledged(1, begun_s=0.0, now_s=5.0)
    assert settling.acknowledged(2, begun_s=24.0, now_s=30.0) is None
    assert settling.acknowledged(3, begun_s=25.0, now_s=25.0) == 1


def test_a_new_connection_leaves_in_doubt_what_has_not_settled() -> None:
    """The old one may have ended with the server; what has settled before is not concerned."""
    settling = Settling(20.0)
    assert acknowledge(settling, 1, 0.0) is None
    assert acknowledge(settling, 2, 19.0, connection=2) == -1
    assert acknowledge(settling, 1, 19.1, connection=2) is None
    assert acknowledge(settling, 3, 20.0, connection=2) is None
    assert acknowledge(settling, 4, 39.1, connection=2) == 1


def test_a_new_connection_is_no_matter_while_nothing_is_in_the_air() -> None:
    """The first one of all, and the first after a failure, are new as well."""
    settling = Settling(20.0)
    assert acknowledge(settling, 1, 0.0) is None
    settling.forget()
    assert acknowledge(settling, 1, 1.0, connection=2) is None


def test_a_server_that_keeps_no_connection_is_trusted_in_the_end() -> None:
    """Else nothing would ever settle where a proxy hangs up after each answer without a word."""
    settling = Settling(20.0)
    outcomes = [acknowledge(settling, number, number * 10.0, connection=number) for number in range(1, 20)]
    assert outcomes.count(-1) == MOST_BREAKS
    assert outcomes[-1] == 17


def test_trust_ends_with_a_connection_that_has_lasted() -> None:
    """From then on a new one means something again."""
    settling = Settling(20.0)
    for number in range(1, 20):
        acknowledge(settling, number, number * 10.0, connection=number)
    for number in range(20, 24):
        acknowledge(settling, number, number * 10.0, connection=20)
    assert acknowledge(settling, 24, 240.0, connection=21) == -1


def test_marks_are_few_however_many_batches() -> None:
    """A long outage is made up for in thousands of them."""
    settling = Settling(20.0)
    settled = [acknowledge(settling, number, number / 100) for number in range(10_000)]
    moves = [seq for seq in settled if seq is not None]
    assert moves == sorted(moves)
    assert 30 < len(moves) < 50
    assert moves[-1] > 10_000 - 2300


def test_without_delay_all_but_the_last_has_settled() -> None:
    """For a server that syncs what it acknowledges the cursor need not wait."""
    settling = Settling(0.0)
    assert [acknowledge(settling, seq, float(seq)) for seq in (1, 2, 3)] == [None, 1, 2]
