"""CreateVault, DescribeVault, ListVaults, DeleteVault."""

from __future__ import annotations

from bisect import bisect_right

from glacier_simulator import dates, refusal
from glacier_simulator.account import VAULTS_MAX, is_vault_name
from glacier_simulator.call import Call, reply, reply_json
from glacier_simulator.exchange import Response
from glacier_simulator.stored import StoredVault

_LIST_MAX = 10
"""So many vaults a page, whatever more is asked for ("ListVaults"; aws-sdk-net #895)."""


def create_vault(call: Call) -> Response:
    """Answer CreateVault: idempotent, a vault that is there stays as it is."""
    name, account = call.names[0], call.account
    if not is_vault_name(name):
        raise refusal.invalid(f"Invalid vault name: {name[:256]}")
    existing = account.vaults.get(name)
    if existing is not None:
        call.authorise(existing)
    elif call.caller.account_id != account.facts.account_id:
        raise call.denied(account.vault_arn(name))
    elif len(account.vaults) >= VAULTS_MAX:
        raise refusal.Refusal("LimitExceededException", f"The limit of {VAULTS_MAX} vaults is reached.")
    else:
        call.estate.place(account, name, call.now)
    return reply(201, {"Location": call.location(name)})


def describe_vault(call: Call) -> Response:
    """Answer DescribeVault."""
    return reply_json(_description(call.vault()))


def list_vaults(call: Call) -> Response:
    """Answer ListVaults: sorted by name; the marker is the ARN of the last vault listed."""
    if call.caller.account_id != call.account.facts.account_id:
        raise call.denied(call.account.vault_arn("*"))
    names = sorted(call.account.vaults)
    marker, limit = call.request.query.get("marker"), call.page_limit(_LIST_MAX)
    start = 0
    if marker:
        prefix = call.account.vault_arn("")
        if not marker.startswith(prefix):
            raise refusal.invalid(f"Invalid marker: {marker}")
        start = bisect_right(names, marker.removeprefix(prefix))
    shown = [call.account.vaults[name] for name in names[start : start + limit]]
    for vault in shown:
        vault.advance(call.now)
    more = start + limit < len(names)
    return reply_json(
        {"Marker": shown[-1].facts.arn if more else None, "VaultList": [_description(vault) for vault in shown]}
    )


def delete_vault(call: Call) -> Response:
    """Answer DeleteVault: refused until a newer inventory says zero and nothing was written since."""
    account, name = call.account, call.names[0]
    if name not in account.vaults and name in account.facts.deleted_names:
        return reply(204)
    vault = call.vault()
    if not vault.deletable:
        raise refusal.vault_in_use(vault.facts.arn)
    del account.vaults[name]
    account.facts.deleted_names.add(name)
    return reply(204)


def _description(vault: StoredVault) -> dict[str, object]:
    """A vault as described. Before its first inventory its counts are 0 and only the date is null.

    The guide says null of the counts too; but botocore's example of DescribeVault has 0 and no date, and boto2, which
    reads the bare JSON and breaks down where a member is missing, was shown a null date and 0.
    """
    last = vault.last_inventory
    return {
        "CreationDate": dates.with_milliseconds(vault.facts.created),
        "LastInventoryDate": dates.with_milliseconds(last.date) if last else None,
        "NumberOfArchives": last.live if last else 0,
        "SizeInBytes": last.size_bytes if last else 0,
        "VaultARN": vault.facts.arn,
        "VaultName": vault.facts.name,
    }
