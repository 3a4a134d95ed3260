"""What holds for every test: nothing leaves this machine, and no account of the person running them is seen."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from glacier_purge import clock
from glacier_simulator import clock as simulator_clock
from tests import at_length, many_commands, seclusion
from tests.approval.people import People, made_people
from tests.in_memory import folder_in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.dont_write_bytecode = False  # or each worker, and each command that is started, compiles hundreds of modules anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
gc.disable()  # while modules and tests are only being collected: nothing of them is ever garbage
asyncio.set_event_loop(None)  # or looptime, looking for a loop around each sync test, makes one and leaves it open
many_commands.parse_as_if_alone()
many_commands.know_botocores_names_once()
many_commands.know_our_version_once()
seclusion.stay_on_loopback()
seclusion.check_no_company_file()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # by a shell, as of all that it starts with "&" in a script
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or what the tests start would never hear it
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """Let tests write to memory, where there is enough of it."""
    _let_looptime_look_at_loops_only(config)
    if (memory := folder_in_memory()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def _let_looptime_look_at_loops_only(config: pytest.Config) -> None:
    """It goes through the 130 names of pytest-asyncio for each fixture of each test: a third of what pytest costs.
    What it looks for, the runners of loops, are fixtures of that module, and no others."""
    theirs = config.pluginmanager.get_plugin("looptime_plugin")
    assert theirs is not None
    assert callable(theirs._should_patch)
    theirs._should_patch = lambda fixture, _request: fixture.func.__module__ == "pytest_asyncio.plugin"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make reliability` and `make mutants` ask for."""
    parser.addoption("--at-length", choices=["only", "too"], help="try what the suite leaves out, alone or as well")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Part what is tried at length from the suite, and let virtual time pass at once: looptime turns its loop 42 times
    before each step, hours then take minutes."""
    at_length.part(config, items)
    for item in items:
        if item.get_closest_marker("looptime"):
            item.add_marker(pytest.mark.looptime(noop_cycles=0))


def pytest_collection_finish() -> None:
    """Begin to look for garbage, but never again at what was collected: a million objects that stay."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder the project lies in."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def witness(repository: Path) -> Path:
    """The programs of the second environment (AWS CLI, boto3's python, moto_server); never skipped, always made."""
    programs = repository / ".venv-witness/bin"
    assert (programs / "aws").exists(), "the second environment is missing; run: make witness"
    return programs


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    """Fail the test when anything in it tried to leave this machine, also where the error was caught."""
    seclusion.reached_out.clear()
    yield
    assert not seclusion.reached_out, f"tried to leave loopback: {seclusion.reached_out}"


@pytest.fixture(autouse=True)
def own_log_settings() -> Iterator[None]:
    """Put back where logs go: every verb says anew how it wants them, for the process it runs in."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(params=[pytest.param(0, id="today"), pytest.param(366, id="in a year", marks=pytest.mark.at_length)])
def today(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test run twice, the second time with our clock and the pretended service's a year ahead.

    For modules whose tests go by dates: ``pytestmark = pytest.mark.usefixtures("today")``.
    """
    ahead_seconds = request.param * 86_400
    for one in (clock, simulator_clock):
        monkeypatch.setattr(one, "_read", lambda: time.time() + ahead_seconds)


@pytest.fixture(scope="session")
def trusted_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one authority that this system trusts while it is tested."""
    return seclusion.authority_of(tmp_path_factory.mktemp("authorities"))


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, trusted_authority: Path) -> Iterator[None]:
    """Hide the AWS account, proxies, settings and authorities of whoever runs the tests, from them and from what they
    start; once, for what a test sets is taken back with that test."""
    clean = seclusion.clean_environment(os.environ, tmp_path_factory.getbasetemp(), trusted_authority)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - clean.keys():
            patch.delenv(name)
        for name, value in clean.items() - os.environ.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    """People with keys, which take a tenth of a second each to make."""
    return made_people(tmp_path_factory.mktemp("people"))


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Some for a pretended service, and a state folder of the test's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
