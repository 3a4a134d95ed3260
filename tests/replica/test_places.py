"""Which files of a folder are in its replica, and where the replica of a folder lies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import glacier_purge
from glacier_purge.replica.places import (
    above,
    fleet_key,
    is_fleets,
    is_kept,
    lifecycle_key,
    missing,
    number_of,
    numbered,
    round_of,
    run_key,
)

LEFT_OUT = {
    "page.json": "it has the secret of the live page",
    "report.html": "made again by report",
    "waiting.json": "a note that nothing goes by",
    "ended.json": "likewise",
    "told.json": "what hooks were told of on this host",
    "stream.json": "a script's log has no replica",
}
ARN = "arn:aws:glacier:eu-west-1:123456789012:vaults/photos"


def test_every_file_that_a_folder_may_have_is_kept_or_left_out_for_a_reason() -> None:
    sources = Path(glacier_purge.__file__).parent.rglob("*.py")
    named = {
        name
        for source in sources
        for name in re.findall(r'^[A-Z_]*FILE = "([a-z.-]+)"$', source.read_text("utf-8"), re.MULTILINE)
    }
    in_verification = {"still-listed.ids", "never-deleted.ids", "new-since.ids", "kept-gone.ids"}
    in_approvals = {"allowed_signers"}
    on_this_host = {"lock", "control", "inventory.part", ".file-system", "disk"}
    folders = dict.fromkeys(in_verification, "verification/") | dict.fromkeys(in_approvals, "approvals/")
    assert len(named) > 25
    for name in named - on_this_host:
        assert is_kept(folders.get(name, "") + name) or LEFT_OUT.get(name), f"{name} would be lost with a disk"
    assert is_kept("audit/000001.jsonl.torn-1")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/plan.json",
        "../plan.json",
        "round-1/../plan.json",
        "audit/000001.jsonl",
        "lock",
        "plan.json\n",
        "round-x/run.json",
        "123456789012-eu-west-1-photos/lifecycle.jsonl",
        "123456789012-eu-west-1-/terms.json",
        "../123456789012-eu-west-1-photos/terms.json",
    ],
)
def test_no_other_name_is_ever_written(name: str) -> None:
    assert not is_kept(name)


def test_keys_sort_as_numbers_and_gaps_are_seen() -> None:
    keys = [numbered("log/", number) for number in (1, 2, 10, 99_999_999)]
    assert keys == sorted(keys)
    assert [number_of(key, "log/") for key in keys] == [1, 2, 10, 99_999_999]
    assert [number_of(key, "log/") for key in ("log/1", "log/0000000001", "log/x")] == [None, None, None]
    assert [missing([1, 2, 3]), missing([1, 3]), missing([2]), missing([])] == [None, 2, 1, None]
    assert [round_of("log/1"), round_of("round-2/log/1"), round_of("files/1")] == ["", "round-2/", None]


@pytest.mark.parametrize(
    "key", [run_key(ARN, "photos-run", "ab" * 32), lifecycle_key(ARN, "ab" * 32), fleet_key("ab" * 32)]
)
def test_what_all_replicas_lie_below_is_known_from_one_of_them(key: str) -> None:
    assert above("a/b/" + key.rstrip("/")) == "a/b"
    assert above(key.rstrip("/")) == ""
    assert above("somewhere/else") is None
    assert is_fleets("a/b/" + key.rstrip("/")) == key.startswith("fleets/")
