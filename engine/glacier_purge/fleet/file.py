"""Which vaults a fleet has, and what is wished for each: ``fleet.toml``, held against the vaults there are. Pure.

    deny = ["legal-*"]                      # never these, whatever else matches; upper and lower case alike
    role = "purge"                          # taken in each account, for every entry that does not say otherwise
    external_id = "corp-7"
    session_tags = ["ticket=OPS-7"]

    [[vaults]]
    name = "photos-*"                       # a glob, or a whole name
    profile = "archive"                     # of the AWS configuration; one or a list, otherwise the command line's
    account = ["111111111111", "222222222222"]  # one or a list, otherwise that of the credentials, or of the role
    region = ["eu-west-1", "us-east-1"]     # one or a list, otherwise the command line's
    freeze = true                           # deny uploads meanwhile
    delete_vault = ["photos-2019"]          # vaults to remove when proven empty: whole names, nothing by glob
    even_the_last_vault = true
    set_aside_defects = true
    max_rate = 50                           # deletes a second of each of these vaults
    older_than = "90d"                      # which archives go, and how much at most: see ``fleet.choices``

A name that is not understood is refused with the nearest that is, a vault that two entries reach is an error: what
would be done to it must not depend on the order of a file.  What matched nothing is no error (the vault may be gone
already), but is said.  Accounts, a role and what it is asked for with may stand at the head, for all entries.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from glacier_purge.archive import Vault, check_vault_name
from glacier_purge.aws.roles import checked_external_id, checked_role, checked_tags
from glacier_purge.errors import UsageError
from glacier_purge.fleet.choices import CAPS, CHOICES, read_caps, read_choices
from glacier_purge.plan.choices import EVERY_ARCHIVE, UNCAPPED, Caps, Choices
from glacier_purge.storage.given_file import GivenFileWrong, parsed_toml


class Assumed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The role that an account's vaults are worked on as, and what it is asked for with."""

    role: str
    external_id: str | None = None
    session_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where vaults are listed, and as whom. None leaves it to the command line."""

    profile: str | None
    region: str | None
    account: str | None = None
    assumed: Assumed | None = None

    def __str__(self) -> str:
        """The place in words."""
        words = [self.region or "the default region"]
        words += [] if self.account is None else [f"account {self.account}"]
        words += [] if self.assumed is None else [f"role {self.assumed.role}"]
        return ", ".join([*words, self.profile or "the default profile"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One ``[[vaults]]`` of the file; ``number`` counts them from 1."""

    number: int
    name: str
    profiles: tuple[str | None, ...] = (None,)
    regions: tuple[str | None, ...] = (None,)
    accounts: tuple[str | None, ...] = (None,)
    assumed: Assumed | None = None
    freeze: bool = False
    delete_vault: tuple[str, ...] = ()
    even_the_last_vault: bool = False
    set_aside_defects: bool = False
    max_rate: float | None = None
    choices: Choices = EVERY_ARCHIVE
    caps: Caps = UNCAPPED

    @property
    def places(self) -> tuple[Place, ...]:
        """Every profile in every region of every account."""
        return tuple(
            Place(profile=profile, region=region, account=account, assumed=self.assumed)
            for profile in self.profiles
            for account in self.accounts
            for region in self.regions
        )

    def __str__(self) -> str:
        """The entry in words."""
        return f"entry {self.number} ({self.name!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """The file as read."""

    entries: tuple[Entry, ...]
    deny: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place that has to be listed, once."""
        return tuple(dict.fromkeys(place for entry in self.entries for place in entry.places))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One vault of the fleet, the place it was listed in, and the entry that chose it."""

    vault: Vault
    place: Place
    entry: Entry

    @property
    def remove_vault(self) -> bool:
        """Whether the vault itself is to go."""
        return self.vault.name in self.entry.delete_vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """The vaults a fleet has, and what somebody should know about how they were found."""

    chosen: tuple[Chosen, ...]
    findings: tuple[str, ...]


def read_fleet(text: str) -> FleetPlan:
    """Read the text of a ``fleet.toml``. Raises ``UsageError`` for whatever is not understood."""
    try:
        document = parsed_toml(text)
    except GivenFileWrong as error:
        raise UsageError(f"the fleet file: {error}.") from error
    _check_names(document, ("deny", "vaults", *_FOR_ALL), "the fleet file")
    entries = document.get("vaults")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError("the fleet file names no vaults. Write a [[vaults]] with a name for each of them.")
    deny = _texts(document.get("deny", []), "deny")
    for_all = {name: document[name] for name in _FOR_ALL if name in document}
    _settled(for_all, "the fleet file")
    return FleetPlan(
        entries=tuple(_entry(number, for_all | entry) for number, entry in enumerate(entries, 1)), deny=deny
    )


def expand(plan: FleetPlan, listed: Mapping[Place, Sequence[Vault]]) -> Expansion:
    """Choose among the vaults ``listed`` in each place of the plan.

    Raises ``UsageError`` when two entries, or two places, reach the same vault, and when there is none at all.
    """
    findings: list[str] = []
    chosen: dict[str, Chosen] = {}
    for entry in plan.entries:
        matched = [one for place in entry.places for one in _matching(entry, place, listed[place], plan.deny, findings)]
        for one in matched:
            other = chosen.setdefault(one.vault.arn, one)
            if other is not one:
                raise UsageError(
                    f"{one.vault.arn} is named twice: by {other.entry} in {other.place} and by {one.entry} in "
                    f"{one.place}. Let one of them name it."
                )
        findings += _unmatched(entry, {one.vault.name for one in matched})
    if not chosen:
        raise UsageError("the fleet has no vault: " + " ".join(findings))
    return Expansion(chosen=tuple(chosen.values()), findings=tuple(findings))


def _matching(
    entry: Entry, place: Place, listed: Sequence[Vault], deny: tuple[str, ...], findings: list[str]
) -> Iterator[Chosen]:
    for vault in listed:
        if not fnmatchcase(vault.name, entry.name):
            continue
        pattern = next((pattern for pattern in deny if fnmatchcase(vault.name.lower(), pattern.lower())), None)
        if pattern is None:
            yield Chosen(vault=vault, place=place, entry=entry)
        else:
            findings.append(f"{vault.arn} is left out: deny has {pattern!r}.")


def _unmatched(entry: Entry, names: set[str]) -> Iterator[str]:
    if not names:
        yield f"{entry} matches no vault in {'; '.join(map(str, entry.places))}. Check name, region and profile."
        return
    for name in entry.delete_vault:
        if name not in names:
            yield f"{entry} wants {name} removed, which is none of its vaults: nothing is removed by that."


def _entry(number: int, table: dict[str, object]) -> Entry:
    what = f"entry {number}"
    _check_names(table, (*_READ, *_ASSUMED, *CHOICES, *CAPS), what)
    if "name" not in table:
        raise UsageError(f"{what} of the fleet file has no name. Write which vaults it is about: name = 'photos-*'.")
    values, assumed = _settled(table, what)
    choices, caps = read_choices(table, what), read_caps(table, what)
    return Entry(number=number, assumed=assumed, choices=choices, caps=caps, **values)  # type: ignore[arg-type]  # read to their types


def _settled(table: Mapping[str, object], what: str) -> tuple[dict[str, object], Assumed | None]:
    """What a table says of vaults, each read to its type, and as whom."""
    values = {
        _FIELDS.get(name, name): _READ[name](value, f"{what}: {name}") for name, value in table.items() if name in _READ
    }
    taken = {name: read(table[name], f"{what}: {name}") for name, read in _ASSUMED.items() if name in table}
    if taken and "role" not in taken:
        raise UsageError(f"{what}: {min(taken)} is what a role is asked for with, and no role is named.")
    return values, Assumed(**taken) if taken else None  # type: ignore[arg-type]  # read to their types


def _check_names(table: Mapping[str, object], known: tuple[str, ...], what: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            raise UsageError(f"{what}: {name} is nothing a fleet knows. {advice}")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{what} has to be a text, not {value!r}.")
    return value


def _texts(value: object, what: str) -> tuple[str, ...]:
    texts = tuple(_text(one, what) for one in (value if isinstance(value, list) else [value]))
    if len(set(texts)) < len(texts):
        raise UsageError(f"{what} has the same twice: {', '.join(texts)}.")
    return texts


def _one_or_more(value: object, what: str) -> tuple[str, ...]:
    texts = _texts(value, what)
    if not texts:
        raise UsageError(f"{what} is an empty list, which would be nowhere. Leave it away, or name one.")
    return texts


def _vault_names(value: object, what: str) -> tuple[str, ...]:
    if isinstance(value, bool):
        raise UsageError(f"{what} takes the names of the vaults to remove, in full: delete_vault = ['photos-2019'].")
    names = _texts(value, what)
    for name in names:
        check_vault_name(name)
    return names


def _yes_or_no(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{what} has to be true or false, not {value!r}.")
    return value


def _rate(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise UsageError(f"{what} has to be a number of deletes a second above 0, not {value!r}.")
    return float(value)


def _accounts(value: object, what: str) -> tuple[str, ...]:
    accounts = _one_or_more(value, what)
    for account in accounts:
        if _ACCOUNT.fullmatch(account) is None:
            raise UsageError(f"{what}: {account!r} is no account: write its 12 digits, in quotes.")
    return accounts


def _checked(check: Callable[[str], str]) -> Callable[[object, str], object]:
    def read(value: object, what: str) -> str:
        try:
            return check(_text(value, what))
        except UsageError as refused:
            raise UsageError(f"{what}: {refused}") from refused

    return read


def _session_tags(value: object, what: str) -> tuple[str, ...]:
    try:
        return checked_tags(_texts(value, what))
    except UsageError as refused:
        raise UsageError(f"{what}: {refused}") from refused


_READ: dict[str, Callable[[object, str], object]] = {
    "name": _text,
    "profile": _one_or_more,
    "region": _one_or_more,
    "account": _accounts,
    "freeze": _yes_or_no,
    "delete_vault": _vault_names,
    "even_the_last_vault": _yes_or_no,
    "set_aside_defects": _yes_or_no,
    "max_rate": _rate,
}
_FIELDS = {"profile": "profiles", "region": "regions", "account": "accounts"}
"""Names of the file that the entry has by another name."""
_ASSUMED: dict[str, Callable[[object, str], object]] = {
    "role": _checked(checked_role),
    "external_id": _checked(checked_external_id),
    "session_tags": _session_tags,
}
_FOR_ALL = ("account", *_ASSUMED)
"""What may stand at the head of the file, for every entry that does not say it for itself."""
_ACCOUNT = re.compile(r"[0-9]{12}")
