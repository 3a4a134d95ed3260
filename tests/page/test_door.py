"""The live page over real HTTP: who gets it and who does not, and that it lives and ends with what it shows."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from glacier_purge.api.watching import Looking, page_open, shown
from glacier_purge.errors import UsageError
from glacier_purge.page.door import Place, place
from glacier_purge.run import socket as control
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder
from tests.e2e.claimed import certified
from tests.report.test_html import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANY = Place(secret="s" * 32)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "run"
    asyncio.run(certified(folder))
    return folder


@asynccontextmanager
async def page(folder: Path, where: Place = ANY) -> AsyncIterator[tuple[Place, aiohttp.ClientSession]]:
    run = RunFolder.look(folder)
    async with page_open(Looking(run), run, where) as found, aiohttp.ClientSession() as session:
        yield found, session


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def told(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    """The first news that come."""
    async with session.get(f"{address}events") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        await answer.content.readline()
        line = await answer.content.readline()
        news: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
        return news


async def test_who_knows_the_address_sees_the_page_and_hears_how_it_goes(run_dir: Path) -> None:
    async with page(run_dir) as (where, session):
        async with session.get(where.address) as answer:
            html, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        news = await told(session, where.address)
    parsed = Page(html)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    assert parsed.tags >= {"script", "progress", "svg"} or "svg" not in parsed.tags
    assert news["deleted"] in parsed.text
    assert (news["percent"], news["failed"]) == (100.0, "0")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {}),
        ("x" * 32 + "/", {}),
        ("s" * 31 + "/", {}),
        ("s" * 32 + "/", {"Host": "evil.example"}),
        ("s" * 32 + "/", {"Host": "evil.example:8377"}),
        ("s" * 32 + "/", {"Sec-Fetch-Site": "cross-site"}),
        ("s" * 32 + "/events", {"Sec-Fetch-Site": "same-site"}),
        ("x" * 32 + "/metrics", {}),
        ("s" * 32 + "/../../etc/passwd", {}),
    ],
)
async def test_whoever_does_not_or_comes_from_elsewhere_gets_nothing(
    path: str, headers: dict[str, str], run_dir: Path
) -> None:
    async with (
        page(run_dir) as (where, session),
        session.get(f"http://127.0.0.1:{where.port}/{path}", headers=headers) as answer,
    ):
        assert (answer.status, await answer.text()) == (404, "nothing is here\n")


async def test_what_can_not_be_read_is_told_and_is_not_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "lifecycle"
    folder.mkdir(mode=0o700)
    (folder / "lifecycle.jsonl").write_bytes(b"{}\n")
    async with page(folder) as (where, session):
        news = await told(session, where.address)
        async with session.get(f"{where.address}metrics") as answer:
            metrics = await answer.text()
    assert news["phase"] == "Unknown, damaged"
    assert "terms.json" in str(news["why"])
    assert 'state="damaged",vault="lifecycle"} 1.0' in metrics


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed_by_it(method: str, run_dir: Path) -> None:
    before = files_of(run_dir)
    async with page(run_dir) as (where, session), session.request(method, where.address) as answer:
        assert answer.status in {404, 405}
    assert files_of(run_dir) == before


async def test_over_a_unix_socket_it_is_its_owners_alone(run_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.sock"
    async with page(run_dir, Place(unix=str(file), secret="s" * 32)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(file))) as session,
            session.get(f"http://localhost/{'s' * 32}/") as answer,
        ):
            assert answer.status == 200
    assert not file.exists()


STRANGER = """
import encodings.idna, http.client, json, os, socket, sys  # read before this is a user who may not read it
port, folder, *sockets = sys.argv[1:]
os.setgroups([]), os.setgid(65_534), os.setuid(65_534)
got = []

def tried(what):
    try:
        got.append(what())
    except PermissionError:
        got.append("refused")

def asked(path, host):
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    return [answer.status, answer.read().decode()]

def reached(path):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        return "reached"

tried(lambda: sorted(os.listdir(folder)))
tried(lambda: open(folder + "/page.json").read())
for path in ("/", "/metrics", "/events", "/" + "x" * 32 + "/", "/" + "x" * 32 + "/metrics"):
    tried(lambda: asked(path, "127.0.0.1:" + port))
for path in sockets:
    tried(lambda: reached(path))
print(json.dumps(got))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT SHOWN HERE: only root can become another user")
async def test_another_user_of_the_host_gets_nothing(run_dir: Path) -> None:
    with TemporaryDirectory(prefix="glacier-purge-strangers-") as place:  # pytest's own folders let no stranger in
        outside, folder = Path(place), Path(place) / "run"
        outside.chmod(0o755)  # noqa: ASYNC240 - a moment
        shutil.copytree(run_dir, folder)
        link, settings = outside / "page.sock", {"report": {"live_page": "any", "page": False}}
        serving = asyncio.create_task(control.serve(folder, lambda _: {"state": "running"}))
        async with (
            shown(RunFolder.look(folder), Settings.model_validate(settings), lambda _: None),
            page(folder, Place(unix=str(link), secret="s" * 32)),
        ):
            folder.chmod(0o755)  # as its owner may have, to show what is in it
            port = json.loads((folder / "page.json").read_bytes())["port"]
            asked = [str(port), str(folder), str(link), str(folder / control.CONTROL_FILE)]
            stranger = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-c", STRANGER, *asked, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await stranger.communicate()
        serving.cancel()
    listed, kept, *answers, page_socket, control_socket = json.loads(out)
    assert {"page.json", control.CONTROL_FILE} <= set(listed), "the stranger was kept out before, and shows nothing"
    assert (kept, page_socket, control_socket) == ("refused",) * 3
    assert answers == [[404, answer] for _, answer in answers]
    assert not [answer for _, answer in answers if "photos" in answer or "glacier_purge" in answer]


async def test_who_looks_is_let_go_at_the_end(run_dir: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with page(run_dir) as (where, _):
            answer = await session.get(f"{where.address}events")
            await answer.content.readline()
        rest = await asyncio.wait_for(answer.content.read(), 5)
        assert rest


async def test_no_more_look_than_there_is_room_for(run_dir: Path) -> None:
    async with page(run_dir) as (where, session):
        looking = [await session.get(f"{where.address}events") for _ in range(33)]
        assert sorted(answer.status for answer in looking) == [200] * 32 + [503]
        for answer in looking:
            answer.close()


async def test_after_a_restart_it_is_at_the_same_address(run_dir: Path) -> None:
    folder, addresses = RunFolder.look(run_dir), list[str]()
    settings = Settings.model_validate({"report": {"live_page": "any", "page": False}})
    for _ in range(2):
        async with shown(folder, settings, addresses.append):
            pass
    assert addresses[0] == addresses[1]
    assert stat.S_IMODE((run_dir / "page.json").stat().st_mode) == 0o600
    (run_dir / "page.json").unlink()


async def test_where_its_port_is_taken_it_takes_another(run_dir: Path) -> None:
    async with page(run_dir) as (first, _), page(run_dir, first) as (second, _):
        assert first.port != second.port


async def test_metrics_go_into_a_file_that_others_read(run_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "purge.prom"
    settings = Settings.model_validate({"report": {"metrics_textfile": str(file), "page": False}})
    async with shown(RunFolder.look(run_dir), settings, print):
        pass
    assert b'glacier_purge_archives_total{account="123456789012",outcome="deleted"' in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(files_of(tmp_path)) == ["purge.prom"]


async def test_metrics_that_can_not_be_written_are_told_and_stop_nothing(run_dir: Path, tmp_path: Path) -> None:
    settings = Settings.model_validate({"report": {"metrics_textfile": str(tmp_path / "no/x.prom"), "page": False}})
    async with shown(RunFolder.look(run_dir), settings, print):
        went_on = True
    assert went_on


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("", "127.0.0.1", 0), ("8377", "127.0.0.1", 8377), ("[::1]:9", "::1", 9), ("localhost:", "localhost", 0)],
)
def test_a_place_is_written_as_people_write_it(text: str, host: str, port: int) -> None:
    assert (place(text).host, place(text).port) == (host, port)
    assert len(place(text).secret) >= 32
    assert place(text).secret != place(text).secret


@pytest.mark.parametrize("text", ["0.0.0.0:80", "example.org:80", "8.8.8.8:1", "127.0.0.1:x", "70000", "[::]:80", "-1"])
def test_a_place_that_others_reach_or_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--page"):
        place(text)
