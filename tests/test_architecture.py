"""The house rules, read from the source: imports run one way, control is pure, files stay small."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pvcharge

SRC = Path(pvcharge.__file__).parent
LONGEST_FILE = 400

# Each room and what of ours it may import besides itself; a module belongs to the longest name that fits.
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "clock": {"model"},
    "words": {"model"},
    "concealed": set(),
    "texts": set(),
    "hosts": set(),
    "tls": set(),
    "heap": set(),
    "log": {"concealed"},
    "storage": set(),
    "toml": set(),
    "secret_files": set(),
    "problems": {"secret_files", "texts"},
    "control": {"model"},
    "drivers.base": {"model"},
    "drivers": {"model", "drivers.base", "storage"},
    "drivers.solaredge": {"model", "concealed", "drivers.base", "hosts", "storage", "texts"},
    "drivers.solaredge_modbus": {"model", "drivers.base", "hosts"},
    "drivers.wattpilot": {"model", "drivers.base", "hosts", "storage", "texts"},
    "history": {"model", "concealed", "hosts", "storage", "texts", "tls"},
    "web": {"", "hosts", "model", "storage", "texts", "values", "words"},
    "sim": {"model"},
    "values": {"model", "words"},
    "mqtt": {"model", "values", "words", "drivers.base", "hosts", "texts", "tls"},
    "tasks": {"model", "control", "drivers.base", "problems", "storage"},
    "config": {
        "control",
        "drivers.base",
        "history",
        "log",
        "mqtt",
        "problems",
        "secret_files",
        "tasks",
        "web",
    },
    "yardsticks": {"model", "control"},
    "simulation": {"model", "control", "sim", "yardsticks"},
    "recorded": {"model", "control", "history", "sim", "simulation"},
    "replay": {"model", "control", "history", "recorded", "sim", "simulation"},
    "front": {"model", "config", "mqtt", "tasks", "values"},
    "page": {
        "",
        "model",
        "concealed",
        "config",
        "control",
        "history",
        "log",
        "mqtt",
        "tasks",
        "texts",
        "values",
        "web",
        "words",
    },
    "remember": {"", "model", "config", "drivers.base", "history", "tasks"},
    "app": {
        "model",
        "config",
        "control",
        "drivers.base",
        "front",
        "history",
        "mqtt",
        "page",
        "remember",
        "tasks",
        "web",
    },
    "status_line": {"model", "words"},
    "reload": {"", "config", "control", "log", "tasks"},
    "service": {"model", "clock", "app", "reload", "status_line", "tasks"},
    "demo": {
        "",
        "model",
        "app",
        "clock",
        "config",
        "control",
        "drivers.solaredge",
        "history",
        "mqtt",
        "problems",
        "sim",
        "toml",
        "words",
    },
    "cli": {"*"},
    "__main__": {"cli"},
    "": set(),
}
# What makes a difference between two runs, or lets the world in.
IMPURE = {
    *("aiohttp", "aiomqtt", "asyncio", "concurrent", "select", "socket", "ssl", "websockets"),
    *("logging", "os", "pathlib", "sqlite3", "structlog", "subprocess", "sys"),
    *("multiprocessing", "random", "secrets", "threading", "time", "uuid"),
}
IMPURE_CALLS = {"datetime.now", "datetime.today", "datetime.utcnow", "input", "open", "print"}


def modules() -> dict[str, Path]:
    """Return all modules by their name within the package, that of the package itself being empty."""
    found = {}
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda name: name or "pvcharge")


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of all that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    """Return which of our modules a file imports."""
    names = set()
    for name in imported(path):
        package, _, inner = name.partition(".")
        if package == "pvcharge":
            while inner not in MODULES:
                inner = inner.rpartition(".")[0]
            names.add(inner)
    return names


def room_of(module: str) -> str:
    """Return the room that a module belongs to."""
    return max((room for room in MAY_IMPORT if is_in(module, room)), key=len)


def is_in(module: str, room: str) -> bool:
    """Whether a module is a room or lies in it; nothing but the package itself lies in the empty one."""
    return module == room or (bool(room) and module.startswith(f"{room}."))


@each_module
def test_imports_run_one_way(module: str) -> None:
    """A room imports itself and the floors below that it may know, nothing above and nothing beside."""
    room = room_of(module)
    allowed = MAY_IMPORT[room]
    if "*" in allowed:
        return
    # Of a package that just holds rooms, such as `drivers`, its `__init__` says nothing.
    strangers = {
        name
        for name in ours(MODULES[module])
        if name and room_of(name) != room and room_of(name) not in allowed
    }
    assert strangers == set(), f"{module} must not import {strangers}"


@each_module
def test_nobody_imports_the_commands(module: str) -> None:
    """`cli` stands above all."""
    if room_of(module) not in ("cli", "__main__"):
        assert not any(is_in(name, "cli") for name in ours(MODULES[module]))


def test_imports_make_no_cycle() -> None:
    """Modules can be put in an order in which each needs only those before it."""
    graph = {name: ours(path) - {name} for name, path in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("model") < order.index("control.controller") < order.index("app")


@pytest.mark.parametrize("module", [name for name in MODULES if is_in(name, "control")])
def test_control_is_pure(module: str) -> None:
    """No I/O, no asyncio, no clock, no chance, no logging: the same inputs give the same decisions."""
    path = MODULES[module]
    assert {name.partition(".")[0] for name in imported(path)}.isdisjoint(IMPURE)
    calls = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    }
    assert calls.isdisjoint(IMPURE_CALLS)


@each_module
def test_file_can_be_held_in_one_head(module: str) -> None:
    """What grows longer is two things."""
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) < LONGEST_FILE


def test_rules_are_not_blind() -> None:
    """The reading of imports finds what is there: the rules above would see a stranger."""
    assert {"config", "drivers.base", "tasks.supervisor"} <= ours(MODULES["app"])
    assert room_of("drivers.solaredge.client") == "drivers.solaredge"
    assert room_of("drivers.base") == "drivers.base"
    assert "sim" not in MAY_IMPORT["app"]
