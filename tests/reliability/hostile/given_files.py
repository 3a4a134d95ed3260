"""Hostile files that people give: lists of ids, manifests, fleets, settings, prices, scenarios; and the environment.

Second readers are the standard library's: ``tomllib`` and ``json``, and ``csv`` where the file is one of its grammar.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import re
import tomllib
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from importlib import resources
from io import StringIO
from typing import TYPE_CHECKING, Any

from glacier_purge.api.fleet import read_fleet_file
from glacier_purge.archive import EXACT
from glacier_purge.errors import ConfigurationFailed, UsageError
from glacier_purge.fleet.file import read_fleet
from glacier_purge.plan.cost import read_price_table
from glacier_purge.plan.id_lists import read_ids
from glacier_purge.plan.migration.manifest_files import Tables, read_file
from glacier_purge.plan.rows import Rows
from glacier_purge.settings.layers import load_settings
from glacier_purge.storage.given_file import as_text
from glacier_simulator.scenario import SHIPPED, load_scenario
from tests.inventory.inventories import archive_id
from tests.reliability.hostile.mutation import MARKS, TOKENS, by_bytes, by_cells, by_json, by_lines, by_toml, either
from tests.reliability.hostile.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from tests.reliability.hostile.mutation import Mutator

_ID = re.compile(r"[A-Za-z0-9_-]{138}")
_IDS = [archive_id(number) for number in range(6)]

# -- lists of ids -----------------------------------------------------------------------------------------------------

_LISTS = (
    "\n".join(["# kept for ever", *_IDS, ""]).encode(),
    "\r\n".join(_IDS).encode(),
    b"\xef\xbb\xbf" + _IDS[0].encode() + b"\n\n",
)


def _read_ids(content: bytes, random: Random, folder: Path) -> None:
    """Deny lists, lists of what may go, and of what may not are one reader."""
    (folder / "given").write_bytes(content)
    with ExitStack() as opened:
        found = read_ids([str(folder / "given")], folder, opened, EXACT)
        assert found is not None
        told = {line.strip() for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")}
        wanted = {line.decode("ascii", "replace") for line in told if line and not line.startswith(b"#")}
        if not content.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
            assert all(_ID.fullmatch(one) and found.holds(one) for one in wanted)
            assert found.unasked == 0
        assert not found.holds("x" * 138)


# -- manifests --------------------------------------------------------------------------------------------------------

_TREE_HASH = "0123456789abcdef" * 4
_EXPORT = "\n".join(
    json.dumps({"Item": {"archive_id": {"S": one}, "size": {"N": "3"}, "sha256_tree_hash": {"S": _TREE_HASH}}})
    for one in _IDS
).encode()
_TABLE = "\n".join(["archive_id,size,sha256_tree_hash,key", *(f'{one},3,{_TREE_HASH},"a,b"' for one in _IDS)]).encode()
_FREEZER = "\n".join(["aid,sz,sha,cpt,fname", *(f"{one},3,{_TREE_HASH},2021,a/b.txt" for one in _IDS)]).encode()
_MANIFESTS = (
    _EXPORT,
    _TABLE,
    _FREEZER,
    b'bucket,key,size,islatest,isdeletemarker\n"copies","a%2Fb",3,true,false\n',
    b'"copies","a%2Fb","3"\n"copies","c+d","4"\n',
    b"2021-01-01 10:00:00        345 some/key with space\n",
)
_LISTED = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +([0-9]+) ")


def _read_manifest(content: bytes, random: Random, folder: Path) -> None:
    """What it claims is what a second reader finds claimed, once and for the same archive."""
    (folder / "given").write_bytes(content)
    with Rows(folder) as claims, Rows(folder) as objects:
        read_file(str(folder / "given"), Tables(claims=claims, objects=objects, id_rule=EXACT))
        claims.seal()
        objects.seal()
        claimed = sorted(claims.archive_id(position) for position in range(len(claims)))
        assert all(map(_ID.fullmatch, claimed))
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if lines[0].lstrip().startswith(b"{"):
            items = [json.loads(line, object_pairs_hook=_each_once)["Item"] for line in lines if line.strip()]
            assert len(claimed) <= len(items)
        elif b"archive_id" in lines[0] or b"aid" in lines[0]:
            text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
            header, *rows = filter(None, csv.reader(StringIO(text, newline="")))
            assert all(header.count(name) <= 1 for name in ("archive_id", "aid", "size", "sz")), header
            assert len(claimed) <= len(rows)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a key stands twice, and was taken: {pairs}"
    return dict(pairs)


# -- TOML -------------------------------------------------------------------------------------------------------------

_FLEETS = (
    b"""deny = ["legal-*", "Tax"]

[[vaults]]
name = "photos-*"
profile = "archive"
region = ["eu-west-1", "us-east-1"]
freeze = true
delete_vault = ["photos-2019"]
even_the_last_vault = true
set_aside_defects = true
max_rate = 50
older_than = "90d"
description = "/^tmp.*/"
min_size = "10MiB"
limit = 1000
max_archives = 5000
max_bytes = "2GB"
max_duration = "12h"

[[vaults]]
name = "logs"
newer_than = "2020-01-01"
migrated = ["moved.csv"]
check_s3 = "bucket/prefix"
in_retrieval = "wait"
ids = "these.ids"
""",
    b'[[vaults]]\nname = "*"\n',
)


def _read_fleet(content: bytes, random: Random, folder: Path) -> None:
    (folder / "given").write_bytes(content)
    plan = read_fleet(as_text(read_fleet_file(folder / "given")))
    document = tomllib.loads(content.decode("utf-8-sig"))
    assert [entry.name for entry in plan.entries] == [entry["name"] for entry in document["vaults"]]
    deny = document.get("deny", [])
    assert list(plan.deny) == (deny if isinstance(deny, list) else [deny])
    for entry, given in zip(plan.entries, document["vaults"], strict=True):
        assert entry.freeze is given.get("freeze", False)
        removed = given.get("delete_vault", [])
        assert list(entry.delete_vault) == (removed if isinstance(removed, list) else [removed])
        assert not any(set(name) & set("*?[") for name in entry.delete_vault)
        assert entry.max_rate is None or 0 < entry.max_rate < math.inf
        assert entry.caps.max_archives == given.get("max_archives")
        assert entry.choices.limit == given.get("limit")


_SHIPPED_PROFILES = resources.files("glacier_purge_profiles")
_SETTINGS = (
    *((_SHIPPED_PROFILES / f"{name}.toml").read_bytes() for name in ("standard", "gentle", "benchmark")),
    b"""[aws]
region = "eu-west-1"
endpoint_url = "http://127.0.0.1:9000"

[pace]
windows = ["20:00-06:00 Europe/Berlin"]
max_rate = 12.5

[safety]
deny_vaults = ["legal-*"]
deny_accounts = ["123456789012"]
max_archives = 10
""",
)
_BARE = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "XDG_CONFIG_HOME"), "/nonexistent")


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """This process with no other variables of AWS's or ours than these."""
    kept = dict(os.environ)
    clean = {name: value for name, value in kept.items() if not name.upper().startswith(("AWS_", "GLACIER_PURGE_"))}
    try:
        os.environ.clear()
        os.environ.update(clean | _BARE | variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _read_settings(content: bytes, random: Random, folder: Path) -> None:
    """Limits that stand in the file are in force as they stand there, or are switched off in so many words."""
    (folder / "given").write_bytes(content)
    with _environment():
        settings = load_settings(file=folder / "given")
    safety = tomllib.loads(content.decode("utf-8-sig")).get("safety", {})
    for name in ("max_archives", "max_bytes", "max_duration_seconds", "fuse_failed_max"):
        if name in safety:
            in_force = getattr(settings.safety, name)
            assert in_force == (None if safety[name] == "none" else in_force and type(in_force)(safety[name])), name
    for name in ("deny_vaults", "deny_accounts"):
        assert list(getattr(settings.safety, name)) == list(safety.get(name, []))


_VARIABLES = (
    b"GLACIER_PURGE_SAFETY__MAX_ARCHIVES=10",
    b'GLACIER_PURGE_SAFETY={"max_bytes": 5, "deny_vaults": ["legal-*"]}',
    b"GLACIER_PURGE_PACE__MAX_RATE=none",
    b'GLACIER_PURGE_PACE__WINDOWS=["20:00-06:00 UTC"]',
    b"GLACIER_PURGE_AWS__ENDPOINT_URL=http://127.0.0.1:1",
    b"GLACIER_PURGE_AWS__VERIFY_SSL=true",
    b"GLACIER_PURGE_PROFILE=gentle",
    b"AWS_REGION=eu-west-1",
    b"AWS_ENDPOINT_URL_GLACIER=http://127.0.0.1:1",
    b"AWS_USE_FIPS_ENDPOINT=false",
)


def _spoilt_variable(good: bytes, random: Random) -> bytes:
    name, _, value = good.partition(b"=")
    match random.randrange(5):
        case 0:
            return by_bytes(name, random) + b"=" + value
        case 1 if value.startswith(b"{"):
            return name + b"=" + by_json(value, random)
        case 2:
            return name + b"=" + random.choice((*TOKENS, *MARKS))
        case _:
            return name + b"=" + by_bytes(value, random)


def _read_variable(content: bytes, random: Random, folder: Path) -> None:
    """One variable; a cap that is set is in force."""
    raw_name, _, raw_value = content.partition(b"=")
    if not raw_name or b"\0" in content or len(content) > 100_000:  # which no environment holds
        return
    name, value = os.fsdecode(raw_name), os.fsdecode(raw_value)
    with _environment(**{name: value}):
        settings = load_settings()
    if name == "GLACIER_PURGE_SAFETY__MAX_ARCHIVES" and value not in ("", "none"):
        assert settings.safety.max_archives == Decimal(value)
    if name == "GLACIER_PURGE_SAFETY" and value:
        told = json.loads(value, object_pairs_hook=_each_once)
        cap = "none" if told is None else told.get("max_bytes", "none")
        assert settings.safety.max_bytes == (None if cap in ("none", None) else int(cap))


_PRICES = ((_SHIPPED_PROFILES / "prices" / "prices.toml").read_bytes(),)


def _read_prices(content: bytes, random: Random, folder: Path) -> None:
    (folder / "given").write_bytes(content)
    table = read_price_table(str(folder / "given"))
    document = tomllib.loads(content.decode("utf-8-sig"))
    assert table.storage_gb_month == {name: float(price) for name, price in document["storage_gb_month"].items()}
    amounts = [*table.storage_gb_month.values(), table.trail_per_100000_events]
    assert all(0 <= amount < math.inf for amount in amounts), f"no prices: {amounts}"


_SCENARIOS = tuple(
    (resources.files("glacier_simulator") / "scenarios" / f"{name}.toml").read_bytes() for name in SHIPPED
)


def _read_scenario(content: bytes, random: Random, folder: Path) -> None:
    (folder / "given").write_bytes(content)
    scenario = load_scenario(str(folder / "given"))
    assert scenario.about == tomllib.loads((folder / "given").read_text("utf-8"))["about"]


def targets() -> Iterator[Target]:
    """The readers of what people give."""
    lines = by_lines(b"\n")
    of_lists: Mutator = either(by_bytes, lines(by_bytes), lambda good, random: gzip.compress(by_bytes(good, random), 1))
    of_manifests: Mutator = lambda good, random: either(  # noqa: E731 - as short as the others
        by_bytes, lines(by_json if good.startswith(b"{") else by_cells())
    )(good, random)
    of_toml = either(by_toml, by_toml, by_bytes)
    place: dict[str, Any] = {"refuses": (UsageError,), "names": "given"}
    yield Target(name="list of ids", good=lambda: _LISTS, spoil=of_lists, read=_read_ids, **place)
    yield Target(name="manifest", good=lambda: _MANIFESTS, spoil=of_manifests, read=_read_manifest, **place)
    yield Target(name="fleet file", good=lambda: _FLEETS, spoil=of_toml, read=_read_fleet, refuses=(UsageError,))
    of_settings: dict[str, Any] = {"refuses": (ConfigurationFailed, UsageError)}
    yield Target(
        name="settings file", good=lambda: _SETTINGS, spoil=of_toml, read=_read_settings, names="given", **of_settings
    )
    yield Target(
        name="environment", good=lambda: _VARIABLES, spoil=_spoilt_variable, read=_read_variable, **of_settings
    )
    yield Target(
        name="price table",
        good=lambda: _PRICES,
        spoil=of_toml,
        read=_read_prices,
        refuses=(ConfigurationFailed,),
        names="given",
    )
    yield Target(name="scenario", good=lambda: _SCENARIOS, spoil=of_toml, read=_read_scenario, **place)
