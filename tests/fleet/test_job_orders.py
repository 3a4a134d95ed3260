"""Which vault of a fleet an inventory job is for."""

from __future__ import annotations

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import UsageError
from glacier_purge.fleet.job_orders import ANY_JOBS, JobOrders
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob

PHOTOS = Vault(account_id="123456789012", region="us-east-1", name="photos")
ELSEWHERE = Vault(account_id="123456789012", region="eu-west-1", name="photos")
FILMS = Vault(account_id="123456789012", region="us-east-1", name="films")
FLEET = (PHOTOS, ELSEWHERE, FILMS)
NEW = WantedJob(is_new=True)


@pytest.mark.parametrize(
    ("orders", "vault", "wanted"),
    [
        (ANY_JOBS, PHOTOS, ANY_JOB),
        (JobOrders(wanted=NEW), PHOTOS, NEW),
        (JobOrders(by_vault={"films": "j"}), FILMS, WantedJob(job_id="j")),
        (JobOrders(by_vault={"films": "j"}), PHOTOS, ANY_JOB),
        (JobOrders(by_vault={"films": "j"}, wanted=NEW), FILMS, WantedJob(job_id="j")),
        (JobOrders(by_vault={"films": "j"}, wanted=NEW), PHOTOS, NEW),
        (JobOrders(by_vault={PHOTOS.arn: "j"}), PHOTOS, WantedJob(job_id="j")),
        (JobOrders(by_vault={PHOTOS.arn: "j"}), ELSEWHERE, ANY_JOB),
    ],
)
def test_a_job_is_wanted_for_the_vault_it_was_named_for(orders: JobOrders, vault: Vault, wanted: WantedJob) -> None:
    orders.check(FLEET)
    assert orders.of(vault) == wanted


@pytest.mark.parametrize(
    ("name", "says"),
    [("photos", "2 vaults of that name"), ("foto", "no such vault"), (FILMS.arn + "s", "no such vault")],
)
def test_a_job_for_no_vault_or_for_two_is_refused(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        JobOrders(by_vault={name: "j"}).check(FLEET)
