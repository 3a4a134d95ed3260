"""The rules of days: inventories are late, jobs take hours, outputs vanish, vaults are deleted last."""

from __future__ import annotations

import json

import pytest

from glacier_simulator.stored import Part
from glacier_simulator.vault import PretendGlacier
from tests.glacier_simulator.asking import ACCOUNT, DAY, HOUR, NOW, Asker, hashes, header, parsed, refused, whole


@pytest.fixture
def asker() -> Asker:
    return Asker(PretendGlacier())


@pytest.fixture
def photos(asker: Asker) -> list[str]:
    """The ids of a generated vault ``photos`` of ten archives."""
    shelf = asker.glacier.generate_vault("photos", 10, NOW).shelf
    return [shelf.archive_id(index) for index in range(10)]


def describe(asker: Asker, vault: str = "photos") -> tuple[str | None, int | None]:
    described = parsed(asker.ask("GET", f"/vaults/{vault}"))
    return described["LastInventoryDate"], described["NumberOfArchives"]


def listed(asker: Asker, job_id: str, vault: str = "photos") -> list[str]:
    response = asker.ask("GET", f"/vaults/{vault}/jobs/{job_id}/output")
    assert response.status == 200
    return [one["ArchiveId"] for one in json.loads(whole(response))["ArchiveList"]]


def inventory(asker: Asker, vault: str = "photos") -> list[str]:
    """Ask for an inventory and wait for it: what the service believes to be there."""
    job_id = asker.start_job(vault, Type="inventory-retrieval")
    asker.now += 5 * HOUR
    return listed(asker, job_id, vault)


def test_the_first_inventory_comes_half_a_day_after_the_first_upload(asker: Asker) -> None:
    asker.ask("PUT", "/vaults/new")
    asker.now += 30 * DAY
    assert describe(asker, "new") == (None, 0)
    asker.upload("new")
    asker.now += 12 * HOUR - 1
    assert describe(asker, "new") == (None, 0)
    asker.now += 1
    assert describe(asker, "new") == ("2027-02-14T20:00:00.000Z", 1)


def test_the_inventory_lists_archives_already_deleted_and_misses_new_ones(asker: Asker, photos: list[str]) -> None:
    assert asker.delete("photos", photos[0]) == 204
    new = asker.upload("photos")
    assert inventory(asker) == photos
    asker.now += DAY
    assert inventory(asker) == [*photos[1:], new]


def test_the_inventory_date_moves_once_a_day_and_only_after_a_change(asker: Asker, photos: list[str]) -> None:
    first = describe(asker)
    assert first == ("2027-01-14T20:00:00.000Z", 10)
    asker.now += 40 * DAY
    assert describe(asker) == first
    asker.delete("photos", photos[0])
    asker.delete("photos", photos[0])
    assert describe(asker) == first
    asker.now += 12 * HOUR
    assert describe(asker) == ("2027-02-24T20:00:00.000Z", 9)
    asker.now += 40 * DAY
    assert describe(asker) == ("2027-02-24T20:00:00.000Z", 9)


def test_deleting_what_is_gone_is_no_change(asker: Asker, photos: list[str]) -> None:
    asker.delete("photos", photos[0])
    asker.now += DAY
    before = describe(asker)
    asker.delete("photos", photos[0])
    asker.now += 3 * DAY
    assert describe(asker) == before


def test_sizes_count_the_overhead_of_each_archive(asker: Asker) -> None:
    asker.ask("PUT", "/vaults/new")
    for _ in range(3):
        asker.upload("new", b"12345")
    asker.now += DAY
    assert parsed(asker.ask("GET", "/vaults/new"))["SizeInBytes"] == 3 * (5 + 32 * 1024)


def test_a_job_takes_three_to_five_hours(asker: Asker, photos: list[str]) -> None:
    jobs = [asker.start_job("photos", Type="inventory-retrieval") for _ in range(40)]
    asker.now += 3 * HOUR - 1
    assert len(parsed(asker.ask("GET", "/vaults/photos/jobs?completed=true"))["JobList"]) == 0
    asker.now += HOUR
    some = len(parsed(asker.ask("GET", "/vaults/photos/jobs?completed=true"))["JobList"])
    assert 5 < some < 35
    asker.now += HOUR + 1
    assert len(parsed(asker.ask("GET", "/vaults/photos/jobs?statuscode=Succeeded"))["JobList"]) == len(jobs)
    assert photos


def test_a_job_serves_the_last_inventory_there_is_when_it_completes(asker: Asker, photos: list[str]) -> None:
    asker.delete("photos", photos[0])
    asker.now += 11 * HOUR
    job_id = asker.start_job("photos", Type="inventory-retrieval")
    asker.now += 5 * HOUR
    assert listed(asker, job_id) == photos[1:]


def test_output_lasts_a_day_and_stays_the_same(asker: Asker, photos: list[str]) -> None:
    job_id = asker.start_job("photos", Type="inventory-retrieval")
    asker.now += 5 * HOUR
    for archive_id in photos:
        asker.delete("photos", archive_id)
    done = parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}"))
    asker.now += 19 * HOUR
    assert describe(asker)[1] == 0
    assert listed(asker, job_id) == photos
    assert parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}")) == done
    asker.now += 5 * HOUR
    assert refused(asker.ask("GET", f"/vaults/photos/jobs/{job_id}/output")) == (
        404,
        "ResourceNotFoundException",
        f"The job ID was not found: {job_id}",
    )


def test_a_vault_goes_only_after_a_newer_inventory_says_zero(asker: Asker, photos: list[str]) -> None:
    busy = (
        400,
        "InvalidParameterValueException",
        f"Vault not empty or recently written to: arn:aws:glacier:us-east-1:{ACCOUNT}:vaults/photos",
    )
    for archive_id in photos:
        assert refused(asker.ask("DELETE", "/vaults/photos")) == busy
        asker.delete("photos", archive_id)
    assert refused(asker.ask("DELETE", "/vaults/photos")) == busy
    asker.now += 12 * HOUR
    late = asker.upload("photos")
    assert refused(asker.ask("DELETE", "/vaults/photos")) == busy
    asker.delete("photos", late)
    assert refused(asker.ask("DELETE", "/vaults/photos")) == busy
    asker.now += DAY
    assert [asker.ask("DELETE", "/vaults/photos").status for _ in range(2)] == [204, 204]
    assert asker.ask("GET", "/vaults/photos").status == 404
    assert asker.glacier.ledger.distinct_ids == 11
    assert asker.ask("PUT", "/vaults/photos").status == 201
    assert describe(asker) == (None, 0)
    assert refused(asker.ask("DELETE", f"/vaults/photos/archives/{photos[0]}"))[2].startswith("Invalid vault name")


def test_a_vault_never_written_to_goes_at_once(asker: Asker) -> None:
    asker.ask("PUT", "/vaults/new")
    assert asker.ask("DELETE", "/vaults/new").status == 204


def test_creating_a_vault_again_changes_nothing(asker: Asker, photos: list[str]) -> None:
    before = describe(asker)
    assert asker.ask("PUT", "/vaults/photos").status == 201
    assert describe(asker) == before
    assert asker.delete("photos", photos[0]) == 204


def retrieve(asker: Asker, archive_id: str) -> str:
    return asker.start_job("photos", Type="archive-retrieval", ArchiveId=archive_id)


def status(asker: Asker, job_id: str) -> str:
    code: str = parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}"))["StatusCode"]
    return code


def test_a_retrieval_begun_after_the_delete_is_accepted_and_fails(asker: Asker, photos: list[str]) -> None:
    asker.delete("photos", photos[0])
    job_id = retrieve(asker, photos[0])
    assert status(asker, job_id) == "InProgress"
    asker.now += 5 * HOUR
    described = parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}"))
    assert (described["Completed"], described["StatusCode"]) == (True, "Failed")
    response = asker.ask("GET", f"/vaults/photos/jobs/{job_id}/output")
    assert refused(response)[2] == f"The job is not currently available for download: {job_id}"


def test_a_retrieval_under_way_at_the_delete_fails_or_not_by_seed(asker: Asker, photos: list[str]) -> None:
    jobs = [retrieve(asker, archive_id) for archive_id in photos for _ in range(4)]
    asker.now += HOUR
    for archive_id in photos:
        asker.delete("photos", archive_id)
    asker.now += 4 * HOUR
    first = [status(asker, job_id) for job_id in jobs]
    assert 8 < first.count("Failed") < 32
    assert set(first) == {"Failed", "Succeeded"}


def test_a_retrieval_that_has_finished_stays_downloadable(asker: Asker) -> None:
    asker.ask("PUT", "/vaults/photos")
    archive_id = asker.upload("photos", b"precious")
    job_id = retrieve(asker, archive_id)
    asker.now += 5 * HOUR
    asker.delete("photos", archive_id)
    assert whole(asker.ask("GET", f"/vaults/photos/jobs/{job_id}/output")) == b"precious"
    asker.now += 24 * HOUR
    assert asker.ask("GET", f"/vaults/photos/jobs/{job_id}/output").status == 404


@pytest.mark.parametrize(
    ("tier", "least", "most"), [("Expedited", 60, 300), ("Standard", 3 * HOUR, 5 * HOUR), ("Bulk", 5 * HOUR, 12 * HOUR)]
)
def test_tiers_take_their_time(asker: Asker, photos: list[str], tier: str, least: float, most: float) -> None:
    asker.ask("POST", "/provisioned-capacity")
    jobs = [asker.start_job("photos", Type="archive-retrieval", ArchiveId=one, Tier=tier) for one in photos]
    asker.now += least - 1
    assert {status(asker, job_id) for job_id in jobs} == {"InProgress"}
    asker.now += most - least + 1
    assert {status(asker, job_id) for job_id in jobs} == {"Succeeded"}


def test_an_idle_upload_is_forgotten_after_a_day(asker: Asker, photos: list[str]) -> None:
    response = asker.ask("POST", "/vaults/photos/multipart-uploads", headers={"x-amz-part-size": str(2**20)})
    path = f"/vaults/photos/multipart-uploads/{header(response, 'x-amz-multipart-upload-id')}"
    asker.now += 20 * HOUR
    headers = {**hashes(b"part"), "content-range": "bytes 0-3/*"}
    assert asker.ask("PUT", path, b"part", headers).status == 204
    asker.now += 20 * HOUR
    assert asker.ask("GET", path).status == 200
    asker.now += 4 * HOUR
    assert asker.ask("GET", path).status == 404
    assert photos


def test_a_completed_upload_is_a_write(asker: Asker, photos: list[str]) -> None:
    response = asker.ask("POST", "/vaults/photos/multipart-uploads", headers={"x-amz-part-size": str(2**20)})
    path = f"/vaults/photos/multipart-uploads/{header(response, 'x-amz-multipart-upload-id')}"
    for archive_id in photos:
        asker.delete("photos", archive_id)
    asker.now += 12 * HOUR
    assert describe(asker)[1] == 0
    asker.ask("PUT", path, b"part", {**hashes(b"part"), "content-range": "bytes 0-3/*"})
    headers = {"x-amz-archive-size": "4", "x-amz-sha256-tree-hash": hashes(b"part")["x-amz-sha256-tree-hash"]}
    assert asker.ask("POST", path, b"", headers).status == 201
    assert refused(asker.ask("DELETE", "/vaults/photos"))[2].startswith("Vault not empty or recently written to")


def ranged(asker: Asker, **parameters: str) -> tuple[list[str], str | None]:
    job_id = asker.start_job("photos", Type="inventory-retrieval", InventoryRetrievalParameters=parameters)
    asker.now += 5 * HOUR
    described = parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}"))["InventoryRetrievalParameters"]
    assert described["StartDate"] == parameters.get("StartDate")
    return listed(asker, job_id), described["Marker"]


def test_an_inventory_comes_in_pages(asker: Asker, photos: list[str]) -> None:
    found: list[str] = []
    page, marker = ranged(asker, Limit="4")
    while marker:
        found += page
        page, marker = ranged(asker, Limit="4", Marker=marker)
    assert [*found, *page] == photos


def test_an_inventory_can_be_limited_to_upload_times(asker: Asker, photos: list[str]) -> None:
    shelf = asker.glacier.vault("photos", NOW).shelf
    start, end = shelf.record(3).created, shelf.record(7).created
    assert ranged(asker, StartDate=start, EndDate=end) == (photos[3:7], None)
    assert ranged(asker, StartDate=end)[0] == photos[7:]
    assert ranged(asker, EndDate=start)[0] == photos[:3]
    assert ranged(asker, EndDate="1999-01-01T00:00:00Z") == ([], None)


def test_listings_come_in_pages(asker: Asker, photos: list[str]) -> None:
    for number in range(24):
        asker.ask("PUT", f"/vaults/v{number:02d}")
    jobs = {asker.start_job("photos", Type="inventory-retrieval") for _ in range(60)}
    headers = {"x-amz-part-size": str(2**20)}
    uploads = {
        dict(asker.ask("POST", "/vaults/photos/multipart-uploads", headers=headers).headers)[
            "x-amz-multipart-upload-id"
        ]
        for _ in range(60)
    }
    assert pages(asker, "/vaults", "VaultList", "VaultName") == [
        ["photos", *vaults(0, 9)],
        vaults(9, 19),
        vaults(19, 24),
    ]
    assert [len(page) for page in pages(asker, "/vaults/photos/jobs", "JobList", "JobId")] == [50, 10]
    assert {one for page in pages(asker, "/vaults/photos/jobs", "JobList", "JobId") for one in page} == jobs
    path = "/vaults/photos/multipart-uploads"
    found = pages(asker, path, "UploadsList", "MultipartUploadId")
    assert {one for page in found for one in page} == uploads
    assert [len(page) for page in found] == [50, 10]
    assert photos


@pytest.mark.parametrize("limit", ["1000", "51", "", "9" * 400])
def test_a_page_holds_no_more_than_the_service_gives_whatever_is_asked_for(
    asker: Asker, photos: list[str], limit: str
) -> None:
    for name in vaults(0, 12):
        assert asker.ask("PUT", f"/vaults/{name}").status == 201
    headers = {"x-amz-part-size": str(2**20)}
    for _ in range(52):
        asker.start_job("photos", Type="inventory-retrieval")
        asker.ask("POST", "/vaults/photos/multipart-uploads", headers=headers)
    upload_id = next(iter(asker.glacier.vault("photos", asker.now).facts.uploads))
    parts = asker.glacier.vault("photos", asker.now).facts.uploads[upload_id].parts
    parts |= {number * 2**20: Part(number * 2**20, b"p", "") for number in range(52)}
    for path, member, name, sizes in (
        ("/vaults", "VaultList", "VaultName", [10, 3]),
        ("/vaults/photos/jobs", "JobList", "JobId", [50, 2]),
        ("/vaults/photos/multipart-uploads", "UploadsList", "MultipartUploadId", [50, 2]),
        (f"/vaults/photos/multipart-uploads/{upload_id}", "Parts", "RangeInBytes", [50, 2]),
    ):
        found = pages(asker, f"{path}?limit={limit}", member, name)
        assert [len(page) for page in found] == sizes, path
        assert len({one for page in found for one in page}) == sum(sizes)
    assert photos


def test_parts_come_in_pages(asker: Asker, photos: list[str]) -> None:
    response = asker.ask("POST", "/vaults/photos/multipart-uploads", headers={"x-amz-part-size": str(2**20)})
    path = f"/vaults/photos/multipart-uploads/{header(response, 'x-amz-multipart-upload-id')}"
    for number in range(5):
        start = number * 2**20
        headers = {**hashes(b"p"), "content-range": f"bytes {start}-{start}/*"}
        assert asker.ask("PUT", path, b"p", headers).status == 204
    found = pages(asker, f"{path}?limit=2", "Parts", "RangeInBytes")
    assert [len(page) for page in found] == [2, 2, 1]
    assert found[0][0] == "0-0"
    assert photos


def test_ten_thousand_parts_are_enough(asker: Asker, photos: list[str]) -> None:
    response = asker.ask("POST", "/vaults/photos/multipart-uploads", headers={"x-amz-part-size": str(2**20)})
    upload_id = header(response, "x-amz-multipart-upload-id")
    upload = asker.glacier.vault("photos", asker.now).facts.uploads[upload_id]
    upload.parts = {number * 2**20: Part(number * 2**20, b"p", "") for number in range(10_000)}
    path = f"/vaults/photos/multipart-uploads/{upload_id}"
    for number, status_code in ((0, 204), (9_999, 204), (10_000, 400)):
        start = number * 2**20
        headers = {**hashes(b"p"), "content-range": f"bytes {start}-{start}/*"}
        assert asker.ask("PUT", path, b"p", headers).status == status_code
    assert photos


def vaults(start: int, stop: int) -> list[str]:
    return [f"v{number:02d}" for number in range(start, stop)]


def pages(asker: Asker, path: str, member: str, name: str) -> list[list[str]]:
    """All pages of a listing, following its markers."""
    found = []
    marker: str | None = ""
    while marker is not None:
        separator = "&" if "?" in path else "?"
        body = parsed(asker.ask("GET", path + (f"{separator}marker={marker}" if marker else "")))
        found.append([one[name] for one in body[member]])
        marker = body["Marker"]
    return found
