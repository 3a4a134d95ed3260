"""The answers of what has a workflow engine carry vaults."""

from __future__ import annotations

from typing import Annotated

import msgspec

from glacier_purge.report.results.result import Result, about, moment


class ClusterStarted(Result, frozen=True, kw_only=True, tag="cluster-started"):
    """That the vaults of a fleet file are carried from now on."""

    company: Annotated[str, about("The name of all of it.")]
    pairs: Annotated[tuple[str, ...], about("The accounts and regions, as 123456789012/eu-west-1.")]
    vaults: Annotated[int, about("How many vaults they have.")]


class PairStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One account in one region that goes on: one process at a time."""

    pair: Annotated[str, about("Account and region, as 123456789012/eu-west-1.")]
    company: Annotated[str, about("The name it was started under.")]
    home: Annotated[str, about("The name of the home that has its run folders.")]
    standing: Annotated[str, about("What it does or waits for, in words.")]
    until: Annotated[str | None, moment("When it is looked at again (UTC); null where it is not known.")]
    max_rate: Annotated[float | None, about("Most requests a second; null leaves it to the settings.")]


class VaultStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One vault as its last step left it."""

    vault_arn: Annotated[str, about("The vault.")]
    state: Annotated[str, about("done, pending, stopped or failed.")]
    phase: Annotated[str | None, about("The phase it is in; null where its files do not say.")]
    needs: Annotated[str, about("What it takes to go on, as run --no-wait says it.")]
    until: Annotated[str | None, moment("When it is looked at again (UTC); null where only a person helps.")]
    confirm_digests: Annotated[list[str], about("The digests of its plans that wait for an approval.")]
    selected: Annotated[int | None, about("Archives that go in the last planned round; null before there is a plan.")]
    deleted: Annotated[int | None, about("Archives of that round that are deleted.")]
    failed: Annotated[int | None, about("Archives of that round that could not be deleted.")]
    certificate: Annotated[str | None, about("At the end: the digest of the certificate.")]
    told: Annotated[str, about("What it waits for, or what ended it, in words.")]


class ClusterStatus(Result, frozen=True, kw_only=True, tag="cluster-status"):
    """How all vaults stand that a workflow engine carries."""

    pairs: Annotated[tuple[PairStanding, ...], about("What goes on.")]
    vaults: Annotated[tuple[VaultStanding, ...], about("Each vault, also of pairs that ended.")]


class ClusterOrdered(Result, frozen=True, kw_only=True, tag="cluster-ordered"):
    """That an order was taken."""

    order: Annotated[str, about("approve, pause, rate, resume or stop.")]
    pairs: Annotated[tuple[str, ...], about("Who took it.")]
