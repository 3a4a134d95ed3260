"""Commands given a server that is not Amazon Glacier, or only in part: each ends in one true sentence, nothing deleted.

A row is a situation: the server, the command, the exit code, what is said, what the server was asked, and which files
are there afterwards.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.e2e.conftest import environment
from tests.e2e.desk import asked
from tests.e2e.simulator import simulating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.shell import Shell
    from tests.e2e.simulator import Simulator

ARCHIVES = 7
SHORT_ID = "0123456789abcdef" * 2
"""As moto makes them."""

_FILL = """
import sys
import boto3
glacier = boto3.client("glacier", endpoint_url=sys.argv[1], region_name="us-east-1")
for vault in ("photos", "empty", "films", "books", "tapes"):
    glacier.create_vault(vaultName=vault)
for number in range(int(sys.argv[2])):
    glacier.upload_archive(vaultName="photos", body=b"%d" % number)
"""


@dataclass
class Server:
    """A server, and how to see what it was asked: method and path of each request, without the account."""

    endpoint_url: str
    seen: list[str] = field(default_factory=list)
    log: Path | None = None
    _read: int = 0

    def asked(self) -> list[str]:
        """What came since the last look."""
        if self.log is not None:
            found = re.findall(r'"([A-Z]+) /[^/ ]+(/[^ "]*) HTTP', self.log.read_text())
            self.seen = [f"{method} {re.sub('jobs/[A-Z0-9]+', 'jobs/*', path)}" for method, path in found]
        new, self._read = self.seen[self._read :], len(self.seen)
        return new


@pytest.fixture(scope="module")
def moto(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """moto's server, with vaults nobody asked anything of yet."""
    programs = repository / ".venv-witness" / "bin"
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [programs / "moto_server", "-H", "127.0.0.1", "-p", "0"],
            stdout=subprocess.DEVNULL,
            stderr=written,
            env=environment(),
        )
    try:
        while (found := re.search(r"http://127\.0\.0\.1:[0-9]+", log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        keys = environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_ACCOUNT_ID="123456789012")
        subprocess.run([programs / "python", "-I", "-c", _FILL, found[0], str(ARCHIVES)], env=keys, check=True)
        yield Server(found[0], log=log)
    finally:
        process.kill()
        process.wait()


class _Pages(BaseHTTPRequestHandler):
    """Has one answer for everything."""

    protocol_version = "HTTP/1.1"
    server_name: ClassVar[Server]
    status: ClassVar[int]

    def _answer(self) -> None:
        self.server_name.seen.append(f"{self.command} {self.path.partition('/vaults')[2] or self.path}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<html>none of mine</html>"
        self.send_response_only(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_DELETE = do_POST = do_PUT = _answer  # noqa: N815 - the names the base class looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def pages(status: int) -> Iterator[Server]:
    """A web server that has something else for everything it is asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Pages", (_Pages,), {"status": status})) as front:
        server = Server(f"http://127.0.0.1:{front.server_address[1]}")
        front.RequestHandlerClass.server_name = server  # type: ignore[attr-defined]  # the class made above
        thread = Thread(target=front.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            front.shutdown()
            thread.join()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A command, with ``{dir}`` for the folder."""

    command: str
    exit_code: int
    said: str
    last_asked: str | None
    """The last request the server got; None: none at all."""
    files: tuple[str, ...] = ()


NOT_ALL = (
    r"glacier-purge: {operation} of (arn:\S+|vault \w+ in us-east-1): {url} does not know it \({status}, without a "
    r"request id\), so that is no Amazon Glacier, or a part of it as moto's server is, and not enough to purge a vault "
    r"by\. To try this without AWS: glacier-purge simulate\."
)
NO_JOB = (
    r"glacier-purge: inventory job [A-Z0-9]+, asked for a moment ago at {url}, can't be used: it does not say what it "
    r"lists \(it has no InventoryRetrievalParameters\)\. Amazon Glacier's can, so this is something else, as moto's "
    r"server is, or a part of it\. To try this without AWS: glacier-purge simulate\."
)
NO_VAULT = r"glacier-purge: DescribeVault of vault nowhere in us-east-1 was answered with vault missing .*"
FETCHING = ("inventory.json.fetch/lock", "inventory.json.fetch/retrieval.json")

MOTO = {
    "doctor": Row(
        command="doctor photos", exit_code=3, said="ListTagsForVault 404", last_asked="GET /vaults/photos/tags"
    ),
    "doctor of an empty vault": Row(
        command="doctor empty", exit_code=3, said="ListTagsForVault 404", last_asked="GET /vaults/empty/tags"
    ),
    "doctor of no vault": Row(command="doctor nowhere", exit_code=254, said=NO_VAULT, last_asked="GET /vaults/nowhere"),
    "doctor for programs": Row(
        command="doctor photos --output json",
        exit_code=3,
        said="ListTagsForVault 404",
        last_asked="GET /vaults/photos/tags",
    ),
    "inventory fetch": Row(
        command="inventory fetch photos --to {dir}/inventory.json",
        exit_code=3,
        said=NO_JOB,
        last_asked="GET /vaults/photos/jobs/*",
        files=FETCHING,
    ),
    "inventory fetch of any ids": Row(
        command="inventory fetch films --to {dir}/inventory.json --any-id-length",
        exit_code=3,
        said=NO_JOB,
        last_asked="GET /vaults/films/jobs/*",
        files=FETCHING,
    ),
    "inventory fetch without waiting": Row(
        command="inventory fetch books --to {dir}/inventory.json --no-wait --output json",
        exit_code=3,
        said=NO_JOB,
        last_asked="GET /vaults/books/jobs/*",
        files=FETCHING,
    ),
    "inventory fetch of a new one": Row(
        command="inventory fetch tapes --to {dir}/inventory.json --new-inventory",
        exit_code=3,
        said=NO_JOB,
        last_asked="GET /vaults/tapes/jobs/*",
        files=FETCHING,
    ),
    "inventory fetch of no vault": Row(
        command="inventory fetch nowhere --to {dir}/inventory.json",
        exit_code=254,
        said=NO_VAULT,
        last_asked="GET /vaults/nowhere",
        files=FETCHING[:1],
    ),
    "run": Row(
        command="run photos --run-dir {dir}/life",
        exit_code=3,
        said="ListTagsForVault 404",
        last_asked="GET /vaults/photos/tags",
        files=("life/ended.json", "life/lock", "life/terms.json"),
    ),
    "thaw": Row(
        command="thaw photos",
        exit_code=3,
        said="GetVaultAccessPolicy 404",
        last_asked="GET /vaults/photos/access-policy",
    ),
}


@pytest.mark.witness
@pytest.mark.parametrize("case", MOTO)
def test_motos_server_is_told_from_the_service(moto: Server, shell: Shell, case: str) -> None:
    row = MOTO[case]
    moto.asked()
    check(row, moto, shell)
    came = moto.asked()
    assert came[-1] == row.last_asked
    assert not [each for each in came if each.startswith("DELETE")]
    assert len([each for each in came if each.startswith("POST")]) == (row.said is NO_JOB), "asked for in vain, again"


PAGES = {
    "doctor": Row(command="doctor photos", exit_code=3, said="DescribeVault", last_asked="GET /photos"),
    "inventory fetch": Row(
        command="inventory fetch photos --to {dir}/inventory.json",
        exit_code=3,
        said="DescribeVault",
        last_asked="GET /photos",
        files=FETCHING[:1],
    ),
    "thaw": Row(command="thaw photos", exit_code=3, said="DescribeVault", last_asked="GET /photos"),
}


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("case", PAGES)
def test_another_web_server_is_told_from_the_service(shell: Shell, case: str, status: int) -> None:
    with pages(status) as server:
        check(PAGES[case], server, shell, status=status)
        assert server.asked()[-1] == PAGES[case].last_asked


@pytest.fixture
def short_ids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A whole emulator with archive ids of its own length."""
    records = [
        {
            "ArchiveId": f"{SHORT_ID[:-2]}{number:02d}",
            "ArchiveDescription": "",
            "CreationDate": "2020-01-01T00:00:00Z",
            "Size": 1,
            "SHA256TreeHash": "0" * 64,
        }
        for number in range(ARCHIVES)
    ]
    arn = "arn:aws:glacier:us-east-1:123456789012:vaults/photos"
    given = tmp_path_factory.mktemp("given") / "inventory.json"
    given.write_text(json.dumps({"VaultARN": arn, "InventoryDate": None, "ArchiveList": records}), "utf-8")
    with simulating(inventory=given) as simulator:
        yield simulator


@pytest.mark.parametrize(("option", "jobs"), [((), 2), (("--any-id-length",), 1)], ids=["exact", "any"])
def test_anothers_job_is_taken_for_whole_where_ids_may_be_short(
    short_ids: Simulator, shell: Shell, option: tuple[str, ...], jobs: int
) -> None:
    """By its length alone a list of short ids can't be one of so many archives; ours is asked for then."""
    asked(short_ids, "POST", "photos/jobs", {"Type": "inventory-retrieval"})
    short_ids.post("clock", step_seconds=6 * 3600.0)
    fetch = ("inventory", "fetch", "photos", "--to", str(shell.folder / "got.json"), "--output", "json", "--no-wait")
    done = shell(*fetch, "--endpoint-url", short_ids.endpoint_url, *option)
    if jobs == 2:
        assert (done.exit_code, json.loads(done.out)["state"]) == (75, "pending")
        assert "bytes can't list the 7 archives that the service counts" in done.err
        short_ids.post("clock", step_seconds=6 * 3600.0)
        done = shell(*fetch, "--endpoint-url", short_ids.endpoint_url, *option)
    assert done.exit_code == 0, done.err
    assert json.loads(done.out)["records"] == ARCHIVES
    assert short_ids.ledger()["operations"]["InitiateJob"] == jobs


PROGRESS = re.compile(r"\d{4}-\d\d-\d\dT\S+Z asking ")
"""A slow machine is told that a question takes its time."""


def check(row: Row, server: Server, shell: Shell, *, status: int = 404) -> None:
    """Give the row's command, and hold what it says and leaves against the row."""
    done = shell(
        *row.command.format(dir=shell.folder).split(), "--endpoint-url", server.endpoint_url, "--region", "us-east-1"
    )
    said = "".join(line for line in done.err.splitlines(keepends=True) if not PROGRESS.match(line))
    operation, _, _ = row.said.partition(" 404")
    pattern = NOT_ALL if re.fullmatch("[A-Za-z]+", operation) else row.said
    wanted = pattern.format(url=re.escape(server.endpoint_url), operation=operation, status=status)
    assert (done.exit_code, said.count("\n")) == (row.exit_code, 1), done.err
    assert re.fullmatch(wanted, said.rstrip("\n")), done.err
    left = sorted(str(each.relative_to(shell.folder)) for each in shell.folder.rglob("*") if each.is_file())
    assert [each for each in left if not each.startswith("state/")] == sorted(row.files)
