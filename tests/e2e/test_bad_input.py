"""Whatever is wrong is refused before a delete is sent, with a message that says where, and nothing is left behind.

The command runs in this process (its start costs more than its work here), against a simulator in another.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import re
from typing import TYPE_CHECKING
from urllib.request import Request

import pytest

from glacier_purge.plan.document import read_plan
from tests.e2e.simulator import DIRECT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Bench
    from tests.e2e.shell import Shell
    from tests.e2e.simulator import Simulator

pytestmark = pytest.mark.in_process

LINE = re.compile(rb'\{"ArchiveId":"([A-Za-z0-9_-]{138})"')


# -- inventories ------------------------------------------------------------------------------------------------------


def with_size(text: bytes) -> Callable[[bytes], bytes]:
    return lambda good: re.sub(rb'"Size":[0-9]+', b'"Size":' + text, good, count=1)


def with_id(text: bytes) -> Callable[[bytes], bytes]:
    """The third record's id replaced."""
    return lambda good: good.replace(LINE.findall(good)[2], text, 1)


def repeated(good: bytes) -> bytes:
    ids = LINE.findall(good)
    return good.replace(ids[7], ids[3], 1)


def with_damaged_id(good: bytes) -> bytes:
    archive_id = LINE.findall(good)[2]
    return good.replace(archive_id, archive_id[:-1] + b"\xff", 1)


def torn_gzip(good: bytes) -> bytes:
    return gzip.compress(good)[:-20]


def broken_gzip(good: bytes) -> bytes:
    packed = bytearray(gzip.compress(good))
    packed[1000:1100] = bytes(100)
    return bytes(packed)


def third_record(spoilt: bytes) -> int:
    """Where the third record begins."""
    return [match.start() for match in re.finditer(rb'\{"ArchiveId":', spoilt)][2]


def first_record(spoilt: bytes) -> int:
    return spoilt.index(b'{"ArchiveId":')


def anywhere(_: bytes) -> None:
    return None


def at_the_start(_: bytes) -> int:
    return 0


def at_the_end(spoilt: bytes) -> int:
    return len(spoilt)


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str, Callable[[bytes], int | None]]] = {
    "truncated in a record": (lambda good: good[: len(good) // 2 + 40], "it ends inside of the record", at_the_end),
    "truncated at its end": (lambda good: good[:-1], "truncated", at_the_end),
    "empty": (lambda _: b"", "it is empty", at_the_start),
    "blank": (lambda _: b" \n", "it is empty", at_the_start),
    "a page of a portal": (lambda _: b"<html>Log in</html>", "it is a web page or XML", at_the_start),
    "other JSON": (lambda _: b'{"Vaults":[]}', "without an ArchiveList", anywhere),
    "an array": (lambda _: b"[" * 100_000, "not an object", at_the_start),
    "UTF-16": (lambda good: good.decode().encode("utf-16"), "it is text in UTF-16", at_the_start),
    "two in one": (lambda good: good + good, "another document stands behind", anywhere),
    "an id of dots": (with_id(b".."), "ArchiveId is not 138 of the characters", third_record),
    "an id with a path": (with_id(b"../../vaults/v/archives/x"), "ArchiveId is not 138", third_record),
    "an id that speaks to terminals": (with_id(b"\\u001b]0;boo\\u0007"), "ArchiveId is not 138", third_record),
    "an id that is not UTF-8": (with_damaged_id, "not UTF-8", third_record),
    "an id twice": (repeated, "record 7 repeats the archive id of record 3", anywhere),
    "no id": (lambda good: good.replace(b'"ArchiveId"', b'"archiveid"', 1), "ArchiveId is missing", anywhere),
    "a key twice": (
        lambda good: good.replace(b'"ArchiveId":', b'"ArchiveId":"x","ArchiveId":', 1),
        "the key 'ArchiveId' stands in it twice",
        first_record,
    ),
    "a size that is no number": (with_size(b"NaN"), "NaN is not JSON", anywhere),
    "a size without end": (with_size(b"Infinity"), "not JSON", anywhere),
    "a size below nothing": (with_size(b"-1"), "Size is not between 0 and 2^63 - 1", first_record),
    "a size beyond 64 bits": (with_size(b"9223372036854775808"), "Size is not between 0 and 2^63", first_record),
    "a size of 5,000 digits": (with_size(b"9" * 5000), "Size is not", first_record),
    "a size as a fraction": (with_size(b"1.0"), "Size is not an integer", first_record),
    "a size as a truth": (with_size(b"true"), "Size is not an integer", first_record),
    "a record of 3 MB": (
        lambda good: good.replace(b'"ArchiveDescription":"', b'"ArchiveDescription":"' + b"x" * 3_000_000, 1),
        "a record of more than 65,536 bytes",
        first_record,
    ),
    "gzip without its end": (torn_gzip, "truncated", anywhere),
    "gzip with a hole": (broken_gzip, "gzip compression is broken", anywhere),
    "another vault's": (
        lambda good: good.replace(b"vaults/photos", b"vaults/videos"),
        "it is the inventory of arn:aws:glacier:us-east-1:123456789012:vaults/videos",
        lambda spoilt: spoilt.index(b"arn:aws:"),
    ),
    "no vault's": (
        lambda good: good.replace(b"vaults/photos", b"vaults/.."),
        "its VaultARN names no vault",
        at_the_start,
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_inventory_that_must_not_be_believed_is_refused_with_file_byte_and_reason(case: str, shell: Shell) -> None:
    spoil, reason, offset = HOSTILE[case]
    inventory = shell.simulator.inventory(shell.folder / "inventory.json")
    spoilt = spoil(inventory.read_bytes())
    inventory.write_bytes(spoilt)
    before = shell.requests()
    said = shell.plan(inventory)
    assert said.exit_code == 2, said
    assert said.out == ""
    assert reason in said.err
    place = re.search(rf"glacier-purge: {re.escape(str(inventory))}, byte ([0-9,]+): ", said.err)
    assert place, said.err
    expected = offset(spoilt)
    assert expected is None or int(place[1].replace(",", "")) == expected
    assert "\x1b" not in said.err
    assert "Traceback" not in said.err
    assert not shell.run_dir.exists()
    assert shell.requests() == before


def csv_cases() -> dict[str, tuple[Callable[[bytes], bytes], str]]:
    def truncated(good: bytes) -> bytes:
        return good[: len(good) // 2]

    def with_dots(good: bytes) -> bytes:
        lines = good.splitlines(keepends=True)
        lines[3] = b".." + lines[3][138:]
        return b"".join(lines)

    def without_header(good: bytes) -> bytes:
        return good.partition(b"\n")[2]

    return {
        "truncated": (truncated, "it ends inside of a line"),
        "an id of dots": (with_dots, "ArchiveId is not 138"),
        "no header": (without_header, "neither like a JSON nor like a CSV"),
    }


@pytest.mark.parametrize("case", csv_cases())
def test_a_csv_inventory_is_held_to_the_same(case: str, shell: Shell) -> None:
    spoil, reason = csv_cases()[case]
    inventory = shell.simulator.inventory(shell.folder / "inventory.csv", "csv")
    inventory.write_bytes(spoil(inventory.read_bytes()))
    before = shell.requests()
    said = shell.plan(inventory, "--account-id", "123456789012")
    assert said.exit_code == 2, said
    assert reason in said.err
    assert re.search(rf"{re.escape(str(inventory))}, byte [0-9,]+: ", said.err)
    assert not shell.run_dir.exists()
    assert shell.requests() == before


def test_a_csv_description_with_backslashes_and_quotes_takes_no_record_with_it(shell: Shell) -> None:
    r"""Glacier escapes a quote as ``\"``, which Python's csv module reads as the end of the field."""
    inventory = shell.simulator.inventory(shell.folder / "inventory.csv", "csv")
    lines = inventory.read_bytes().splitlines(keepends=True)
    for number in (1, 2, 30):
        fields = lines[number].split(b",")
        lines[number] = b",".join([fields[0], rb'"a\",b\\\",2020-01-01T00:00:00Z,1,\"x"', *fields[-3:]])
    inventory.write_bytes(b"".join(lines))
    said = shell.plan(inventory, "--account-id", "123456789012", "--output", "json")
    assert said.exit_code == 0, said
    assert json.loads(said.out)["selected"] == 60


def test_a_description_that_is_not_utf8_stops_nothing(shell: Shell) -> None:
    inventory = shell.simulator.inventory(shell.folder / "inventory.json")
    inventory.write_bytes(
        inventory.read_bytes().replace(b'"ArchiveDescription":"', b'"ArchiveDescription":"\xff\xfe\x80')
    )
    said = shell.plan(inventory, "--output", "json")
    assert said.exit_code == 0, said
    assert json.loads(said.out)["selected"] == 60
    samples = read_plan(shell.run_dir / "plan.json").samples
    assert all(sample.description.startswith("\\xff\\xfe\\x80") for sample in samples)


def test_an_inventory_that_is_not_there_or_cannot_be_read_is_named(shell: Shell) -> None:
    said = shell.plan(shell.folder / "nowhere.json")
    assert (said.exit_code, shell.run_dir.exists()) == (2, False)
    assert "nowhere.json" in said.err
    said = shell.plan(shell.folder)
    assert (said.exit_code, shell.run_dir.exists()) == (2, False)


def test_a_run_folder_is_never_taken_over(shell: Shell) -> None:
    shell.planned()
    plan = (shell.run_dir / "plan.json").read_bytes()
    said = shell.plan(shell.folder / "inventory.json")
    assert said.exit_code == 2
    assert "exists already" in said.err
    assert (shell.run_dir / "plan.json").read_bytes() == plan


# -- plans ------------------------------------------------------------------------------------------------------------


def test_a_plan_is_for_one_endpoint(shell: Shell) -> None:
    digest = shell.planned()
    document = json.loads((shell.run_dir / "plan.json").read_bytes())
    assert document["plan"]["endpoint_url"] == shell.simulator.endpoint_url
    shell.run_dir.rename(shell.folder / "first")
    inventory = shell.folder / "inventory.json"
    other = shell(
        *("plan", "photos", "--inventory", str(inventory), "--run-dir", str(shell.run_dir)),
        *("--endpoint-url", "http://127.0.0.1:1", "--output", "json"),
    )
    assert json.loads(other.out)["digest"] != digest


def test_a_setting_nobody_knows_is_named_with_the_nearest_one(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = shell.planned()
    before = shell.requests()
    settings = shell.folder / "settings.toml"
    settings.write_text("[pace]\nmax_raet = 5\n")
    said = shell.apply(digest, "--config", str(settings))
    assert said.exit_code == 253, said
    assert "Did you mean max_rate?" in said.err
    assert str(settings) in said.err
    monkeypatch.setenv("GLACIER_PURGE_PACE__MAX_RAET", "5")
    said = shell.apply(digest)
    assert said.exit_code == 253, said
    assert "GLACIER_PURGE_PACE__MAX_RATE" in said.err
    assert shell.requests() == before


# -- services that say no ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "vault"),
    [(("--region", "eu-west-1"), "photos"), (("--region", "us-east-1"), "videos")],
    ids=["wrong region", "missing vault"],
)
def test_a_vault_that_is_not_there_takes_one_request(options: tuple[str, ...], vault: str, shell: Shell) -> None:
    digest = shell.planned(*options, "--account-id", "123456789012", form="csv", vault=vault)
    before = shell.requests()
    said = shell.apply(digest)
    assert said.exit_code == 254, said
    assert "ResourceNotFoundException" in said.err
    assert shell.requests() == before + 1
    assert shell.simulator.ledger()["archives_left"] == 60


def test_a_vault_nobody_has_is_told_in_the_services_words(shell: Shell) -> None:
    said = shell("doctor", "videos", "--region", "us-east-1", "--endpoint-url", shell.simulator.endpoint_url)
    assert said.exit_code == 254
    assert "DescribeVault of vault videos in us-east-1 was answered with vault missing" in said.err
    assert "ResourceNotFoundException: Vault not found for" in said.err
    assert "retries" not in said.err


def test_a_fleet_file_that_is_not_there_is_named_once(shell: Shell) -> None:
    said = shell("fleet", "nope.toml", "--run-dir", str(shell.folder / "fleet"))
    assert said.exit_code == 2
    assert "the fleet file nope.toml cannot be read: No such file or directory." in said.err


PROTECTION = ("ListTagsForVault", "GetVaultLock", "GetVaultAccessPolicy")
READS = 1 + len(PROTECTION)
"""What is asked before the first delete: the vault is described, and what protects it."""
REFUSED: dict[str, tuple[int, str]] = {
    "access-denied": (254, "AccessDeniedException"),
    "not-supported": (254, "NoLongerSupportedException"),
    "vault-missing": (254, "the vault was not found"),
    "wrong-vault": (254, "belong to another vault"),
    "captive-portal": (3, "did not come from AWS"),
    "redirect": (3, "did not come from AWS"),
    "redirect-permanent": (3, "did not come from AWS"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_of_deletes_takes_one_delete_and_fails_no_archive(kind: str, shell: Shell) -> None:
    exit_code, why = REFUSED[kind]
    digest = shell.planned()
    before = shell.requests()
    shell.simulator.post("faults", rules=[{"kind": kind}])
    try:
        said = shell.apply(digest, "--output", "json")
    finally:
        shell.simulator.post("faults", rules=[])
    assert said.exit_code == exit_code, said
    assert why in said.err
    assert shell.requests() == before + READS + 1
    result = json.loads(said.out)
    assert (result["deleted"], result["failed"], result["attempts"]) == (0, 0, 1)


def test_what_may_not_be_read_beforehand_is_told_and_the_first_delete_shows_it(shell: Shell) -> None:
    """A real policy, set through the API; the role that deletes may not read it."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive", "Resource": "*"}],
    }
    digest = shell.planned()
    change_policy(shell.simulator, "PUT", json.dumps({"Policy": json.dumps(policy)}).encode())
    shell.simulator.post("faults", rules=[{"kind": "access-denied", "operation": name} for name in PROTECTION])
    before = shell.requests()
    try:
        said = shell.apply(digest)
    finally:
        change_policy(shell.simulator, "DELETE", None)
        shell.simulator.post("faults", rules=[])
    assert said.exit_code == 254, said
    assert "not readable: ListTagsForVault (AccessDeniedException), GetVaultLock" in said.err
    assert "config/iam/delete.json" in said.err
    assert "vault's access policy" in said.err
    assert shell.requests() == before + READS + 1 + 1  # the last takes the policy away
    assert shell.simulator.ledger()["archives_left"] == 60


def change_policy(simulator: Simulator, method: str, body: bytes | None) -> None:
    address = f"{simulator.endpoint_url}/-/vaults/photos/access-policy"
    with DIRECT.open(Request(address, body, {"x-amz-glacier-version": "2012-06-01"}, method=method), timeout=30):
        pass


def test_a_second_process_on_a_run_or_a_vault_sends_nothing(bench: Bench) -> None:
    # glacier-purge apply DIR, twice at once; glacier-purge apply OTHER, of the same vault
    digest = bench.plan()["digest"]
    bench.run_dir.rename(bench.folder / "first")
    bench.plan()
    bench.simulator.post("faults", rules=[{"kind": "black-hole"}])
    first = bench.start("apply", str(bench.folder / "first"), "--confirm-digest", digest)
    before = bench.simulator.ledger()["requests"]
    while bench.simulator.ledger()["requests"] < before + READS + 1:
        assert first.poll() is None
    same_run = bench.run("apply", str(bench.folder / "first"), "--confirm-digest", digest, exit_code=75)
    assert f"another process works on the run in {bench.folder / 'first'}: process {first.pid}" in same_run.stderr
    same_vault = bench.run(*bench.apply_arguments(digest), exit_code=75)
    assert f"process {first.pid}" in same_vault.stderr
    assert "another process on this host works on arn:aws:glacier" in same_vault.stderr
    assert bench.simulator.ledger()["requests"] == before + READS + 1
    first.kill()
    first.communicate()
    bench.simulator.post("faults", rules=[])
    assert bench.json("apply", str(bench.folder / "first"))["deleted"] == 500


def test_a_lock_left_behind_by_a_crash_means_nothing(shell: Shell) -> None:
    digest = shell.planned()
    with (shell.run_dir / "lock").open("w") as held:
        held.write("4242")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        said = shell.apply(digest, "--max-rate", "1000000")
        assert said.exit_code == 75
        assert "another process works on the run in" in said.err
        assert "4242" in said.err
    shell.simulator.post("faults", rules=[{"kind": "access-denied"}])  # so that nothing is deleted for other tests
    try:
        assert shell.apply(digest).exit_code == 254
    finally:
        shell.simulator.post("faults", rules=[])
