"""Whose fault it is decides the exit code: hosts, files, limits, locales, proxies and clocks as they are found.

Each row is a situation, the exit code, what is said, how many requests the service got and what is new in the folder.
Nothing that a file, disk, network, locale or limit can cause is a bug (255).  What is about the process itself (its
streams, limits, locale, user) is tried with the installed command, all else with the command in this process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import pytest

from glacier_purge.api import clients
from glacier_purge.glacier.sdk.patience import FIRST_QUESTION
from glacier_purge.storage.locks import run_locked
from tests.e2e.conftest import environment
from tests.e2e.situations import Situation, check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.e2e.shell import Shell
    from tests.e2e.simulator import Simulator

    Make = Callable[["Host"], tuple[str, ...]]

COMMAND = str(Path(sys.executable).with_name("glacier-purge"))


# -- in this process --------------------------------------------------------------------------------------------------


class Host:
    """A host on which something is as it should not be."""

    def __init__(self, shell: Shell, away: Path, opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = shell
        self.away = away
        self.opened = opened
        self.monkeypatch = monkeypatch

    def with_variables(self, **variables: str) -> Host:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        return self

    def without_keys(self) -> Host:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            self.monkeypatch.delenv(name)
        return self

    def with_file(self, content: str | bytes, variable: str = "AWS_CONFIG_FILE") -> Host:
        file = self.away / variable
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.with_variables(**{variable: str(file)})

    def fetch(self, *options: str, run_dir: str = "run") -> tuple[str, ...]:
        """A command that asks the simulator which vault is meant."""
        return self.ask_aws("--endpoint-url", self.shell.simulator.endpoint_url, *options, run_dir=run_dir)

    def ask_aws(self, *options: str, run_dir: str = "run") -> tuple[str, ...]:
        place = str(self.shell.folder / run_dir)
        return ("inventory", "fetch", "photos", "--run-dir", place, "--no-wait", "--region", "us-east-1", *options)

    def plan(self, *options: str, run_dir: str = "run") -> tuple[str, ...]:
        inventory = self.shell.simulator.inventory(self.away / "inventory.json")
        at = ("--endpoint-url", self.shell.simulator.endpoint_url, "--run-dir", str(self.shell.folder / run_dir))
        return ("plan", "photos", "--inventory", str(inventory), *at, *options)

    def planned(self) -> str:
        return self.shell.planned()

    def answered_by(self, reply: bytes) -> tuple[str, ...]:
        """The same, of a server that gives this reply to whatever is asked."""
        return self.ask_aws("--endpoint-url", f"http://127.0.0.1:{self.opened.enter_context(answering(reply))}")

    def behind(self, reply: bytes) -> Host:
        """A proxy is the only way out, and gives this reply."""
        port = self.opened.enter_context(answering(reply))
        return self.with_variables(HTTPS_PROXY=f"http://127.0.0.1:{port}")


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """Give a reply to whoever connects, whatever is asked, and hang up; ``ID`` in it is a new one each time."""
    given = 0

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            nonlocal given
            given += 1
            while self.rfile.readline().strip():
                pass
            self.wfile.write(reply.replace(b"ID", b"0123-%06d" % given))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


def refused(status: str, code: str, message: str = "no", *, cut: int = 0, off: timedelta = timedelta()) -> bytes:
    """A refusal of the service, whose clock is ``off`` from ours, without its last ``cut`` bytes."""
    body = f'{{"code":"{code}","message":"{message}","type":"Client"}}'.encode()
    date = format_datetime(datetime.now(UTC) + off, usegmt=True)
    head = f"HTTP/1.1 {status}\r\nx-amzn-RequestId: ID\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head.encode() + body)[: -cut or None]


def proxy_says(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def role(host: Host) -> Host:
    """A profile whose credentials are a role's, which STS has to be asked for."""
    return host.with_file(
        "[profile purger]\nrole_arn = arn:aws:iam::123456789012:role/purger\ncredential_source = Environment\n"
        "region = us-east-1\n"
    )


def profile(text: str, *, key: bool = False) -> Make:
    """The profile ``p`` with these lines, and no credentials beside it."""

    def make(host: Host) -> tuple[str, ...]:
        if not key:
            host.without_keys()
        return host.with_file(f"[profile p]\n{text}\n").fetch("--profile", "p")

    return make


def config(content: str | bytes, variable: str = "AWS_CONFIG_FILE") -> Make:
    return lambda host: host.with_file(content, variable).fetch()


def variables(**given: str) -> Make:
    return lambda host: host.with_variables(**given).fetch()


def refusing(host: Host, module: object, name: str, number: int) -> None:
    """Have the system refuse a call from now on."""

    def refuse(*_: object, **_more: object) -> object:
        raise OSError(number, os.strerror(number))

    host.monkeypatch.setattr(module, name, refuse)


def failing(module: object, name: str, number: int) -> Make:
    """The system refuses a call while a plan is made."""

    def make(host: Host) -> tuple[str, ...]:
        command = host.plan()
        refusing(host, module, name, number)
        return command

    return make


def applied_while(module: object, name: str, number: int) -> Make:
    def make(host: Host) -> tuple[str, ...]:
        digest = host.planned()
        refusing(host, module, name, number)
        return ("apply", str(host.shell.run_dir), "--confirm-digest", digest)

    return make


def status_while(module: object, name: str, number: int) -> Make:
    def make(host: Host) -> tuple[str, ...]:
        host.planned()
        (host.shell.run_dir / "lock").touch(mode=0o600)
        refusing(host, module, name, number)
        return ("status", str(host.shell.run_dir))

    return make


def held(command: Callable[[Host, str], tuple[str, ...]]) -> Make:
    """Another process, played by this one, works on the run."""

    def make(host: Host) -> tuple[str, ...]:
        digest = host.planned()
        host.opened.enter_context(run_locked(host.shell.run_dir))
        return command(host, digest)

    return make


RUN = frozenset({"run"})
NOTHING: frozenset[str] = frozenset()
NOT_HELD = "AWS's configuration does not hold"
CORRECT = "(~/.aws/config and ~/.aws/credentials otherwise)"


class Row(NamedTuple):
    """``changed`` is mostly the run folder, which is made and locked before anybody is asked."""

    make: Make
    exit_code: int
    says: tuple[str, ...]
    requests: int | None = 0
    changed: frozenset[str] = RUN


AWS_FILES = {
    "a configuration that is no ini": Row(
        config("not an ini\n"), 253, (NOT_HELD, "no section headers", CORRECT), 0, NOTHING
    ),
    "a configuration with a BOM": Row(
        config(b"\xef\xbb\xbf[default]\n"), 253, (NOT_HELD, "AWS_CONFIG_FILE"), 0, NOTHING
    ),
    "a configuration in UTF-16": Row(
        config("[default]\n".encode("utf-16")), 253, (NOT_HELD, "AWS_CONFIG_FILE"), 0, NOTHING
    ),
    "a configuration with a section twice": Row(
        config("[default]\n[default]\n"), 253, (NOT_HELD, "already exists"), 0, NOTHING
    ),
    "a configuration in Latin-1": Row(config("[default]\n# für uns\n".encode("latin-1")), 253, (NOT_HELD,), 0, NOTHING),
    "credentials that are no ini": Row(
        lambda host: host.without_keys().with_file("rubbish", "AWS_SHARED_CREDENTIALS_FILE").fetch(),
        *(253, (NOT_HELD,), 0, NOTHING),
    ),
    "a folder for a configuration": Row(
        lambda host: host.with_variables(AWS_CONFIG_FILE=str(host.away)).fetch(),
        *(253, ("can't be read", "Is a directory"), 0, NOTHING),
    ),
    "a home of nobody's for a configuration": Row(
        lambda host: host.without_keys().with_variables(AWS_CONFIG_FILE="~nobody-here/config").fetch(),
        *(253, ("no AWS credentials were found",)),
    ),
    "an sso-session that is not there": Row(
        profile("sso_session = nix\nsso_account_id = 123456789012\nsso_role_name = x"), 253, ('"nix" sso_session',)
    ),
    "a source profile that is not there": Row(
        profile("source_profile = nix\nrole_arn = arn:aws:iam::123456789012:role/x"), 253, ("nix", "Correct it")
    ),
    "roles in a circle": Row(
        profile(
            "source_profile = q\nrole_arn = arn:aws:iam::123456789012:role/x\n[profile q]\nsource_profile = p\n"
            "role_arn = arn:aws:iam::123456789012:role/y"
        ),
        *(253, ("Infinite loop", "Correct it")),
    ),
    "a credential source of nobody's": Row(
        profile("credential_source = Moon\nrole_arn = arn:aws:iam::123456789012:role/x"), 253, ("Moon",)
    ),
    "a helper that is not there": Row(profile("credential_process = /nowhere/helper"), 253, ("/nowhere/helper",)),
    "half a key": Row(profile("aws_access_key_id = AKIDEXAMPLE"), 253, ("aws_secret_access_key",)),
    "a profile that is not there": Row(lambda host: host.fetch("--profile", "nix"), 253, ("profile (nix)", CORRECT)),
    "a mode of defaults nobody knows": Row(variables(AWS_DEFAULTS_MODE="x"), 253, ("defaults mode: x",)),
    "a mode of STS nobody knows": Row(variables(AWS_STS_REGIONAL_ENDPOINTS="x"), 253, ("option x is invalid",)),
    "no credentials": Row(lambda host: host.without_keys().fetch(), 253, ("no AWS credentials were found",)),
}

NETWORK = {
    "nobody listens": Row(
        lambda host: host.ask_aws("--endpoint-url", f"http://127.0.0.1:{closed_port()}"), 3, ("Could not connect",)
    ),
    "TLS at a port without": Row(
        lambda host: host.ask_aws("--endpoint-url", host.shell.simulator.endpoint_url.replace("http", "https")),
        *(3, ("TLS", "Run the same command again"), None),
    ),
    "a proxy that refuses (403)": Row(
        lambda host: host.behind(proxy_says("403 Forbidden")).ask_aws(), 3, ("403", "Run the same command again")
    ),
    "a proxy that wants a login (407)": Row(
        lambda host: host.behind(proxy_says("407 Proxy Authentication Required")).ask_aws(), 3, ("407",)
    ),
    "a proxy that is away (502)": Row(lambda host: host.behind(proxy_says("502 Bad Gateway")).ask_aws(), 3, ("502",)),
    "a proxy that hangs up": Row(lambda host: host.behind(b"").ask_aws(), 3, ("Run the same command again",)),
    "a proxy nobody runs": Row(
        lambda host: host.with_variables(HTTPS_PROXY=f"http://127.0.0.1:{closed_port()}").ask_aws(),
        *(3, ("Failed to connect to proxy",)),
    ),
    "a proxy that refuses the way to a role (403)": Row(
        lambda host: role(host).behind(proxy_says("403 Forbidden")).ask_aws("--profile", "purger"),
        *(3, ("no answer", "403")),
    ),
}

ANSWERS = {
    "a 404 that breaks off": Row(
        lambda host: host.answered_by(refused("404 Not Found", "ResourceNotFoundException", cut=9)), 3, ("no reply",)
    ),
    "a clock 20 minutes behind": Row(
        lambda host: host.answered_by(refused("403 Forbidden", "RequestTimeTooSkewed", off=timedelta(minutes=20.5))),
        *(253, ("this host's clock is 20 min", "behind the service's", "Set this host's clock")),
    ),
    "a clock 20 minutes ahead": Row(
        lambda host: host.answered_by(
            refused(
                "403 Forbidden",
                "InvalidSignatureException",
                "Signature not yet current: 20261130T194000Z is still later than 20261130T192500Z",
                off=timedelta(minutes=-20.5),
            ),
        ),
        *(253, ("this host's clock is 20 min", "ahead of the service's", "Set this host's clock")),
    ),
}

HOSTS = {
    "a folder's name that is too long": Row(
        lambda host: host.plan(run_dir="x" * 300), 2, ("File name too long", "Give another"), None, NOTHING
    ),
    "a folder's name that is no UTF-8": Row(
        lambda host: host.plan(run_dir=os.fsdecode(b"r\xff")),
        *(2, ("no text in UTF-8", "LC_ALL=C.UTF-8"), None, NOTHING),
    ),
    "a folder's name in other letters": Row(
        lambda host: host.plan(run_dir="räum-日"), 0, (), None, frozenset({"räum-日"})
    ),
    "a run that another process works on": Row(
        held(lambda host, digest: ("apply", str(host.shell.run_dir), "--confirm-digest", digest)),
        *(75, ("another process works on the run", f"process {os.getpid()}", "Nothing was sent"), 0, NOTHING),
    ),
    "a disk that knows no locks": Row(applied_while(fcntl, "flock", errno.ENOLCK), 3, ("can't be taken",), 0, NOTHING),
    "a disk that can't lock": Row(applied_while(fcntl, "flock", errno.EOPNOTSUPP), 3, ("can't be taken",), 0, NOTHING),
    "a run of which no lock can tell": Row(
        status_while(fcntl, "flock", errno.ENOLCK), 2, ("its lock (No locks available)", "nobody can tell"), 0, NOTHING
    ),
    "a disk that syncs nothing": Row(
        failing(os, "fsync", errno.EINVAL), 2, ("can't make a folder durable", "Give a folder"), None, NOTHING
    ),
    "a disk that fails": Row(failing(os, "fsync", errno.EIO), 3, ("Input/output error",), None, NOTHING),
    "a disk that is full": Row(failing(os, "write", errno.ENOSPC), 3, ("No space left",), None, NOTHING),
    "a share that is stale": Row(failing(os, "fsync", errno.ESTALE), 3, ("Stale file handle",), None, NOTHING),
    "no file can be opened any more": Row(
        failing(os, "open", errno.EMFILE), 3, ("Too many open files",), None, NOTHING
    ),
    "a plan on a disk that fails": Row(
        applied_while(os, "fdopen", errno.EIO), 3, ("plan.json can't be read: Input/output error",), 0, NOTHING
    ),
    "no file can be opened to send by": Row(
        applied_while(os, "open", errno.EMFILE), 3, ("Too many open files",), 0, NOTHING
    ),
}


@pytest.fixture
def host(shell: Shell, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(clients, "FIRST_QUESTION", replace(FIRST_QUESTION, first_wait_seconds=0.001))
    with ExitStack() as opened:
        yield Host(shell, tmp_path_factory.mktemp("away"), opened, monkeypatch)


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("name", [*AWS_FILES, *NETWORK, *ANSWERS, *HOSTS])
def test_whose_fault_it_is(name: str, host: Host) -> None:
    row = (AWS_FILES | NETWORK | ANSWERS | HOSTS)[name]
    check(Situation(lambda _: row.make(host), row.exit_code, row.says, row.requests, row.changed), host.shell)


SERVICE = {
    "one 500 at the first question": ("internal-error", 1, 75, "inventory job"),
    "one throttle at the first question": ("throttle", 1, 75, "inventory job"),
    "one lost reply at the first question": ("reset-after", 1, 75, "inventory job"),
    "500s without end": ("internal-error", None, 3, "server fault"),
    "throttles without end": ("throttle", None, 3, "throttled"),
    "answers that break off": ("truncated-body", None, 3, "no reply"),
    "an expired token": ("expired-token", None, 253, "Renew the AWS credentials"),
    "a key that is gone": ("unknown-client", None, 253, "Renew the AWS credentials"),
    "a denial": ("access-denied", None, 254, "Check account, region, vault name"),
    "a login page": ("captive-portal", None, 3, "a login page"),
}
"""(kind of fault, how many of them), exit code, what is said."""
ASKED = {253: 1, 254: 1, 3: FIRST_QUESTION.attempts_max}
"""How often the first question is asked that is answered with this to the end; a login page three times."""


@pytest.mark.parametrize("name", SERVICE)
def test_whose_fault_an_answer_is(name: str, host: Host) -> None:
    kind, count, exit_code, says = SERVICE[name]
    rule = {"kind": kind, "operation": "DescribeVault"} | ({} if count is None else {"count": count})
    requests = None if exit_code == 75 else 3 if kind == "captive-portal" else ASKED[exit_code]
    host.shell.simulator.post("faults", rules=[rule])
    try:
        check(Situation(lambda _: host.fetch(), exit_code, (says,), requests, RUN), host.shell)
    finally:
        host.shell.simulator.post("faults", rules=[])


# -- as a process -----------------------------------------------------------------------------------------------------

GONE, FULL, SHUT = "its reader is gone", "its disk is full", "it is closed"
STRANGER = ("unshare", "--user", "--map-user=12345", "--map-group=12345")
READ_ONLY = (
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
    'mkdir -p ro && mount --bind ro ro && mount -o remount,ro,bind ro && exec "$0" "$@"',
)
UNCOERCED = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
BY_NO_NAME = {"HTTPS_PROXY": "http://proxy.invalid:3128"}


class Process(NamedTuple):
    """A command as a process; ``URL`` and ``INVENTORY`` stand for the simulator's, ``PLANNED`` for a run folder.

    ``variables`` of None are taken away; ``under`` is what starts it; ``limit`` is one of its resources and the most of
    it; ``stdout`` and ``stderr`` are what is wrong with them.
    """

    arguments: tuple[str, ...]
    exit_code: int
    says: str = ""
    variables: Mapping[str, str | None] = MappingProxyType({})
    stdout: str | None = None
    stderr: str | None = None
    under: tuple[str, ...] = ()
    limit: tuple[int, int] | None = None
    where: str | None = None
    requests: int | None = None
    changed: frozenset[str] = NOTHING


PLAN = ("plan", "photos", "--inventory", "INVENTORY", "--endpoint-url", "URL", "--run-dir")
FETCH = ("inventory", "fetch", "photos", "--no-wait", "--region", "us-east-1", "--run-dir", "run")
NO_PRINT = "the result could not be printed: No space left on device"
PROCESSES = {
    "a version that nobody reads": Process(("--version",), 141, stdout=GONE),
    "help that nobody reads": Process(("--help",), 141, stdout=GONE),
    "an export that nobody reads": Process(("audit", "export", "PLANNED"), 141, stdout=GONE),
    "a plan that nobody reads": Process(("show", "PLANNED"), 0, stdout=GONE),
    "a version without room": Process(("--version",), 3, NO_PRINT, stdout=FULL),
    "help without room": Process(("--help",), 3, NO_PRINT, stdout=FULL),
    "an export without room": Process(("audit", "export", "PLANNED"), 3, NO_PRINT, stdout=FULL),
    "a standing without room": Process(("status", "PLANNED"), 0, NO_PRINT, stdout=FULL),
    "stdout closed": Process((*PLAN, "run"), 0, stdout=SHUT, changed=RUN),
    "stderr closed": Process(("apply", "nowhere"), 2, stderr=SHUT),
    "stderr without room": Process(("apply", "nowhere"), 2, stderr=FULL),
    "a name in other letters, in no language": Process(
        (*PLAN, "räum"), 0, "räum", {"LC_ALL": "C"}, changed=frozenset({"räum"})
    ),
    "a name in other letters, in a language that is not there": Process(
        (*PLAN, "räum"), 0, "räum", {"LC_ALL": "xx_YY.UTF-8"}, changed=frozenset({"räum"})
    ),
    "a name that the terminal can't show": Process(
        (*PLAN, "räum"), 0, "apply r\\xe4um", {"PYTHONIOENCODING": "ascii:strict"}, changed=frozenset({"räum"})
    ),
    "a name that no Latin terminal can show": Process(
        (*PLAN, "日"), 0, "apply \\u65e5", {"PYTHONIOENCODING": "latin-1"}, changed=frozenset({"日"})
    ),
    "a name in other letters, where names have none": Process(
        (*PLAN, "räum"), 2, "set LC_ALL=C.UTF-8", dict(UNCOERCED)
    ),
    "few files may be open": Process((*PLAN, "run"), 3, "Too many open files", limit=(resource.RLIMIT_NOFILE, 13)),
    "no event loop may be made": Process((*PLAN, "run"), 3, "Too many open files", limit=(resource.RLIMIT_NOFILE, 6)),
    "no file may be long": Process((*PLAN, "run"), 3, "File too large", limit=(resource.RLIMIT_FSIZE, 512)),
    "a user without a home": Process(
        (*PLAN, "run"), 0, "apply run", {"HOME": None, "XDG_STATE_HOME": None}, changed=RUN
    ),
    "a user whom nobody knows": Process(
        (*PLAN, "run"), 0, "apply run", {"HOME": None, "XDG_STATE_HOME": None}, under=STRANGER, changed=RUN
    ),
    "a user whom nobody knows asks": Process(
        (*FETCH, "--endpoint-url", "URL"), 75, "inventory job", {"HOME": None}, under=STRANGER, changed=RUN
    ),
    "a configuration that this user can't read": Process(
        (*FETCH, "--endpoint-url", "URL"),
        253,
        "Permission denied. Let this user read it",
        {"AWS_CONFIG_FILE": "locked"},
        under=STRANGER,
        requests=0,
    ),
    "a folder that is gone": Process((*PLAN, "run"), 3, "No such file or directory", where="gone"),
    "a file system that is read only": Process(
        (*PLAN, "ro/run"), 2, "Read-only file system. Give another", under=READ_ONLY, changed=frozenset({"ro"})
    ),
    "no folder for what passes": Process((*PLAN, "run"), 0, "apply run", {"TMPDIR": "/nowhere"}, changed=RUN),
    "a proxy that no name leads to": Process(FETCH, 3, "proxy.invalid", dict(BY_NO_NAME), changed=RUN),
    "a terminal of no size": Process((*PLAN, "run"), 0, "apply run", {"COLUMNS": "x", "TERM": "none"}, changed=RUN),
}


@contextmanager
def broken(what: str | None) -> Iterator[int]:
    """A descriptor to write to, with this wrong with it."""
    if what == FULL:
        with Path("/dev/full").open("wb") as full:
            yield full.fileno()
    elif what == GONE:
        reading, writing = os.pipe()
        os.close(reading)
        yield writing
        os.close(writing)
    else:
        yield subprocess.PIPE


@pytest.fixture(scope="module")
def planned(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, made by a process of its own."""
    folder = tmp_path_factory.mktemp("planned")
    inventory = simulator.inventory(folder / "inventory.json")
    arguments = [str(inventory) if part == "INVENTORY" else part for part in (*PLAN, "run")]
    arguments[arguments.index("URL")] = simulator.endpoint_url
    subprocess.run([COMMAND, *arguments], cwd=folder, env=environment(), check=True, capture_output=True)
    return folder


def may_unshare(command: tuple[str, ...]) -> bool:
    """Whether this system, and this user, have namespaces."""
    return shutil.which("unshare") is not None and not subprocess.run([*command, "true"], check=False).returncode


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("name", PROCESSES)
def test_whose_fault_it_is_that_a_process_ends(name: str, planned: Path, simulator: Simulator, tmp_path: Path) -> None:
    row = PROCESSES[name]
    if row.under and not may_unshare(row.under[:4]):
        pytest.skip("no namespaces here")
    if FULL in {row.stdout, row.stderr} and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full on this system")
    for_real = {"URL": simulator.endpoint_url, "INVENTORY": str(planned / "inventory.json")}
    for_real["PLANNED"] = str(planned / "run")
    shut = "".join(f" {number}>&-" for number, what in ((1, row.stdout), (2, row.stderr)) if what == SHUT)
    (tmp_path / "locked").touch(mode=0)
    work = tmp_path / "work"
    work.mkdir()
    (work / "gone").mkdir()
    before = {entry.name for entry in work.iterdir()}, simulator.ledger()["requests"]
    script = (
        f'exec "$0" "$@"{shut}' if row.where is None else f'cd {row.where} && rmdir ../{row.where} && exec "$0" "$@"'
    )
    variables = environment(
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", XDG_STATE_HOME=str(tmp_path / "state")
    )
    for variable, value in row.variables.items():
        variables.pop(variable, None)
        if value is not None:
            variables[variable] = str(tmp_path / "locked") if value == "locked" else value
    with broken(row.stdout) as stdout, broken(row.stderr) as stderr:
        answer = subprocess.run(
            [
                *("sh", "-c", script, *row.under, COMMAND),
                *(for_real.get(part, part) for part in row.arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=work,
            env=variables,
            check=False,
            preexec_fn=None if row.limit is None else partial(limited, *row.limit),
        )
    told = (answer.stdout or b"").decode(errors="replace") + (answer.stderr or b"").decode(errors="replace")
    assert answer.returncode == row.exit_code, told
    assert row.says in told
    assert "Traceback" not in told
    assert "unexpected error" not in told
    after = {entry.name for entry in work.iterdir()}
    assert after - before[0] == row.changed, told
    assert row.requests is None or simulator.ledger()["requests"] == before[1] + row.requests


def limited(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, most))
