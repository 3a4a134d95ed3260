"""All that the pretended service holds: accounts with their vaults, every shelf there ever was, a tally, new
ids.

Shelves of deleted vaults stay, so that the ledger can still say what was deleted from them.  ``state`` and
``restored`` turn everything into plain data and back; throttles start afresh, as after a quiet night.
"""

from __future__ import annotations

import msgspec

from glacier_simulator.account import Account, AccountFacts
from glacier_simulator.archives import Shelf, ShelfState
from glacier_simulator.generated import Generated
from glacier_simulator.identifiers import Identifiers
from glacier_simulator.inventory import Snapshot
from glacier_simulator.ledger import Tally
from glacier_simulator.stored import Facts, StoredVault
from glacier_simulator.throttle import Limit

STATE_VERSION = 1


class VaultState(msgspec.Struct):
    """A vault as plain data; its shelf is kept apart, by number."""

    facts: Facts
    shelf_number: int
    snapshots: dict[int, Snapshot]


class AccountState(msgspec.Struct):
    """An account in a region as plain data."""

    facts: AccountFacts
    vaults: list[VaultState]


class EstateState(msgspec.Struct):
    """The whole estate as plain data. ``version`` changes whenever older data would be misread."""

    version: int
    seed: int
    identifiers_spent: int
    tally: Tally
    shelves: list[ShelfState]
    accounts: list[AccountState]


class Estate:
    """What is there, and how it comes to be there."""

    __slots__ = ("_accounts", "_own_limits", "identifiers", "limit", "seed", "shelves", "tally")

    def __init__(self, seed: int, limit: Limit | None) -> None:
        self.seed = seed
        self.limit = limit
        self.identifiers = Identifiers(seed)
        self.shelves: dict[int, Shelf] = {}
        self.tally = Tally()
        self._accounts: dict[tuple[str, str], Account] = {}
        self._own_limits: dict[tuple[str, str], Limit | None] = {}

    def account(self, account_id: str, region: str) -> Account:
        """An account in a region; it is there as soon as somebody asks."""
        account = self._accounts.get((account_id, region))
        if account is None:
            limit = self._own_limits.get((account_id, region), self.limit)
            account = Account(AccountFacts(account_id, region), limit)
            self._accounts[account_id, region] = account
        return account

    def place(self, account: Account, name: str, created: float, generated: Generated | None = None) -> StoredVault:
        """Make a vault. Raises ``ValueError`` when there is one of that name."""
        if name in account.vaults:
            raise ValueError(f"there is a vault {name} already")
        shelf = Shelf(len(self.shelves) + 1, self.identifiers, generated)
        self.shelves[shelf.number] = shelf
        vault = StoredVault(Facts(name, account.vault_arn(name), created), shelf, self.identifiers)
        account.vaults[name] = vault
        account.facts.deleted_names.discard(name)
        return vault

    def holds(self, archive_id: str) -> bool:
        """Tell whether any vault holds or held this archive."""
        return any(shelf.find(archive_id) is not None for shelf in self.shelves.values())

    def has(self, account_id: str, region: str) -> bool:
        """Tell whether anybody has asked for this account in this region before."""
        return (account_id, region) in self._accounts

    def accounts(self) -> list[Account]:
        """Every account in every region that anybody asked for so far."""
        return list(self._accounts.values())

    def change_limit(self, limit: Limit | None, now: float) -> None:
        """Change what accounts without a limit of their own may send in a region, from now on."""
        self.limit = limit
        for pair, account in self._accounts.items():
            if pair not in self._own_limits:
                account.throttle.change(limit, now)

    def change_own_limit(self, account_id: str, region: str, limit: Limit | None, now: float) -> None:
        """Change what one account may send in one region, whatever others may, from now on."""
        self._own_limits[account_id, region] = limit
        self.account(account_id, region).throttle.change(limit, now)

    def state(self) -> EstateState:
        """All there is to keep."""
        accounts = [
            AccountState(
                account.facts,
                [VaultState(vault.facts, vault.shelf.number, vault.snapshots) for vault in account.vaults.values()],
            )
            for account in self._accounts.values()
        ]
        shelves = [shelf.state() for shelf in self.shelves.values()]
        return EstateState(STATE_VERSION, self.seed, self.identifiers.spent, self.tally, shelves, accounts)

    @classmethod
    def restored(cls, state: EstateState, limit: Limit | None) -> Estate:
        """Build the estate again from what was kept. Raises ``ValueError`` for another version's data."""
        if state.version != STATE_VERSION:
            raise ValueError(f"the simulator's state is of version {state.version}, not {STATE_VERSION}")
        estate = cls(state.seed, limit)
        estate.identifiers = Identifiers(state.seed, state.identifiers_spent)
        estate.tally = state.tally
        for kept in state.shelves:
            estate.shelves[kept.number] = Shelf.restored(kept, estate.identifiers)
        for owner in state.accounts:
            account = estate.account(owner.facts.account_id, owner.facts.region)
            account.facts = owner.facts
            for vault in owner.vaults:
                shelf = estate.shelves[vault.shelf_number]
                account.vaults[vault.facts.name] = StoredVault(vault.facts, shelf, estate.identifiers, vault.snapshots)
        return estate
