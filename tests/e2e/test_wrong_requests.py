"""Every way we know to ask for the wrong thing: each is refused with its exit code and says what, why and what to do.

And the server's own ledger shows no delete, of an archive or of the vault, for any of them (I2, I19).  One row a wrong
request, made through the verbs that people use, against a live simulator; ``wrong_ways`` has the words for the rows.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import pytest

from glacier_purge.plan.document import read_plan
from tests.e2e.desk import Desk, asked, deletes, last_inventory
from tests.e2e.simulator import simulating
from tests.e2e.wrong_ways import (
    Ask,
    Spoil,
    a_run_held_elsewhere,
    a_vault_held_elsewhere,
    another_inventory,
    answers,
    approve,
    begun,
    behind_a_link,
    caller_is,
    dated,
    edited,
    environment,
    first,
    for_aws,
    half_of,
    hold,
    in_a_sealed_vault,
    in_retrieval,
    lifecycle_of_another_vault,
    lock_in_progress,
    nothing,
    of_a_vault_never_inventoried,
    of_another_run,
    of_vault,
    one_decision_byte,
    one_decision_more,
    one_id_denied,
    open_to_others,
    plan,
    plan_of_another_vault,
    planned,
    planned_knowingly_with_an_old_inventory,
    policy_against_deleting,
    purge,
    purge_whole,
    read_anew,
    removal,
    removal_of_a_plan,
    run,
    settings,
    tag_against_purging,
    typed,
    unproven,
    with_ids,
    with_inventory,
    with_old_inventory,
    with_settings,
    with_stragglers,
    without,
    without_credentials,
    without_endpoint,
)


class Row(NamedTuple):
    """A wrong request: how it is made, the exit code, and parts of what has to be said on stderr."""

    ask: Ask
    exit_code: int
    says: tuple[str, ...]


NOT_THERE = "ResourceNotFoundException"

PLANNING: dict[str, Row] = {
    "an age that is none": Row(plan("--older-than", "soon"), 2, ("--older-than 'soon' is neither an age",)),
    "a size that is none": Row(plan("--min-size", "huge"), 2, ("--min-size 'huge' is not a size",)),
    "a pattern that is none": Row(plan("--description", "/[/"), 2, ("is not a regular expression",)),
    "a limit of nothing": Row(plan("--limit", "0"), 2, ("--limit 0 would choose nothing",)),
    "nothing chosen": Row(plan("--newer-than", "2090-01-01"), 2, ("no archive is left to delete",)),
    "an id that is a path": Row(with_ids(lambda _: ("..",), "--ids", "{ids}"), 2, ("line 1: '..' is no archive id",)),
    "an excluded id that is none": Row(
        with_ids(lambda desk: (desk.ids[0], "typo"), "--exclude-ids", "{ids}"), 2, ("line 2: 'typo' is no archive id",)
    ),
    "a list that is missing": Row(plan("--ids", "/nonexistent"), 2, ("cannot read /nonexistent",)),
    "standard input for two": Row(
        plan("--ids", "-", "--exclude-ids", "-"), 2, ("--ids and --exclude-ids cannot both be read",)
    ),
    "a manifest of nothing": Row(
        with_ids(lambda _: ("archive_id,size", ""), "--migrated", "{ids}"), 2, ("nothing is proven",)
    ),
    "a manifest that is none": Row(
        with_ids(lambda _: ("hello",), "--migrated", "{ids}"), 2, ("is not known as a manifest",)
    ),
    "a listing alone": Row(
        with_ids(lambda _: ("bucket,key,5",), "--migrated", "{ids}"), 2, ("alone it proves nothing",)
    ),
    "copies without a manifest": Row(plan("--check-s3", "bucket"), 2, ("Give a manifest with --migrated",)),
    "another vault": Row(plan(vault="other"), 2, ("it is the inventory of", "vaults/photos")),
    "another account": Row(plan("--account-id", "999999999999"), 2, ("it is the inventory of", "123456789012")),
    "another region": Row(plan("--region", "eu-west-1"), 2, ("it is the inventory of", "us-east-1")),
    "an inventory of another vault": Row(
        with_inventory("vaults/photos", "vaults/videos", plan()), 2, ("it is the inventory of", "vaults/videos", "byte")
    ),
    "an inventory with an id that is a path": Row(
        with_inventory('"ArchiveId":"[^"]*"', '"ArchiveId":".."', plan()), 2, ("ArchiveId is not 138", "byte")
    ),
    "an inventory with an id twice": Row(
        with_inventory(r'("ArchiveId":"[^"]*")(.*?)"ArchiveId":"[^"]*"', r"\1\2\1", plan()),
        2,
        ("record 1 repeats the archive id of record 0",),
    ),
    "an inventory cut short": Row(with_inventory(r"\]\}\s*$", "", plan()), 2, ("truncated",)),
    "an inventory that is old, and the service has a newer one": Row(
        with_old_inventory(plan()), 2, ("the service has a newer one", "glacier-purge inventory fetch")
    ),
    "an inventory that is old, and the service knows none": Row(
        of_a_vault_never_inventoried, 2, ("nobody can tell whether the vault changed", "--inventory-max-age")
    ),
    "an inventory older than allowed": Row(
        with_old_inventory(plan("--inventory-max-age", "30d")), 2, ("the service has a newer one",)
    ),
    "an age of inventories that is none": Row(
        plan("--inventory-max-age", "old"), 2, ("--inventory-max-age 'old' is not a span of time",)
    ),
    "an archive that is being retrieved": Row(in_retrieval, 2, ("no archive is left to delete",)),
    "a folder that is used": Row(first(Desk.have_planned, plan()), 2, ("exists already", "give another --run-dir")),
    "a folder that another vault uses": Row(
        first(Desk.have_planned, with_inventory("vaults/photos", "vaults/films", plan(vault="films"))),
        2,
        ("exists already",),
    ),
}

_STRANGERS = {
    "a stranger": "https://glacier.example.com",
    "a stranger who looks like AWS": "https://glacier.us-east-1.amazonaws.com.evil.example",
    "AWS without TLS": "http://glacier.us-east-1.amazonaws.com",
    "the machine's metadata": "http://169.254.169.254",
    "a name that begins like loopback": "http://127.0.0.1.example.com",
    "another host behind a user": "http://user@127.0.0.1@example.com",
    "a file": "file:///etc/passwd",
}
ENDPOINTS: dict[str, Row] = {
    **{
        f"the endpoint of {who}": Row(plan("--endpoint-url", url), 2, ("is refused", "Check --endpoint-url"))
        for who, url in _STRANGERS.items()
    },
    **{
        f"the endpoint of {who}, by AWS's variable": Row(
            environment("AWS_ENDPOINT_URL_GLACIER", url, without_endpoint), 2, ("is refused", "Check --endpoint-url")
        )
        for who, url in _STRANGERS.items()
    },
    "a stranger's endpoint by our variable": Row(
        environment("GLACIER_PURGE_AWS__ENDPOINT_URL", _STRANGERS["a stranger"], without_endpoint), 2, ("is refused",)
    ),
    "a stranger's endpoint by the settings file": Row(
        with_settings('[aws]\nendpoint_url = "https://glacier.example.com"\n', without_endpoint), 2, ("is refused",)
    ),
    "a region without the service": Row(
        lambda desk: for_aws(desk, "--region", "eu-west-9"), 2, ("has no vaults in region 'eu-west-9'", "--region")
    ),
    "no check of certificates, for AWS": Row(
        lambda desk: for_aws(desk, "--no-verify-ssl", "--confirm-digest", "0" * 64),
        2,
        ("certificates are always checked outside of this machine",),
    ),
}

_PHOTOS_DENIED = '[safety]\ndeny_vaults = ["prod-*", "pho*"]\n'
_ARN_DENIED = '[safety]\ndeny_vaults = ["arn:aws:glacier:us-east-1:*"]\n'
_ACCOUNT_DENIED = '[safety]\ndeny_accounts = ["123456789012"]\n'
_LIST_MISSING = '[safety]\ndeny_id_files = ["/nonexistent"]\n'
_DENIED: dict[str, tuple[Spoil, str]] = {
    "vault on the deny list": (settings(_PHOTOS_DENIED), "has 'pho*'"),
    "ARN on the deny list": (settings(_ARN_DENIED), "has 'arn:aws:glacier"),
    "account on the deny list": (settings(_ACCOUNT_DENIED), "safety.deny_accounts"),
    "deny list that is missing": (settings(_LIST_MISSING), "cannot read /nonexistent"),
    "deny list that is none": (lambda desk: desk.deny_ids("typo"), "line 1: 'typo' is no archive id"),
}
_PROTECTED: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "legal hold": (hold, ("tagged LegalHold=true", "take the tag away when they agree")),
    "tag purge:deny": (tag_against_purging, ("tagged purge:deny=", "ask them")),
    "policy that denies deletes": (policy_against_deleting, ("KeepThem denies deleting any archive", "ask whoever")),
    "lock in progress": (lock_in_progress, ("vault lock: statement 1 denies deleting any archive", "ask whoever")),
}
DENIED: dict[str, Row] = {
    **{
        f"at {when}, a {what}": Row(make(spoil), 2, (message,))
        for what, (spoil, message) in _DENIED.items()
        for when, make in (
            ("plan", lambda spoil: first(spoil, plan())),
            ("apply", planned),
            ("resume", begun),
        )
    },
    "at plan, all ids on the deny list": Row(
        first(lambda desk: desk.deny_ids(*desk.ids), plan()), 2, ("no archive is left to delete",)
    ),
    "at apply, an id on the deny list": Row(planned(one_id_denied), 2, ("record 7 of the plan", "Plan again")),
    "at resume, an id on the deny list": Row(begun(one_id_denied), 2, ("record 7 of the plan", "Plan again")),
    "at run, a vault on the deny list": Row(run(settings(_PHOTOS_DENIED), "--freeze"), 2, ("has 'pho*'",)),
    "at run, an account on the deny list": Row(run(settings(_ACCOUNT_DENIED)), 2, ("safety.deny_accounts",)),
    "a deny list whose place depends on where one stands": Row(
        with_settings('[safety]\ndeny_id_files = ["ids"]\n', plan()), 253, ("not an absolute path",)
    ),
    **{
        f"at {when}, a {what}": Row(make(spoil), 2, ("can't be purged as things are", *says))
        for what, (spoil, says) in _PROTECTED.items()
        for when, make in (("apply", planned), ("resume", begun), ("purge", purge), ("run", run))
    },
    "a vault that is locked for ever": Row(in_a_sealed_vault, 2, ("vault lock: statement 1 denies deleting",)),
}

APPLYING: dict[str, Row] = {
    "more archives than allowed": Row(
        planned(nothing, "--max-archives", "59"), 2, ("more than the 59 of --max-archives", "or allow more")
    ),
    "more bytes than allowed": Row(
        planned(nothing, "--max-bytes", "1B"), 2, ("more than the 1 bytes of --max-bytes", "or allow more")
    ),
    "more archives than the settings allow": Row(
        planned(settings("[safety]\nmax_archives = 3\n")), 2, ("more than the 3 of --max-archives",)
    ),
    "more archives than allowed, at purge": Row(
        purge(nothing, "--max-archives", "3", "--confirm-digest", "0" * 64), 2, ("more than the 3 of --max-archives",)
    ),
    "more archives than allowed, at resume": Row(
        begun(nothing, "--max-archives", "3"), 2, ("more than the 3 of --max-archives",)
    ),
    "more bytes than allowed, at resume": Row(begun(nothing, "--max-bytes", "1B"), 2, ("of --max-bytes",)),
    "a duration that is none": Row(planned(nothing, "--max-duration", "long"), 2, ("is not a span",)),
    "a duration of nothing": Row(planned(nothing, "--max-duration", "0h"), 2, ("--max-duration is 0",)),
    "a plan that is stale": Row(
        planned(dated("2020-01-01T00:00:00Z")), 2, ("can be approved for 7 days", "Plan again")
    ),
    "a plan of the future": Row(planned(dated("2999-01-01T00:00:00Z")), 2, ("in the future", "a clock is wrong")),
    "a plan without a date": Row(planned(dated("lately")), 2, ("does not say when the plan was made", "Plan again")),
    "an old inventory that was planned with knowingly": Row(
        planned_knowingly_with_an_old_inventory, 2, ("the service has a newer one", "--inventory-max-age")
    ),
    "a setting nobody knows": Row(planned(settings("[pace]\nmax_raet = 5\n")), 253, ("Did you mean max_rate?",)),
}

SPOILT: dict[str, Row] = {
    "an edited count": Row(
        planned(edited("plan.json", '"selected": 60', '"selected": 2')),
        2,
        ("was changed after it was made", "Plan again"),
    ),
    "an edited reason": Row(
        planned(edited("plan.json", '"name": "delete"', '"name": "keep"')), 2, ("was changed after it was made",)
    ),
    "an edited account": Row(
        planned(edited("plan.json", '("account_id": )"[0-9]*"', r'\g<1>"999999999999"')), 2, ("was changed after it",)
    ),
    "an edited region": Row(
        planned(edited("plan.json", '("region": )"[^"]*"', r'\g<1>"eu-west-1"')), 2, ("was changed after it was made",)
    ),
    "an edited vault": Row(
        planned(edited("plan.json", '("vault_name": )"[^"]*"', r'\g<1>"films"')), 2, ("was changed after it was made",)
    ),
    "an edited endpoint": Row(
        planned(edited("plan.json", "127.0.0.1", "127.0.0.2")), 2, ("was changed after it was made",)
    ),
    "an edited version of the tool": Row(
        planned(edited("plan.json", '("tool_version": )"[^"]*"', r'\g<1>"99.0"')), 2, ("was changed after it was made",)
    ),
    "an edited digest": Row(
        planned(edited("plan.json", '("digest": )"[0-9a-f]*"', rf'\g<1>"{"0" * 64}"')), 2, ("was changed after it was",)
    ),
    "a plan whose digest was made to fit": Row(
        planned(plan_of_another_vault), 2, ("is not this plan's", "Look at the")
    ),
    "half a plan": Row(planned(half_of("plan.json")), 2, ("cannot be read as a plan", "Plan again")),
    "no plan": Row(planned(without("plan.json")), 2, ("holds no plan", "glacier-purge plan")),
    "an edited decision": Row(planned(one_decision_byte), 2, ("was changed after planning",)),
    "a decision more": Row(planned(one_decision_more), 2, ("was changed after planning",)),
    "an edited snapshot": Row(
        planned(edited("inventory.json", '"ArchiveId":"..', '"ArchiveId":"AA')),
        2,
        ("was changed after it was planned",),
    ),
    "half a snapshot": Row(planned(half_of("inventory.json")), 2, ("was changed after it was planned with",)),
    "another snapshot": Row(planned(another_inventory), 2, ("was changed after it was planned with",)),
    "no snapshot": Row(planned(without("inventory.json")), 2, ("can't be read",)),
    "no identity": Row(planned(without("run.json")), 2, ("not a whole run folder", "Plan again")),
    "a folder that others can write": Row(planned(open_to_others), 2, ("written by other users", "chmod 0700")),
    "a folder behind a link": Row(planned(behind_a_link), 2, ("symbolic links are not followed",)),
    "no folder": Row(lambda desk: desk.resume(), 2, ("is not a run folder",)),
    "a run that another process works on": Row(
        a_run_held_elsewhere, 75, ("another process works on the run", "4242 of alice")
    ),
    "a vault that another process purges": Row(
        a_vault_held_elsewhere,
        75,
        ("another process on this host works on arn:aws:glacier", "another-run", f"process {os.getpid()} of "),
    ),
}
"""What is seen without a single request."""

APPROVING: dict[str, Row] = {
    "no terminal and no digest": Row(approve(), 2, ("there is no terminal to ask on", "--confirm-digest")),
    "no terminal and no digest, at purge": Row(
        lambda desk: desk.purge_of("photos"), 2, ("there is no terminal to ask on", "--confirm-digest")
    ),
    "a bare --yes": Row(approve("--yes"), 2, ("--yes",)),
    "a bare -y": Row(approve("-y"), 2, ("-y",)),
    "a bare --force": Row(approve("--force"), 2, ("--force",)),
    "another plan's digest": Row(approve("--confirm-digest", "0" * 64), 2, ("is not this plan's", "nothing was sent")),
    "another plan's digest in capitals": Row(approve("--confirm-digest", "ABCDEF" * 10), 2, ("is not this plan's",)),
    "a digest that is short": Row(approve("--confirm-digest", "{short}"), 2, ("is not this plan's",)),
    "a digest that is empty": Row(approve("--confirm-digest", ""), 2, ("is not this plan's",)),
    "another plan's digest at purge": Row(purge(nothing, "--confirm-digest", "0" * 64), 2, ("is not this plan's",)),
    "another plan's digest at resume": Row(begun(nothing, "--confirm-digest", "0" * 64), 2, ("is not this plan's",)),
    "yes, typed": Row(typed("yes\n"), 2, ("is not 'photos 60'", "Nothing was sent")),
    "another vault's name, typed": Row(typed("films 60\n"), 2, ("is not 'photos 60'",)),
    "another number, typed": Row(typed("photos 61\n"), 2, ("is not 'photos 60'",)),
    "the name alone, typed": Row(typed("photos\n"), 2, ("is not 'photos 60'",)),
    "nothing, typed": Row(typed("\n"), 2, ("is not 'photos 60'",)),
}

RESUMING: dict[str, Row] = {
    "an edited plan, at resume": Row(
        begun(edited("plan.json", '"selected": 60', '"selected": 2')), 2, ("was changed after it was made",)
    ),
    "an edited decision, at resume": Row(begun(one_decision_byte), 2, ("was changed after planning",)),
    "another snapshot, at resume": Row(begun(another_inventory), 2, ("was changed after it was planned with",)),
    "an edited line of the audit log": Row(
        begun(read_anew(edited("audit/000001.jsonl", '"event":"approved"', '"event":"approvex"'))), 4, ("byte",)
    ),
    "an audit log of another plan": Row(
        begun(read_anew(edited("audit/000001.jsonl", '"prev":"[0-9a-f]{64}"', f'"prev":"{"0" * 64}"'))), 4, ("byte",)
    ),
    "an audit log without one of its lines": Row(
        begun(read_anew(edited("audit/000001.jsonl", r"\n[^\n]*\n", r"\n"))), 4, ("byte",)
    ),
    "an audit log without its beginning": Row(begun(without("audit/000001.jsonl")), 4, ("the log ends before",)),
    "a folder that others can write, at resume": Row(begun(open_to_others), 2, ("written by other users",)),
}

SERVICE: dict[str, Row] = {
    "a vault that is missing": Row(
        of_vault("nowhere"),
        254,
        (NOT_THERE, "vault name"),
    ),
    "a vault of another region": Row(
        with_inventory("us-east-1:123456789012", "eu-west-1:123456789012", lambda desk: purge_whole(desk, "photos")),
        254,
        (NOT_THERE, "region"),
    ),
    "an account without the service": Row(
        planned(answers("not-supported", "DescribeVault")), 254, ("NoLongerSupportedException",)
    ),
    "credentials that may not see the vault": Row(
        begun(answers("access-denied", "DescribeVault")), 254, ("AccessDeniedException",)
    ),
    "credentials that have expired": Row(
        planned(answers("expired-token", "DescribeVault")), 253, ("ExpiredTokenException",)
    ),
    "signatures that the service does not accept": Row(
        planned(answers("invalid-signature", "DescribeVault")), 253, ("InvalidSignatureException",)
    ),
    "a page to log in": Row(
        planned(answers("captive-portal", "DescribeVault")), 3, ("was answered with not AWS (200)", "login page")
    ),
    "no credentials": Row(
        planned(without_credentials),
        253,
        ("credentials",),
    ),
    "a profile nobody has": Row(planned(nothing, "--profile", "nobody"), 253, ("nobody", "Check the profile")),
    "the root user": Row(
        caller_is("arn:aws:iam::123456789012:root"), 253, ("is the account's root user", "Take a role")
    ),
    "a user of another account": Row(
        caller_is("arn:aws:iam::999999999999:user/eve"), 253, ("belong to account 999999999999", "Use credentials")
    ),
}

RUNNING: dict[str, Row] = {
    "a lifecycle of another vault": Row(
        lifecycle_of_another_vault, 2, ("vaults/photos", "not of", "another --run-dir")
    ),
    "the removal of another vault": Row(
        run(nothing, "--delete-vault", "films"), 2, ("'films' is not 'photos'", "--delete-vault")
    ),
    "a lifecycle of a vault that is missing": Row(
        run(nothing, "--account-id", "123456789012", vault="nowhere"), 254, (NOT_THERE,)
    ),
    "a name that is a path": Row(run(nothing, vault=".."), 2, ("'..'",)),
}

REMOVING: dict[str, Row] = {
    "the removal of a vault whose run is not finished": Row(
        removal_of_a_plan, 2, ("the run is not finished", "run glacier-purge verify first")
    ),
    "the removal of a vault that is not proven": Row(
        removal(unproven), 2, ("there is no certificate", "run glacier-purge verify first")
    ),
    "the removal of a vault with stragglers": Row(removal(with_stragglers), 2, ("inventory lists 3 archives",)),
    "the removal by another run's certificate": Row(removal(of_another_run), 2, ("the certificate is of another run",)),
    "the removal by an edited certificate": Row(
        removal(edited("certificate.json", '"listed": 0', '"listed": 1')), 2, ("was changed after it", "verify again")
    ),
    "the removal under another name": Row(
        removal(nothing, confirm="photo"), 2, ("is not the name of this run's vault",)
    ),
    "the removal of the account's last vault": Row(removal(nothing), 2, ("only vault", "--even-the-last-vault")),
    "the removal by a plan that was edited": Row(
        removal(edited("plan.json", '"selected": 5', '"selected": 0')), 2, ("was changed after it was made",)
    ),
    "the removal by a log that was edited": Row(
        removal(edited("audit/000001.jsonl", '"event":"approved"', '"event":"approvex"')), 4, ("000001.jsonl, byte",)
    ),
}

ROWS: dict[str, Row] = {
    **PLANNING,
    **ENDPOINTS,
    **DENIED,
    **APPLYING,
    **SPOILT,
    **APPROVING,
    **RESUMING,
    **SERVICE,
    **RUNNING,
    **REMOVING,
}


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("wrong", ROWS)
def test_a_wrong_request_is_refused_and_deletes_nothing(wrong: str, desk: Desk) -> None:
    row = ROWS[wrong]
    before = deletes(desk.simulator) + deletes(desk.proven.simulator)
    requests = desk.requests()
    said = row.ask(desk)
    assert said.exit_code == row.exit_code, said
    for part in row.says:
        assert part in said.err, said.err
    assert "Traceback" not in said.err
    assert not re.search(r"\bNone\b", said.out + said.err), "what is not known is said in words, or not at all"
    assert deletes(desk.simulator) + deletes(desk.proven.simulator) == before
    assert wrong not in SPOILT or desk.requests() == requests


def test_one_archive_on_a_deny_list_stays_and_the_others_are_planned(desk: Desk) -> None:
    desk.deny_ids(desk.ids[7])
    assert desk.plan_of("photos").exit_code == 0
    reasons = read_plan(desk.run_dir / "plan.json").reasons
    assert {one.name: one.records for one in reasons if one.records} == {"delete": 59, "on_deny_list": 1}


def test_an_old_inventory_that_is_still_the_vaults_last_is_as_good_as_new(desk: Desk) -> None:
    """The service makes no new one of a vault in which nothing changed."""
    with simulating(archives=3, latency_ms=1.0) as other:
        last = last_inventory(other)
        other.inventory(desk.folder / "inventory.json")
        other.post("clock", step_seconds=400 * 86_400.0)
        options = ("--endpoint-url", other.endpoint_url)
        said = with_inventory('"InventoryDate":"[^"]*"', f'"InventoryDate":"{last}"', plan(*options))(desk)
        assert said.exit_code == 0, said
        digest = read_plan(desk.run_dir / "plan.json").digest
        assert desk.ask("apply", str(desk.run_dir), "--confirm-digest", digest).exit_code == 0
        assert other.ledger()["archives_left"] == 0


def test_a_run_that_was_begun_goes_on_however_old_its_inventory_gets(desk: Desk) -> None:
    """Its own deletes make the service's inventories newer."""
    with simulating(archives=3, latency_ms=1.0) as other:
        other.inventory(desk.folder / "inventory.json")
        made = desk.plan_of("photos", "--endpoint-url", other.endpoint_url)
        assert made.exit_code == 0, made
        other.post("faults", rules=[{"kind": "access-denied"}])
        digest = read_plan(desk.run_dir / "plan.json").digest
        assert desk.ask("apply", str(desk.run_dir), "--confirm-digest", digest).exit_code == 254
        other.post("faults", rules=[])
        asked(other, "DELETE", f"photos/archives/{desk.ids[0]}")
        other.post("clock", step_seconds=9 * 86_400.0)
        assert desk.resume().exit_code == 0
        assert other.ledger()["archives_left"] == 0


def test_the_table_is_as_long_as_was_promised() -> None:
    assert len(ROWS) >= 60
    assert len(ROWS) == sum(
        map(len, (PLANNING, ENDPOINTS, DENIED, APPLYING, SPOILT, APPROVING, RESUMING, SERVICE, RUNNING, REMOVING))
    )
