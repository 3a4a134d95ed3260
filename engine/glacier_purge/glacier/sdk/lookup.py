"""What the service says about vaults that are known by name only, or not yet.

Used when planning; it reads, and sends nothing that changes anything.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from glacier_purge.archive import Vault
from glacier_purge.errors import RunStopped
from glacier_purge.glacier.sdk.answers import as_error, read_description, read_fault
from glacier_purge.long_work import Unit, long_work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from glacier_purge.glacier.port import VaultDescription
    from glacier_purge.glacier.sdk.patience import ControlRetry


async def find_vault(name: str, region: str, client: Any, retry: ControlRetry) -> VaultDescription:
    """Ask for the vault ``name`` in the account of the credentials.

    Raises ``CredentialsFailed`` (none, expired), ``ServiceRefused`` (missing, denied) and ``RunStopped`` (no answer,
    however often it was asked for).
    """
    ask = partial(client.describe_vault, accountId="-", vaultName=name)
    with long_work(f"looking for vault {name} in {region}", unit=Unit.PARTS):
        answer: Mapping[str, Any] = await retry.policy()(
            _once, ask, "DescribeVault", f"vault {name} in {region}", client.meta.endpoint_url
        )
    found = Vault.from_arn(answer["VaultARN"])
    if (found.name, found.region) != (name, region):
        raise _about_another(f"DescribeVault of vault {name} in {region}", found.arn)
    return read_description(answer)


async def list_vaults(region: str, account_id: str | None, client: Any, retry: ControlRetry) -> list[VaultDescription]:
    """Ask for all vaults of ``account_id`` (None: the account of the credentials), by name.

    Raises what ``find_vault`` raises.
    """
    about = f"ListVaults in {region}"

    async def page(**marker: str) -> Mapping[str, Any]:
        ask = partial(client.list_vaults, accountId=account_id or "-", **marker)
        with long_work(f"looking for vaults in {region}", unit=Unit.PARTS):
            answer: Mapping[str, Any] = await retry.policy()(
                _once, ask, "ListVaults", f"the account in {region}", client.meta.endpoint_url
            )
        return answer

    listed = pages(page, partial(_about_another, about))
    vaults = [read_description(vault) async for answer in listed for vault in answer["VaultList"]]
    for arn in (one.arn for one in vaults if Vault.from_arn(one.arn).region != region):
        raise _about_another(about, arn)
    return vaults


async def pages(
    ask: Callable[..., Awaitable[Mapping[str, Any]]], about_another: Callable[[str], Exception]
) -> AsyncIterator[Mapping[str, Any]]:
    """Go through all pages of a list; raise what ``about_another`` makes where one comes again.

    ``ask`` takes the ``marker`` of a page, and for the first none.
    """
    marker: dict[str, str] = {}
    before: set[str] = set()
    while True:
        answer = await ask(**marker)
        yield answer
        after = answer.get("Marker")
        if not after:
            return
        if after in before:
            raise about_another("a page that was read before")
        before.add(after)
        marker = {"marker": after}


async def _once(
    ask: Callable[[], Awaitable[Mapping[str, Any]]], operation: str, about: str, endpoint_url: str
) -> Mapping[str, Any]:
    """Ask once; what the SDK raises becomes an error of our own."""
    try:
        return await ask()
    except Exception as fault:  # whatever the SDK, or what it stands on, may raise; bugs are raised again
        raise as_error(read_fault(fault), operation, about, endpoint_url) from fault


def _about_another(question: str, what: str) -> RunStopped:
    return RunStopped(
        f"{question} was answered about {what}. Look at what stands between here and the service, then run the same "
        "command again."
    )
