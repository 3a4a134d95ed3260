"""Every file that this program writes for itself, damaged in every way: said with its name, and never as a bug."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from glacier_purge.clock import utc_now
from glacier_purge.lifecycle.phases import SETTLED, Event
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.lifecycle.terms import Terms
from glacier_purge.plan.document import read_plan
from glacier_purge.run.limits import limits_file
from glacier_purge.storage.folder import LIFECYCLE_FILE, TERMS_FILE
from glacier_purge.vault.freeze import FREEZE_FILE, Frozen, settled_sha256
from tests.e2e.desk import Desk, deletes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.shell import Said


pytestmark = pytest.mark.usefixtures("parsed_once")


def a_bad_byte(good: bytes) -> bytes:
    """The first letter of a value."""
    return re.sub(rb'(:\s*")[^"]', lambda match: match[1] + b"\xff", good, count=1)


def half(good: bytes) -> bytes:
    return good[: len(good) // 2] + b"\n"


def nothing(good: bytes) -> bytes:
    return b""


def another_type(good: bytes) -> bytes:
    return b'["a list"]\n'


def no_json(good: bytes) -> bytes:
    return b"<html>Log in</html>\n"


def nested_without_end(good: bytes) -> bytes:
    return good.rstrip()[:-1] + b',"x":' + b"[" * 100_000 + b"\n"


DAMAGE: tuple[Callable[[bytes], bytes], ...] = (a_bad_byte, half, nothing, another_type, no_json, nested_without_end)


@dataclass(frozen=True)
class Document:
    """A file: what makes it, the verb that reads it then, and what has to be said. ``code`` is the exit code."""

    make: Callable[[Desk], Path]
    ask: Callable[[Desk], Said]
    code: int
    says: str
    may_be_empty: bool = False
    """An empty file of lines is one to which nothing was written yet."""


def in_the_run(name: str) -> Callable[[Desk], Path]:
    def make(desk: Desk) -> Path:
        desk.have_planned()
        return desk.run_dir / name

    return make


def in_the_proven_run(name: str) -> Callable[[Desk], Path]:
    def make(desk: Desk) -> Path:
        desk.have_proven()
        return desk.run_dir / name

    return make


def a_removal_begun(desk: Desk) -> Path:
    desk.have_proven()
    file = desk.run_dir / "removal.jsonl"
    file.write_text('{"at":"2026-11-25T00:00:00Z","event":"asked","by":"me","answer":null}\n')
    return file


def a_fetch_begun(desk: Desk) -> Path:
    assert fetch(desk).exit_code == 75
    return desk.folder / "photos.json.fetch" / "retrieval.json"


def fetch(desk: Desk) -> Said:
    at = ("--to", str(desk.folder / "photos.json"), "--endpoint-url", desk.simulator.endpoint_url)
    return desk.ask("inventory", "fetch", "photos", "--no-wait", *at)


def a_lifecycle_begun(desk: Desk) -> Path:
    assert desk.run_of("photos").exit_code == 75
    return desk.folder / "lifecycle" / LIFECYCLE_FILE


def the_terms_of_a_lifecycle(desk: Desk) -> Path:
    return a_lifecycle_begun(desk).with_name(TERMS_FILE)


def a_lifecycle_to_be_thawed(desk: Desk) -> Path:
    folder = desk.folder / "lifecycle"
    folder.mkdir(mode=0o700)
    arn = "arn:aws:glacier:us-east-1:123456789012:vaults/photos"
    begun = Terms(vault_arn=arn, endpoint_url=desk.simulator.endpoint_url, begun="2026-11-25T00:00:00Z")
    (folder / TERMS_FILE).write_bytes(msgspec.json.encode(begun))
    lifecycle = LifecycleFile(folder, utc_now)
    frozen = Frozen(vault_arn=arn, sid="GlacierPurgeFreeze", original=None, made="{}")
    way = (Event.CLEAR, Event.FETCHED, Event.PLANNED, Event.APPROVED, Event.FROZEN, Event.ACCOUNTED, Event.PROVEN)
    settled = {name: "0" * 64 for names in SETTLED.values() for name in names}
    for event in (*way, Event.KEPT):
        lifecycle.advance(event, **(settled | {"freeze_json": settled_sha256(frozen)}))
    (folder / FREEZE_FILE).write_bytes(msgspec.json.encode(frozen) + b"\n")
    return folder / FREEZE_FILE


def a_fleet_begun(desk: Desk) -> Path:
    (desk.folder / "fleet.toml").write_text('[[vaults]]\nname = "photos"\nregion = "us-east-1"\n')
    said = fleet(desk)
    assert said.exit_code == 75, said
    return desk.folder / "fleet" / "fleet.json"


def fleet(desk: Desk) -> Said:
    at = ("--run-dir", str(desk.folder / "fleet"), "--no-wait", "--endpoint-url", desk.simulator.endpoint_url)
    return desk.ask("fleet", str(desk.folder / "fleet.toml"), *at)


def carry_out(desk: Desk) -> Said:
    return desk.carry_out()


def remove(desk: Desk) -> Said:
    given = ("--confirm-vault", "photos", "--even-the-last-vault", "--no-wait")
    return desk.ask("delete-vault", str(desk.run_dir), *given)


DOCUMENTS: dict[str, Document] = {
    "plan.json": Document(in_the_run("plan.json"), carry_out, 2, "Plan again"),
    "run.json": Document(in_the_run("run.json"), carry_out, 2, "Plan again"),
    "certificate.json": Document(in_the_proven_run("certificate.json"), remove, 2, "verify again"),
    "removal.jsonl": Document(a_removal_begun, remove, 4, "move it aside", may_be_empty=True),
    "retrieval.json": Document(a_fetch_begun, fetch, 2, "Remove it to fetch the inventory afresh"),
    "lifecycle.jsonl": Document(a_lifecycle_begun, lambda desk: desk.run_of("photos"), 4, "Restore the file"),
    "terms.json": Document(the_terms_of_a_lifecycle, lambda desk: desk.run_of("photos"), 4, "Restore the file"),
    "freeze.json": Document(a_lifecycle_to_be_thawed, lambda desk: desk.run_of("photos"), 4, "glacier-purge thaw"),
    "fleet.json": Document(a_fleet_begun, fleet, 4, "Restore it from a copy"),
}


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_damaged_document_is_named_with_what_to_do(name: str, desk: Desk) -> None:
    document = DOCUMENTS[name]
    file = document.make(desk)
    good = file.read_bytes()
    before = deletes(desk.simulator) + deletes(desk.proven.simulator)
    for damage in DAMAGE:
        if damage is nothing and document.may_be_empty:
            continue
        file.write_bytes(damage(good))
        said = document.ask(desk)
        assert said.exit_code == document.code, (damage.__name__, said)
        assert str(file) in said.err, damage.__name__
        assert document.says in said.err, damage.__name__
        assert "Traceback" not in said.err
    assert deletes(desk.simulator) + deletes(desk.proven.simulator) == before


def misspelt(value: Any) -> Iterator[tuple[str, Any]]:
    """The value once for each key in it, with that key misspelt; what a step tells people has no fixed keys."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, {f"{key}x" if other == key else other: one for other, one in value.items()}
            if key != "facts":
                yield from ((name, value | {key: one}) for name, one in misspelt(inner))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from ((name, [*value[:number], one, *value[number + 1 :]]) for name, one in misspelt(inner))


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_misspelt_key_is_refused_wherever_it_stands(name: str, desk: Desk) -> None:
    """Among others those of caps and choices, which would be lost without a word."""
    document = DOCUMENTS[name]
    file = document.make(desk)
    good = file.read_bytes()
    before = deletes(desk.simulator) + deletes(desk.proven.simulator)
    lines = good.splitlines() if name.endswith(".jsonl") else [good]
    for key, variant in misspelt(json.loads(lines[0])):
        file.write_bytes(b"\n".join([json.dumps(variant).encode(), *lines[1:]]) + b"\n")
        said = document.ask(desk)
        assert said.exit_code == document.code, (key, said)
        assert str(file) in said.err, key
        assert document.says in said.err, key
    assert deletes(desk.simulator) + deletes(desk.proven.simulator) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_known_rate_that_cannot_be_read_counts_as_none(damage: Callable[[bytes], bytes], desk: Desk) -> None:
    desk.have_planned()
    plan = read_plan(desk.run_dir / "plan.json")
    file = limits_file(plan.vault, plan.endpoint_url)
    file.parent.mkdir(parents=True)
    file.write_bytes(damage(b'{"account_id":"1","region":"x","endpoint_url":"y","per_second":1.0}\n'))
    shutil.rmtree(desk.run_dir)
    assert desk.plan_of("photos").exit_code == 0
