"""The command line as a whole: commands, exit codes, and what is imported for them."""

import json
from pathlib import Path

import pytest

from cli.runner import Run, WriteConfig, finish, start, start_python
from pvcharge import __version__
from pvcharge.app import App
from pvcharge.cli import run as run_command
from pvcharge.cli.main import COMMANDS
from pvcharge.tasks.supervisor import TaskCrashedError


@pytest.mark.parametrize("arguments", [["version"], ["--version"], ["--version", "run"], ["--vers"]])
def test_version(pvcharge: Run, arguments: list[str]) -> None:
    """However it is asked for."""
    result = pvcharge(*arguments)
    assert (result.code, result.out, result.err) == (0, f"pvcharge {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["-h", "run"]])
def test_help_names_every_command(pvcharge: Run, arguments: list[str]) -> None:
    """With a line about each."""
    result = pvcharge(*arguments)
    assert result.code == 0
    for name, summary in COMMANDS.items():
        assert f"{name} " in result.out
        assert summary.split(":")[0] in " ".join(result.out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(pvcharge: Run, name: str) -> None:
    """It says what the command does before its options."""
    result = pvcharge(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"usage: pvcharge {name} ")
    summary = COMMANDS[name]
    assert f"{summary[0].upper()}{summary[1:]}." in " ".join(result.out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["rum"], "invalid choice: 'rum'"),
        ([""], "invalid choice: ''"),
        (["-1", "run"], "invalid choice: '-1'"),
        (["run", "now"], "unrecognized arguments: now"),
        (["run", "--probe"], "unrecognized arguments: --probe"),
        (["--bogus", "version"], "unrecognized arguments: --bogus"),
        (["-c", "pv.toml", "run"], "invalid choice: 'pv.toml'"),
        (["check", "-c"], "expected one argument"),
        (["demo", "--speed", "0"], "0: must be above 0"),
        (["demo", "--speed", "inf"], "inf: must be above 0"),
        (["demo", "--speed", "fast"], "invalid positive value: 'fast'"),
        (["demo", "--speed", "601"], "--speed 601: the simulators cannot follow above 600"),
        (["demo", "--port", "65536"], "65536: must be from 1 to 65535"),
        (["demo", "--charger", "tesla"], "invalid choice: 'tesla'"),
        (["login"], "the following arguments are required: service"),
        (["simulate", "--skip-days", "1e300"], "without --trace there are 366 days"),
        (["simulate", "--trace", "x", "--skip-days", "-1"], "-1: must be 0 or more"),
        (["simulate", "--trace", "x", "--source", "telepathy"], "'modbus', 'live', 'quarter'"),
    ],
)
def test_usage_errors_exit_2(pvcharge: Run, arguments: list[str], message: str) -> None:
    """With what is wrong on stderr, and nothing on stdout."""
    result = pvcharge(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.mark.parametrize("command", [["run"], ["check"], ["login", "solaredge"]])
def test_a_configuration_that_cannot_be_used_exits_78(
    pvcharge: Run, tmp_path: Path, command: list[str]
) -> None:
    """So that systemd does not start the service again and again."""
    path = tmp_path / "absent.toml"
    result = pvcharge(*command, "--config", path)
    assert (result.code, result.out) == (78, "")
    assert result.err == f"{path}: no such file; copy config.example.toml there and edit it\n"


def test_the_environment_names_the_configuration(
    pvcharge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --config, $PVCHARGE_CONFIG says where it is."""
    monkeypatch.setenv("PVCHARGE_CONFIG", str(tmp_path / "elsewhere.toml"))
    assert pvcharge("check").err.startswith(f"{tmp_path}/elsewhere.toml: ")


def test_a_crash_exits_1_and_says_why(
    pvcharge: Run, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is in the log already; systemd starts the service afresh."""

    async def crash(_self: App) -> None:
        raise ExceptionGroup("tasks", [TaskCrashedError("task 'charger' crashed 5 times")])

    monkeypatch.setattr(App, "run", crash)
    result = pvcharge("run", "-c", write_config())
    assert result.code == 1
    assert "pvcharge: stopped by a fault: task 'charger' crashed 5 times" in result.err
    assert "planted" not in result.err


def test_ctrl_c_exits_130(pvcharge: Run, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other program does, without a traceback."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "App", interrupt)
    result = pvcharge("run", "-c", write_config())
    assert (result.code, result.err) == (130, "")


@pytest.mark.parametrize(
    ("command", "needed"), [(["run"], "pvcharge.tasks.supervisor"), (["check"], "pvcharge.config")]
)
def test_an_edge_never_loads_what_it_does_not_need(
    write_config: WriteConfig, command: list[str], needed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulators, live view and pictures stay out of a small computer's memory."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # whose data file would be loaded
    script = (
        "import json, sys\n"
        "import pvcharge.service\n"
        "async def leave(*_): pass\n"
        "pvcharge.service.serve = leave\n"  # starts no daemon, after everything has been imported for one
        "from pvcharge.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    finished = finish(start_python("-c", script, *command, "-c", write_config()))
    code, modules = json.loads(finished.err.splitlines()[-1])
    assert code == 0
    assert {needed, "pvcharge.drivers.wattpilot", "pvcharge.drivers.solaredge"} <= set(modules)
    unwanted = (
        *("pvcharge.sim", "pvcharge.demo", "pvcharge.history.store", "pvcharge.web.server", "sqlite3"),
        *("influxdb_client", "prometheus_client", "rich.live", "matplotlib", "numpy"),
    )
    assert [name for name in modules if name.startswith(unwanted)] == []


def test_no_driver_is_imported_that_nobody_named() -> None:
    """What a command does not need costs it nothing."""
    script = "import sys\nfrom pvcharge.cli.main import main\nmain(['version'])\nprint(*sys.modules)\n"
    modules = finish(start_python("-c", script)).out.split()
    assert "pvcharge.cli.version" in modules
    unwanted = ("pvcharge.drivers.wattpilot", "pvcharge.drivers.solaredge", "aiohttp", "websockets")
    assert [name for name in modules if name.startswith(unwanted)] == []


def test_a_reader_that_has_gone_is_no_crash() -> None:
    """`pvcharge ... | head -1` ends well."""
    with start("demo", "--speed", "300", "--no-page") as process:
        assert process.stdout is not None
        assert "a line now and then" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(20) == 0
    assert errors == ""
