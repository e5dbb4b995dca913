"""Why some faults make no sense for broker, InfluxDB, disk, clock and process: for the table in the docs."""

_NO_HTTP = "does not speak HTTP"
_NO_CLOCK_MESSAGE = "A clock sends no messages; it can only be wrong, see the jumps."
_NO_FILE_MESSAGE = "A file is read and written by us alone, not sent."
_NO_PROCESS_MESSAGE = "A process receives nothing but from the other components; see there."
_SQLITE_ORDER = (
    "Every batch is one transaction with numbers of its own; a disk cannot put it twice or elsewhere."
)

EXPLAINED: dict[tuple[str, str], str] = {
    ("broker", "4xx"): f"MQTT {_NO_HTTP}; its refusals are those under expired token and refuse.",
    ("broker", "5xx"): f"MQTT {_NO_HTTP}; a broker that cannot serve us refuses or hangs up, see refuse.",
    ("broker", "429"): f"MQTT {_NO_HTTP}; a broker with a quota hangs up on us, see drop mid-message.",
    ("broker", "410"): f"MQTT {_NO_HTTP}; a topic cannot be gone for good.",
    (
        "broker",
        "read-only",
    ): "What it cannot save for lack of room it cannot save on a read-only disk: see full disk.",
    ("broker", "DST"): "All times in messages are in UTC.",
    ("broker", "memory pressure"): "The system ends it, as by kill -9: see there.",
    ("influxdb", "clock jump forth"): "Points carry our times, not the server's.",
    ("influxdb", "clock jump back"): "Points carry our times, not the server's.",
    ("influxdb", "memory pressure"): "It answers 5xx or is ended by the system: see 5xx and kill -9.",
    ("disk", "huge answer"): "Files hold what the daemon has written, and that is bounded by what is kept.",
    ("disk", "half-open socket"): "A disk has no socket; one on the network that is away hangs, see there.",
    ("disk", "duplicate"): _SQLITE_ORDER,
    ("disk", "reorder"): _SQLITE_ORDER,
    ("disk", "4xx"): _NO_FILE_MESSAGE,
    ("disk", "5xx"): _NO_FILE_MESSAGE,
    ("disk", "429"): _NO_FILE_MESSAGE,
    ("disk", "410"): _NO_FILE_MESSAGE,
    ("disk", "expired token"): "A disk asks for no login; who may not write there is under refuse.",
    ("clock", "refuse"): "The system's clock can always be read.",
    ("clock", "hang"): "Reading the clock takes no time; a computer that stands still is under SIGSTOP.",
    ("clock", "slow"): "A clock that is slow by a little is corrected in small steps, which are left alone.",
    ("clock", "garbage"): "A nonsensical time, such as 1970, is put right by a jump: see clock jump forth.",
    **{
        ("clock", fault): _NO_CLOCK_MESSAGE
        for fault in (
            *("drop mid-message", "wrong type", "huge answer", "half-open socket", "duplicate", "reorder"),
            *("4xx", "5xx", "429", "410", "expired token"),
        )
    },
    ("clock", "full disk"): "The clock needs no disk.",
    ("clock", "read-only"): "The clock needs no disk.",
    (
        "clock",
        "kill -9",
    ): "A restart reads the clock anew; what was kept before is under disk, clock jump back.",
    ("clock", "memory pressure"): "The clock needs no memory.",
    ("process", "refuse"): "A daemon that does not start is started again by systemd, see hang and kill -9.",
    ("process", "slow"): "A process that gets little time stands still again and again: see SIGSTOP.",
    **{
        ("process", fault): _NO_PROCESS_MESSAGE
        for fault in (
            *("drop mid-message", "garbage", "wrong type", "huge answer", "half-open socket", "reorder"),
            *("4xx", "5xx", "429", "410", "expired token"),
        )
    },
    ("process", "full disk"): "See disk.",
    ("process", "read-only"): "See disk.",
    ("process", "clock jump forth"): "See clock.",
    ("process", "clock jump back"): "See clock.",
    ("process", "DST"): "See clock.",
}
