"""Looking at many vaults: a question that gets no answer is not waited for at each of them."""

from __future__ import annotations

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.api.surveying import AT_ONCE_MAX, UNANSWERED_MAX, listed, places, surveyed
from glacier_purge.settings import Settings
from glacier_simulator.faults import Rule
from tests.clients import no_sleep, simulated

OLD = 1.6e9


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.mark.parametrize(("failing", "asked_at_most"), [(1.0, UNANSWERED_MAX + AT_ONCE_MAX - 1), (0.0, 40)])
async def test_an_operation_that_never_answers_is_given_up_for_the_region(failing: float, asked_at_most: int) -> None:
    rule = Rule("internal-error", share=failing, operation="GetVaultLock")
    async with (
        simulated(archives=1, faults=[rule]) as (glacier, _),
        Clients.for_many_vaults(sleep=no_sleep) as clients,
    ):
        for number in range(39):
            glacier.service.generate_vault(f"vault-{number:02}", 1, OLD)
        settings = Settings.model_validate({"aws": {"endpoint_url": glacier.endpoint_url}})
        asked = places([], [], lambda _profile, _region, _account_id: settings)
        seen = await surveyed(await listed(asked, (), clients), clients)
    assert len(seen) == 40
    why = [str(one.unread["GetVaultLock"]) for one in seen if one.unread]
    assert len(why) == (40 if failing else 0)
    assert all(one.unread.keys() <= {"GetVaultLock"} for one in seen), "other questions are asked everywhere"
    given_up = [text for text in why if "GetVaultLock was not asked: 3 vaults before it in us-east-1" in text]
    assert UNANSWERED_MAX <= 40 - len(given_up) <= asked_at_most
