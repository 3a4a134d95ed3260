"""Report and live page in a real browser: what they show, fetch and run, with strangers' texts in them, and for those
who use them by keyboard or screen reader.  `make pages` runs this; it needs Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.report.html.page import as_html
from tests.e2e.claimed import certified
from tests.report.test_html import HOSTILE, NOW, busy, report

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)
FLAGGED = "window.ran = true"
TEXTS = [
    *HOSTILE,
    *(
        f"{before}<script>{FLAGGED}</script>{after}"
        for before in ("", "'>", '">', "--><", "]]>")
        for after in ("", "<!--")
    ),
    *(
        f"<{tag} on{event}='{FLAGGED}' src=x href=x>"
        for tag in ("img", "svg", "body", "a", "video", "details open")
        for event in ("error", "load", "toggle", "focus autofocus", "mouseover")
    ),
    *(f"{scheme}:{FLAGGED}" for scheme in ("javascript", "data:text/html", "vbscript", "JaVaScRiPt")),
    *("\u202e" * n + "evil" for n in (1, 5, 40)),
    *(chr(code) * 3 for code in (*range(32), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F))),
    *(chr(code) * 3 for code in (*range(0x2060, 0x206A), 0x061C, 0xAD, 0x3164, 0xFEFF, 0xE0001, 0xE0041)),
    *(f"https://example.org/{n}.png" for n in range(3)),
]


def _drive(repository: Path, order: str) -> list[str]:
    return [str(repository / ".venv-browser/bin/python"), str(repository / "tests/browser/drive.py"), order]


def driven(url: str, *steps: tuple[object, ...], repository: Path, **more: object) -> dict[str, Any]:
    order = json.dumps({"url": url, "steps": steps} | more)
    command = _drive(repository, order)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "run"
    asyncio.run(certified(folder))
    return folder


def test_a_hundred_and_fifty_hostile_texts_stay_text(run_dir: Path, tmp_path: Path, repository: Path) -> None:
    assert len(TEXTS) >= 150
    for number in range(0, len(TEXTS), 25):
        text = " ".join(TEXTS[number : number + 25])
        for part, shown in enumerate((text, TEXTS[number])):
            file = tmp_path / f"page-{number}-{part}.html"
            file.write_text(as_html(busy(report(run_dir), shown), NOW), "utf-8")
            url = file.as_uri()
            found = driven(url, ("wait", 0.2), ("evaluate", "window.ran === undefined"), repository=repository)
            assert (found["results"][1], found["requests"], found["errors"]) == (True, [url], [])
            assert [each for each in found["console"] if "Content Security Policy" not in each] == []


@pytest.mark.parametrize(("dark", "width"), [(False, 900), (True, 900), (False, 360)])
def test_a_report_is_for_those_who_do_not_see_it_too(
    dark: bool, width: int, run_dir: Path, tmp_path: Path, repository: Path
) -> None:
    for name, it in (("calm", report(run_dir)), ("busy", busy(report(run_dir), "plain"))):
        file = tmp_path / f"{name}.html"
        file.write_text(as_html(it, NOW), "utf-8")
        overflow = ("evaluate", "document.documentElement.scrollWidth <= window.innerWidth")
        found = driven(
            file.as_uri(), overflow, ("axe",), repository=repository, dark=dark, width=width, bypass_csp=True
        )
        assert found["results"] == [True, []]


class Purge:
    """A simulated vault and a process that empties it, with a page."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._command = str(Path(sys.executable).with_name("glacier-purge"))
        self._environment = os.environ | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "XDG_STATE_HOME": str(place / "state"),
        }
        simulate = ["simulate", "--archives", "6000", "--rate", "50", "--no-auth", "--time-scale", "2400"]
        self._simulator = self._start(simulate, stdout=subprocess.PIPE)
        assert self._simulator.stdout is not None
        self._endpoint = json.loads(self._simulator.stdout.readline())["endpoint_url"]
        inventory = place / "inventory.json"
        self._run("inventory", "fetch", "photos", "--to", str(inventory), "--endpoint-url", self._endpoint)
        planned = self._run(
            *("plan", "photos", "--inventory", str(inventory), "--run-dir", str(place / "run")),
            *("--endpoint-url", self._endpoint, "--output", "json"),
        )
        self._digest = json.loads(planned)["digest"]
        self.apply: subprocess.Popen[str]

    def start(self) -> str:
        """Begin, or go on; return the page's address."""
        self.apply = self._start(
            ["apply", str(self._place / "run"), "--confirm-digest", self._digest, "--page", "any"],
            stderr=subprocess.PIPE,
        )
        assert self.apply.stderr is not None
        for line in self.apply.stderr:
            if "live page" in line:
                return line.split(" at ")[1].strip()
        raise AssertionError("no page")

    def stop(self) -> None:
        self.apply.send_signal(signal.SIGINT)
        self.apply.communicate(timeout=30)

    def close(self) -> None:
        for process in (self.apply, self._simulator):
            process.kill()
            process.communicate()

    def _start(self, arguments: list[str], **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._command, *arguments], env=self._environment, text=True, **({"stdout": -3, "stderr": -3} | more)
        )

    def _run(self, *arguments: str) -> str:
        return subprocess.run(
            [self._command, *arguments], env=self._environment, text=True, check=True, capture_output=True
        ).stdout


@pytest.fixture
def purge(tmp_path: Path) -> Iterator[Purge]:
    it = Purge(tmp_path)
    yield it
    it.close()


def test_the_live_page_fills_and_survives_a_restart_of_the_purge(purge: Purge, repository: Path) -> None:
    address, deleted = purge.start(), "[data-field=deleted]"
    steps = [("changed", deleted), ("turn",), ("text", deleted), ("changed", deleted), ("text", "[data-age]"), ("axe",)]
    command = _drive(repository, json.dumps({"url": address, "steps": steps, "bypass_csp": True}))
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as browser:
        assert browser.stderr is not None
        assert "turn\n" in iter(browser.stderr.readline, ""), "the page never filled"
        purge.stop()
        assert purge.start() == address
        out, said = browser.communicate("\n", timeout=150)
    assert browser.returncode == 0, said
    found = json.loads(out)
    first, second, last = (int(found["results"][n].replace(",", "")) for n in (0, 2, 3))
    assert first <= second < last
    assert found["results"][4] in {"just now", *(f"{n} s ago" for n in range(5, 9))}
    assert found["results"][5] == []
    assert found["errors"] == []
    assert {url.rpartition("/")[0] for url in found["requests"]} == {address.rstrip("/")}


def test_a_page_of_another_site_gets_nothing(purge: Purge, tmp_path: Path, repository: Path) -> None:
    address = purge.start()
    other = tmp_path / "other.html"
    other.write_text("<!doctype html><title>other</title>")
    ask = f"fetch({address!r}).then((answer) => answer.text(), (error) => 'refused')"
    framed = (
        "new Promise((done) => { const frame = document.createElement('iframe'); frame.onload = () => done(String("
        f"frame.contentDocument && frame.contentDocument.body.innerText)); frame.src = {address!r}; "
        "document.body.append(frame); })"
    )
    found = driven(other.as_uri(), ("evaluate", ask), ("evaluate", framed), repository=repository)
    assert found["results"][0] == "refused"
    assert "photos" not in str(found["results"][1])


def test_the_browser_that_is_driven_is_there() -> None:
    assert shutil.which("chromium")
