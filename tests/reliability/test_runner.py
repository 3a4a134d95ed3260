"""The runner is tried itself: a seed that fails, hangs, dies or leaves something behind is told, the rest goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.reliability.__main__ import asked_for, told
from tests.reliability.campaign import Campaign
from tests.reliability.processes import children_of
from tests.reliability.runner import Stop, carry_out, replay
from tests.reliability.schedule import ENOUGH_VIOLATIONS, NIGHTS_BEGIN, Column, Night, One, Reached
from tests.reliability.workers import Tried

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Trying = Callable[[int, Path], Counter[str]]

ASLEEP = "import time; time.sleep(321)"


def holds(seed: int, folder: Path) -> Counter[str]:
    assert list(folder.iterdir()) == []
    return Counter(even=2) if seed % 2 == 0 else Counter(odd=1)


def one_fails(seed: int, _: Path) -> Counter[str]:
    print("on the way to", seed, flush=True)
    assert seed != 2, "two is one too many"
    return Counter(tried=1)


def hangs(_: int, folder: Path) -> Counter[str]:
    started = subprocess.Popen([sys.executable, "-c", ASLEEP], start_new_session=True)
    (folder.parents[1] / "started").write_text(str(started.pid))
    print("started", started.pid, flush=True)
    time.sleep(300)
    return Counter(tried=1)


def dies(_: int, __: Path) -> Counter[str]:
    print("started", subprocess.Popen([sys.executable, "-c", ASLEEP], start_new_session=True).pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return Counter(tried=1)


def leaves_a_process(_: int, __: Path) -> Counter[str]:
    code = "import subprocess as s, sys; print('started', s.Popen([sys.executable, '-c', sys.argv[1]]).pid)"
    subprocess.run([sys.executable, "-c", code, ASLEEP], check=False, start_new_session=True)
    return Counter(tried=1)


def leaves_a_file_open(_: int, folder: Path) -> Counter[str]:
    (folder / "open").open("w")
    return Counter(tried=1)


def loses_a_thread(_: int, __: Path) -> Counter[str]:
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    return Counter(tried=1)


def reaches_out(_: int, __: Path) -> Counter[str]:
    with suppress(BaseException):
        socket.create_connection(("192.0.2.1", 443), timeout=0.1)
    return Counter(tried=1)


def sees_an_account(_: int, __: Path) -> Counter[str]:
    assert "AWS_PROFILE" not in os.environ
    return Counter(tried=1)


def tries_nothing(_: int, __: Path) -> Counter[str]:
    return Counter()


def campaign(try_seed: Trying, *, wanted: int = 1, limit_seconds: float = 30.0, night_share: float = 1.0) -> Campaign:
    name = try_seed.__name__.replace("_", "-")
    return Campaign(name, "?", ("T0",), (), "tries", wanted, try_seed, night_share, limit_seconds=limit_seconds)


def reached(tried: Campaign, at_once: int = 1) -> Reached:
    return carry_out(Column([tried], {}), at_once, Stop())[tried.name]


def test_a_column_goes_on_until_enough_was_tried() -> None:
    did = reached(campaign(holds, wanted=7), at_once=2)
    assert did.violations == {}
    assert did.kinds.total() >= 7
    assert set(did.kinds) == {"even", "odd"}
    assert (did.first, did.last) == (0, did.seeds - 1)


def test_the_campaigns_of_a_column_come_to_their_ends_together() -> None:
    column, order = Column([campaign(holds, wanted=40), campaign(one_fails, wanted=4)], {}), list[str]()
    while seeds := column.choose(0.0):
        order.append(seeds.campaign.name)
        seeds.end(Tried(seeds.campaign, seeds.begin(0.0), (Counter(tried=1), ""), 1.0))
    assert Counter(order) == {"holds": 40, "one-fails": 4}
    ends = [at for at, name in enumerate(order) if name == "one-fails"]
    assert all(first + 5 <= at for first, at in pairwise(ends)), "one after the other, and not side by side"


def test_a_seed_that_fails_is_told_with_what_it_printed_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried = campaign(one_fails, wanted=4)
    did = reached(tried)
    assert list(did.violations) == [2]
    assert "AssertionError: two is one too many" in did.violations[2]
    assert "on the way to 2" in did.violations[2]
    assert "on the way to 1" not in did.violations[2]
    assert did.kinds == {"tried": 4}
    assert not told({tried.name: did}, [tried], 1.0, Stop())
    said = capsys.readouterr()
    assert "1 violations" in said.out
    assert f"Again with: {replay(tried, 2)}" in said.err


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize(
    ("try_seed", "said"),
    [
        (hangs, "It hung: not done after 3 seconds."),
        (dies, "killed by SIGKILL"),
        (leaves_a_process, "left processes behind"),
    ],
)
def test_no_process_outlives_its_seed(try_seed: Trying, said: str) -> None:
    before = set(children_of(os.getpid()))
    limit_seconds = 3.0 if try_seed is hangs else 30.0
    [fault] = (
        carry_out(One(campaign(try_seed, limit_seconds=limit_seconds), 0), 1, Stop()).popitem()[1].violations.values()
    )
    assert said in fault
    started = int(fault.partition("started ")[2].split()[0])
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)
    assert set(children_of(os.getpid())) <= before


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize(
    ("try_seed", "said"),
    [
        (leaves_a_file_open, "ResourceWarning: unclosed file"),
        (loses_a_thread, "ZeroDivisionError"),
        (reaches_out, "tried to leave loopback"),
        (tries_nothing, "tried nothing"),
    ],
)
def test_what_a_seed_leaves_undone_is_a_violation(try_seed: Trying, said: str) -> None:
    did = reached(campaign(try_seed))
    assert len(did.violations) == ENOUGH_VIOLATIONS if try_seed is tries_nothing else len(did.violations) == 1
    assert said in did.violations[0]


def test_no_account_of_the_person_running_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    assert reached(campaign(sees_an_account)).violations == {}


def test_seeds_that_failed_before_are_tried_first() -> None:
    column = Column([campaign(holds)], {"holds": [77, 5]})
    [seeds] = column.all
    assert [seeds.begin(0.0) for _ in range(4)] == [77, 5, 0, 1]
    assert (seeds.reached.first, seeds.reached.last) == (0, 1)


def test_a_night_goes_on_behind_the_column_and_the_night_before() -> None:
    night = Night(
        [campaign(holds), campaign(one_fails)], {}, {"holds": NIGHTS_BEGIN + 41, "one-fails": 1200}, until=1.0
    )
    assert [seeds.begin(0.0) for seeds in night.all] == [NIGHTS_BEGIN + 42, NIGHTS_BEGIN]


def test_a_nights_time_is_shared_as_the_campaigns_say_and_ends() -> None:
    small, large = campaign(holds, night_share=1.0), campaign(one_fails, night_share=3.0)
    night, now = Night([small, large], {}, {}, until=400.0), 0.0
    while seeds := night.choose(now):
        seed = seeds.begin(now)
        now += 0.5
        seeds.end(Tried(seeds.campaign, seed, (Counter(tried=1), ""), 0.5))
    assert now == 400.0
    assert [seeds.reached.seconds for seeds in night.all] == pytest.approx([100.0, 300.0], abs=1.0)


def test_a_night_leaves_a_broken_campaign_to_the_others() -> None:
    night = Night([campaign(holds), campaign(one_fails)], {}, {}, until=1e9)
    broken = night.all[0]
    for _ in range(ENOUGH_VIOLATIONS):
        broken.end(Tried(broken.campaign, broken.begin(0.0), (Counter(), "broken"), 0.0))
    assert night.choose(0.0) is night.all[1]


def test_a_night_that_is_told_to_stop_ends_with_what_it_has() -> None:
    stop, night = Stop(), Night([campaign(holds), campaign(hangs)], {}, {}, until=time.monotonic() + 60)

    def stop_once_some_are_done() -> None:
        while not night.all[0].reached.seeds:
            time.sleep(0.02)
        stop.ask()

    asking = threading.Thread(target=stop_once_some_are_done)
    asking.start()
    did = carry_out(night, 2, stop)
    asking.join()
    assert did["holds"].seeds > 0
    assert did["hangs"] == Reached(first=NIGHTS_BEGIN, last=NIGHTS_BEGIN)


@pytest.mark.parametrize("words", [["no-such-campaign"], ["--seed", "3"]])
def test_what_cannot_be_tried_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        asked_for(words)
