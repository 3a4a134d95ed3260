"""Ways to tamper with any file of a lifecycle's or a fleet's folder, and which of them nobody can tell."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from glacier_purge.api.clients import Clients
from glacier_purge.api.fleet import FleetPeople, opened_fleet
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.fleet.fleet import State
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.plan.choices import EVERY_ARCHIVE, Choices
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder
from tests.clients import Stepping, simulated
from tests.lifecycle.lifecycles import carried, said_yes, upload

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.plan.document import Plan

Content = bytes | None
"""A file's; None where there is none."""

_FOR_PEOPLE = ("noticed.json", "waiting.json", "ended.json", "lock", ".ids", "unproven.csv", "report.html")
_OF_A_FORM = ("retrieval.json", "removal.jsonl")
"""Nothing vouches for what they say."""
_OF_A_PLAN = ("decisions", "duplicates", "inventory.json", "inventory.json.sha256", "retrieval.json")
"""What a round leaves that came to no plan, and by which nothing is done."""
_SEALED = ("plan.json", "certificate.json", "fleet.json")
"""Their digest is of what they say, not of how it is spaced."""
_MAY_BE_GONE = (
    *("checkpoint", "checkpoint.previous", "freeze.json", "fleet.toml", "verification/inventory.json.sha256"),
    *_OF_A_FORM,
)
"""What a crash, or advice of ours, leaves away."""


def one_bit(rng: random.Random, data: bytes) -> Content:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def one_byte(rng: random.Random, data: bytes) -> Content:
    at = rng.randrange(len(data))
    return data[:at] + rng.choice(b"0123456789abcdef {}\"',:-Z").to_bytes() + data[at + 1 :]


def cut(rng: random.Random, data: bytes) -> Content:
    return data[: rng.randrange(len(data))]


def emptied(_: random.Random, __: bytes) -> Content:
    return b""


def gone(_: random.Random, __: bytes) -> Content:
    return None


def doubled(_: random.Random, data: bytes) -> Content:
    return data * 2


def garbage_behind(rng: random.Random, data: bytes) -> Content:
    return data + bytes([rng.randrange(128, 256), *rng.randbytes(rng.randrange(40))])


def crlf(_: random.Random, data: bytes) -> Content:
    return data.replace(b"\n", b"\r\n")


def byte_order_mark(_: random.Random, data: bytes) -> Content:
    return b"\xef\xbb\xbf" + data


def no_utf8(rng: random.Random, data: bytes) -> Content:
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(128, 256)]) + data[at + 1 :]


def line_dropped(rng: random.Random, data: bytes) -> Content:
    lines = data.splitlines(keepends=True)
    del lines[rng.randrange(max(1, len(lines) - 1))]
    return b"".join(lines)


def lines_swapped(rng: random.Random, data: bytes) -> Content:
    lines = data.splitlines(keepends=True)
    at = rng.randrange(max(1, len(lines) - 1))
    lines[at : at + 2] = reversed(lines[at : at + 2])
    return b"".join(lines)


def line_doubled(rng: random.Random, data: bytes) -> Content:
    lines = data.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


WAYS: tuple[Callable[[random.Random, bytes], Content], ...] = (
    *(one_bit, one_byte, cut, emptied, gone, doubled, garbage_behind, crlf, byte_order_mark, no_utf8),
    *(line_dropped, lines_swapped, line_doubled),
)


def shows(name: str, before: bytes, after: Content, *, planned: bool) -> bool | None:
    """Tell whether a change has to be found; None where it may be, or not. ``planned``: there is a plan beside it."""
    if not planned and name.endswith(_OF_A_PLAN) and "/verification/" not in name:
        return None
    if after == before or name.endswith(_FOR_PEOPLE):
        return False if after == before else None
    if after is None:
        return not name.endswith(_MAY_BE_GONE) or None
    if name.endswith(_OF_A_FORM):
        return not _is_json(after) if name.endswith(".json") else None
    if name.endswith(_SEALED) and _is_json(after) and json.loads(after) == json.loads(before):
        return None
    if name.endswith("lifecycle.jsonl") and before.startswith(after[: after.rfind(b"\n") + 1]):
        return _lacks_what_was_made(after, before) or None
    return True


def _lacks_what_was_made(after: bytes, before: bytes) -> bool:
    """Tell whether steps that were cut off at the end are missed: by a round, or a plan, that only they lead to.

    Others are done again, as after a crash.
    """
    lost = before[after.rfind(b"\n") + 1 :]
    return b'"event":"planned"' in lost and b'"event":"planned"' not in lost.partition(b"\n")[0]


def _is_json(content: bytes) -> bool:
    with suppress(ValueError, RecursionError):
        json.loads(content)
        return not content.startswith(b"\xef\xbb\xbf")
    return False


def blamed(name: str) -> set[str]:
    """The files by which damage of one may be told: one hash is of two, a step misses what is gone."""
    stem = name.removesuffix(".zst").removesuffix(".sha256")
    folder, _, base = stem.rpartition("/")
    below = f"{folder}/" if folder else ""
    segments = {f"{folder}/{number:06d}.jsonl" for number in range(1, 20)}
    also = {
        "duplicates": {f"{below}decisions"},
        "certificate.json": {f"{below.rpartition('round-')[0]}lifecycle.jsonl", f"{below}certificate.txt"},
        "manifest.jsonl": segments,
    }
    if stem in segments:  # one that is gone is missed by the one before, and by the folder
        also[base] = {folder, f"{folder}/{int(base[:6]) - 1:06d}.jsonl"}
    return {stem} | also.get(base, set())


async def lifecycle(place: Path, rng: random.Random) -> None:
    """A vault's whole way in two rounds."""
    removed = rng.random() < 0.5
    options = LifecycleOptions(
        freeze=rng.random() < 0.8, remove_vault="photos" if removed else None, even_the_last=True
    )
    async with simulated(archives=rng.randint(4, 20)) as (glacier, _):

        async def yes(folder: RunFolder, plan: Plan) -> Approval:
            if folder.path.name == "round-1":
                await upload(glacier)
            return await said_yes(folder, plan)

        choices = EVERY_ARCHIVE if removed or rng.random() < 0.5 else Choices(limit=3)
        ending = await carried(glacier, place, choices, options=options, approve=yes)
        assert ending.state is State.DONE, ending


async def fleet(place: Path, rng: random.Random) -> None:
    """Two vaults side by side, to their end."""
    async with simulated(archives=rng.randint(3, 12)) as (glacier, _):
        glacier.service.generate_vault("films", rng.randint(1, 9), 1_000_000_000.0)
        settings = Settings.model_validate(
            {
                "aws": {"endpoint_url": glacier.endpoint_url, "region": "us-east-1"},
                "pace": {"first_per_second": 1000.0},
            }
        )
        file = place.with_suffix(".toml")
        file.write_text('[[vaults]]\nname = "*"\nfreeze = true\n', "utf-8")

        async def approve(request: ApprovalRequest) -> Approval:
            return approve_by_digest(request.plan, request.plan.digest, "me@here")

        def silent(*_: Any) -> None:
            pass

        people = FleetPeople(approve=approve, say=silent, waiter_for=lambda *_: Stepping(glacier))
        async with (
            Clients() as clients,
            opened_fleet(file, RunFolder.open_or_create(place), lambda *_: settings, clients, people) as opened,
        ):
            await opened.fleet.go_on()
        assert {ending.state for ending in opened.fleet.endings.values()} == {State.DONE}, opened.fleet.endings
