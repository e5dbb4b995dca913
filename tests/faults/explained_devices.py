"""Why some faults of the devices need no test of their own."""

ELSEWHERE = {
    "memory pressure": "It is the daemon that may run out of memory: see the process.",
}
SOLAREDGE = {
    "SIGSTOP 5 min": "A cloud that stands still is one that hangs.",
}
MODBUS = {
    "4xx": "Modbus knows no logins and no addresses: its exceptions are those of 5xx and 429.",
    "410": "Nobody retires a register.",
    "expired token": "There is no login.",
    "full disk": "The driver writes no file.",
    "read-only": "The driver writes no file.",
    "clock jump forth": "A register has no time: a reading is dated by our clock, see there.",
    "clock jump back": "A register has no time: a reading is dated by our clock, see there.",
    "DST": "A register has no time.",
}
WATTPILOT = {
    "full disk": "The driver writes no file.",
    "read-only": "The driver writes no file.",
    "clock jump forth": "Its messages carry no time that counts: a status is dated by our clock, see there.",
    "clock jump back": "Its messages carry no time that counts: a status is dated by our clock, see there.",
    "DST": "Its messages carry no time that counts.",
}
EXPLAINED = {
    (component, fault): reason
    for component, reasons in (
        ("solaredge", SOLAREDGE | ELSEWHERE),
        ("modbus", MODBUS | ELSEWHERE),
        ("wattpilot", WATTPILOT | ELSEWHERE),
    )
    for fault, reason in reasons.items()
}
