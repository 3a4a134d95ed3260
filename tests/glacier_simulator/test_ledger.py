"""What tests may ask afterwards: how many deletes came, for which archives, and what they met."""

from __future__ import annotations

import msgspec
import pytest

from glacier_simulator.archives import Record
from glacier_simulator.exchange import Request
from glacier_simulator.throttle import Limit
from glacier_simulator.vault import PretendGlacier
from tests.glacier_simulator.asking import ACCOUNT, DAY, HOUR, KEY, NOW, OWNER, VERSION, Asker, parsed, refused, whole


@pytest.fixture
def glacier() -> PretendGlacier:
    glacier = PretendGlacier()
    glacier.generate_vault("photos", 100, NOW)
    return glacier


def ids(glacier: PretendGlacier) -> list[str]:
    shelf = glacier.vault("photos", NOW).shelf
    return [shelf.archive_id(index) for index in range(len(shelf))]


def test_both_ways_of_deleting_count_the_same(glacier: PretendGlacier) -> None:
    asker = Asker(glacier)
    some = [*ids(glacier)[:5], *ids(glacier)[:2], "x" * 138, "malformed"]
    slow = [asker.delete("photos", one) for one in some]
    first = glacier.ledger.summary()
    other = PretendGlacier()
    other.generate_vault("photos", 100, NOW)
    fast = [204 if (no := other.delete_archive("photos", one, NOW)) is None else no.status for one in some]
    assert slow == fast == [204] * 8 + [400]
    assert other.ledger.summary() == first
    assert first == {
        "deletes_received": 9,
        "distinct_ids": 5,
        "archives_left": 95,
        "throttled": 0,
        "already_gone": 2,
        "unknown": 1,
        "wrong_vault": 0,
        "malformed": 1,
        "denied": 0,
        "no_vault": 0,
    }


def test_throttled_deletes_are_counted_apart_but_known(glacier: PretendGlacier) -> None:
    glacier.set_limit(Limit(1, 3), NOW)
    some = ids(glacier)[:5]
    asker = Asker(glacier)
    assert [asker.delete("photos", one) for one in some[:4]] == [204, 204, 204, 400]
    refusal = glacier.delete_archive("photos", some[4], NOW)
    assert refusal is not None
    assert (refused(refusal)[1], len(refusal.headers)) == ("ThrottlingException", 2)
    assert asker.delete("photos", "malformed") == 400
    ledger = glacier.ledger
    assert (ledger.deletes_received, ledger.throttled, ledger.distinct_ids) == (3, 3, 3)
    assert [ledger.times_received(one) for one in some] == [1, 1, 1, 0, 0]
    assert [ledger.times_throttled(one) for one in some] == [0, 0, 0, 1, 1]
    shelf_number = glacier.vault("photos", NOW).shelf.number
    assert list(ledger.received_indices(shelf_number)) == [0, 1, 2, 3, 4]
    assert list(ledger.received_ids(shelf_number)) == some


def test_counts_of_one_archive_stop_at_255(glacier: PretendGlacier) -> None:
    one = ids(glacier)[0]
    for _ in range(300):
        glacier.delete_archive("photos", one, NOW)
    assert glacier.ledger.times_received(one) == 255
    assert glacier.ledger.deletes_received == 300
    glacier.set_limit(Limit(1, 1), NOW)
    for _ in range(300):
        glacier.delete_archive("photos", one, NOW)
    assert glacier.ledger.times_throttled(one) == 255


def test_an_inventory_that_is_due_comes_before_the_delete(glacier: PretendGlacier) -> None:
    some = ids(glacier)
    glacier.delete_archive("photos", some[0], NOW)
    glacier.delete_archive("photos", some[1], NOW + 13 * HOUR)
    last = glacier.vault("photos", NOW + 13 * HOUR).last_inventory
    assert last is not None
    assert (last.date, last.live) == (NOW + 12 * HOUR, 99)


def test_somebody_else_can_act_for_the_home_account() -> None:
    glacier = PretendGlacier(credentials={KEY: OWNER})
    glacier.create_vault("photos", NOW)
    tags = Request("POST", "/-/vaults/photos/tags", {"operation": "add"}, VERSION, b'{"Tags":{"LegalHold":"true"}}')
    assert glacier.handle_as_owner(tags, NOW).status == 204
    assert glacier.vault("photos", NOW).facts.tags == {"LegalHold": "true"}
    missing = glacier.handle_as_owner(Request("GET", "/-/vaults/nope", {}, VERSION), NOW)
    assert refused(missing)[1] == "ResourceNotFoundException"
    assert len(missing.headers) == 2


def test_a_doomed_job_fails_when_its_time_comes(glacier: PretendGlacier) -> None:
    asker = Asker(glacier)
    job_id = asker.start_job("photos", Type="inventory-retrieval")
    glacier.doom_job(job_id, "It was not to be.")
    glacier.doom_job("unknown", "It never was.")
    assert parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}"))["StatusCode"] == "InProgress"
    asker.now += 5 * HOUR
    described = parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}"))
    assert (described["StatusCode"], described["StatusMessage"]) == ("Failed", "It was not to be.")


def test_a_missing_vault_is_counted(glacier: PretendGlacier) -> None:
    response = glacier.delete_archive("nope", "x" * 138, NOW)
    assert response is not None
    assert refused(response)[2].startswith("Vault not found for ARN")
    assert glacier.ledger.tally.no_vault == 1


@pytest.mark.parametrize(
    ("account", "version", "authorization", "plain"),
    [
        ("-", "2012-06-01", None, True),
        (ACCOUNT, "2012-06-01", "AWS4-HMAC-SHA256 Credential=A/20270115/us-east-1/glacier/aws4_request, x", True),
        ("-", "2012-06-01", "AWS4-HMAC-SHA256 Credential=A/20270115/eu-west-1/glacier/aws4_request, x", False),
        ("999999999999", "2012-06-01", None, False),
        ("-", None, None, False),
        ("-", "2011", None, False),
    ],
)
def test_only_plain_deletes_take_the_short_way(
    glacier: PretendGlacier, account: str, version: str | None, authorization: str | None, plain: bool
) -> None:
    assert glacier.is_plain(account, version, authorization) is plain
    assert not PretendGlacier(credentials={KEY: OWNER}).is_plain(account, version, authorization)


RECORDS = [Record(letter * 138, f"file {letter}", "2019-05-05T05:05:05Z", 5, "ab" * 32) for letter in "abc"]


def test_a_users_own_inventory_can_be_purged() -> None:
    glacier = PretendGlacier()
    glacier.load_vault("mine", RECORDS, NOW)
    asker = Asker(glacier)
    assert parsed(asker.ask("GET", "/vaults/mine"))["NumberOfArchives"] == 3
    assert asker.delete("mine", "b" * 138) == 204
    assert glacier.delete_archive("mine", "a" * 138, NOW) is None
    assert glacier.ledger.archives_left == 1
    assert glacier.ledger.times_received("b" * 138) == 1
    glacier.create_vault("other", NOW)
    assert refused(asker.ask("DELETE", f"/vaults/other/archives/{'c' * 138}"))[2].startswith("Invalid vault name")


def test_an_id_that_comes_twice_is_not_loaded() -> None:
    with pytest.raises(ValueError, match="is here already"):
        PretendGlacier().load_vault("mine", [*RECORDS, RECORDS[0]], NOW)


@pytest.mark.parametrize("name", ["", "..", "a/b", "v" * 256])
def test_a_vault_with_an_impossible_name_is_not_made(glacier: PretendGlacier, name: str) -> None:
    with pytest.raises(ValueError, match="is not a vault name"):
        glacier.create_vault(name, NOW)


def test_a_vault_is_not_made_twice(glacier: PretendGlacier) -> None:
    with pytest.raises(ValueError, match="already"):
        glacier.generate_vault("photos", 1, NOW)
    assert glacier.vault_names() == ["photos"]


def test_everything_survives_being_kept_as_plain_data(glacier: PretendGlacier) -> None:
    asker = Asker(glacier)
    glacier.load_vault("mine", RECORDS, NOW)
    asker.ask("PUT", "/vaults/gone")
    asker.ask("DELETE", "/vaults/gone")
    asker.upload("mine", b"body", "text")
    asker.delete("photos", ids(glacier)[3])
    asker.delete("mine", "a" * 138)
    policy = '{"Statement":{"Effect":"Deny","Principal":"*","Action":"glacier:UploadArchive","Resource":"*"}}'
    asker.ask("POST", "/vaults/photos/lock-policy", {"Policy": policy})
    asker.ask("POST", "/vaults/photos/tags?operation=add", {"Tags": {"a": "b"}})
    asker.ask("POST", "/vaults/photos/multipart-uploads", headers={"x-amz-part-size": str(2**20)})
    asker.ask("POST", "/provisioned-capacity")
    job_id = asker.start_job("photos", Type="inventory-retrieval", InventoryRetrievalParameters={"Limit": "50"})
    asker.now += 5 * HOUR
    asker.ask("GET", "/vaults/photos")
    packed = msgspec.msgpack.encode(glacier.state())
    again = Asker(PretendGlacier.restored(msgspec.msgpack.decode(packed), limit=Limit(9, 9)))
    again.now = asker.now
    assert again.glacier.limit == Limit(9, 9)
    again.glacier.set_limit(None, again.now)
    paths = [
        "/vaults",
        "/vaults/photos",
        "/vaults/photos/jobs",
        f"/vaults/photos/jobs/{job_id}/output",
        "/vaults/photos/lock-policy",
        "/vaults/photos/tags",
        "/vaults/photos/multipart-uploads",
        "/provisioned-capacity",
    ]
    for one in (asker, again):
        one.delete("mine", "c" * 138)
        one.now += DAY / 2
    assert [whole(again.ask("GET", path)) for path in paths] == [whole(asker.ask("GET", path)) for path in paths]
    assert again.glacier.ledger.summary() == glacier.ledger.summary()
    assert again.ask("PUT", "/vaults/new").headers == asker.ask("PUT", "/vaults/new").headers
    assert again.ask("DELETE", "/vaults/gone").status == 204
    assert again.upload("mine", b"more") == asker.upload("mine", b"more")


@pytest.mark.parametrize("change", [{"estate": None}, {"region": None}, {"version": 99}, {"account_id": None}])
def test_foreign_state_is_refused(glacier: PretendGlacier, change: dict[str, object]) -> None:
    state = glacier.state()
    if "version" in change:
        state["estate"].update(change)
    else:
        state = {name: value for name, value in state.items() if name not in change}
    with pytest.raises(ValueError, match="version"):
        PretendGlacier.restored(state)
