"""The verbs: where each lives, what it is for in a line, and what it can end with, in its own words.

A verb is a plain function in ``cli/<verb>.py``: its parameters are its options, its docstring is its help with its
examples, the int it returns is the exit code (None is 0).  It is named here by import path, so that ``--help`` imports
none of them and a verb imports none of the others.  ``--help``, the manual and the reference are all written from this
table and the docstrings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from glacier_purge.cli.exit_codes import MEANINGS, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL = (ExitCode.USAGE, ExitCode.STOPPED)
_SETTINGS = (*_LOCAL, ExitCode.CREDENTIALS)
_FOLDER = (*_LOCAL, ExitCode.AUDIT_DAMAGED)
_SERVICE = (*_SETTINGS, ExitCode.REFUSED)
_RUN = (*_SERVICE, ExitCode.AUDIT_DAMAGED, ExitCode.PENDING)
_SEEN = {
    0: "all that was asked about was read",
    3: "what was not answered is named, the rest is shown",
    253: "credentials, configuration or clock: what was not read is named",
    254: "what may not be read, or is not there, is named, the rest is shown",
}
_EVERY_VERB = (ExitCode.USAGE, ExitCode.INTERRUPTED, ExitCode.OUTPUT_CLOSED, ExitCode.UNEXPECTED)


class Verb(NamedTuple):
    """A verb without being imported."""

    place: str
    """Module and function, as ``glacier_purge.cli.apply:apply``."""
    summary: str
    endings: Mapping[ExitCode, str]
    """Every exit code it can end with, in order, and what it means here."""


def _ends(may: tuple[ExitCode, ...], own: dict[int, str]) -> dict[ExitCode, str]:
    """What can happen, in the words for all verbs where it has none of its own."""
    words = {code: MEANINGS[code] for code in (*may, *_EVERY_VERB)} | {ExitCode(code): own[code] for code in own}
    return dict(sorted(words.items()))


VERBS: dict[str, Verb] = {
    "vaults": Verb(
        "glacier_purge.cli.vaults:vaults",
        "List the vaults of accounts and regions; reads only.",
        _ends(_SERVICE, _SEEN),
    ),
    "estimate": Verb(
        "glacier_purge.cli.estimate:estimate",
        "Say what emptying vaults would save, cost and take; reads only.",
        _ends((*_SERVICE, ExitCode.AUDIT_DAMAGED), _SEEN),
    ),
    "doctor": Verb(
        "glacier_purge.cli.doctor:doctor",
        "Look at what could go wrong with a purge; reads only.",
        _ends(_SERVICE, {0: "nothing stands in the way", 2: "something does and is said, or wrong usage"}),
    ),
    "plan": Verb(
        "glacier_purge.cli.plan:plan",
        "Choose what goes, write it down in a run folder; sends no delete.",
        _ends(_RUN, {0: "the plan is written down", 2: "wrong usage, or an inventory or a choice that is refused"}),
    ),
    "show": Verb(
        "glacier_purge.cli.show:show",
        "Print a plan again, whole; sends nothing.",
        _ends((*_FOLDER, ExitCode.CREDENTIALS), {0: "shown"}),
    ),
    "approve": Verb(
        "glacier_purge.cli.approve:approve",
        "Approve a plan with a key of one's own, for those that several have to.",
        _ends((*_FOLDER, ExitCode.CREDENTIALS), {0: "the approval is made, or handed in, and lies where it was to"}),
    ),
    "apply": Verb(
        "glacier_purge.cli.apply:apply",
        "Carry out a plan, or resume one that was begun.",
        _ends(_RUN, {0: "every archive of the plan is accounted for, none failed", 1: "finished, but archives failed"}),
    ),
    "purge": Verb(
        "glacier_purge.cli.purge:purge",
        "Plan, confirm and apply in one go.",
        _ends(_RUN, {0: "every archive of the plan is accounted for, none failed", 1: "finished, but archives failed"}),
    ),
    "verify": Verb(
        "glacier_purge.cli.verify:verify",
        "Prove by a later inventory that what a run deleted is gone.",
        _ends(
            _RUN,
            {
                0: "what was deleted is gone, nothing else is there; there is a certificate",
                1: "archives are listed still, were uploaded since, or are gone though kept",
                75: "the inventory is not ready yet; the same command goes on later",
            },
        ),
    ),
    "delete-vault": Verb(
        "glacier_purge.cli.delete_vault:delete_vault",
        "Remove a vault that was proven to be empty.",
        _ends(
            _RUN,
            {
                0: "the vault is removed",
                2: "wrong usage, or the vault is not proven to be empty; it was not removed",
                75: "the service calls it recently written to; the same command goes on later",
            },
        ),
    ),
    "run": Verb(
        "glacier_purge.cli.run:run",
        "Carry a vault from its name to a proven purge, over days.",
        _ends(
            _RUN,
            {
                0: "the vault is purged and proven, and removed where that was wanted",
                1: "ended, but archives failed, are listed still, or are gone though kept",
                75: "waits for time or for an approval; the same command goes on",
            },
        ),
    ),
    "fleet": Verb(
        "glacier_purge.cli.fleet:fleet",
        "Carry several vaults through all of that side by side.",
        _ends(
            _RUN,
            {
                0: "every vault is purged and proven",
                1: "of a vault, archives failed, are listed still, or are gone though kept",
                75: "a vault waits for time or for an approval; the same command goes on",
            },
        ),
    ),
    "cluster worker": Verb(
        "glacier_purge.cli.cluster:worker",
        "Take steps of a company's vaults until stopped.",
        _ends(_SETTINGS, {0: "stopped by Ctrl-C or SIGTERM"}),
    ),
    "cluster start": Verb(
        "glacier_purge.cli.cluster:start",
        "Have the vaults of a fleet file carried by workers.",
        _ends(_SERVICE, {0: "they are carried from now on"}),
    ),
    "cluster status": Verb(
        "glacier_purge.cli.cluster:status",
        "Say how every vault of a company stands.",
        _ends(_LOCAL, {0: "said"}),
    ),
    "cluster approve": Verb(
        "glacier_purge.cli.cluster:approve",
        "Carry a yes to plans that wait for it.",
        _ends(_LOCAL, {0: "the workers have it", 2: "wrong usage, or no such plan waits; nothing was approved"}),
    ),
    "cluster pause": Verb(
        "glacier_purge.cli.cluster:pause",
        "Drain a company, or one account and region of it.",
        _ends(_LOCAL, {0: "it is drained"}),
    ),
    "cluster resume": Verb(
        "glacier_purge.cli.cluster:resume",
        "Go on after that, or look at once.",
        _ends(_LOCAL, {0: "it goes on"}),
    ),
    "cluster rate": Verb(
        "glacier_purge.cli.cluster:rate",
        "Change the highest rate of accounts and regions.",
        _ends(_LOCAL, {0: "it is changed"}),
    ),
    "cluster stop": Verb(
        "glacier_purge.cli.cluster:stop",
        "Drain a company and end; start goes on with it.",
        _ends(_LOCAL, {0: "it ends"}),
    ),
    "thaw": Verb(
        "glacier_purge.cli.thaw:thaw",
        "Let uploads again that a lost lifecycle denies.",
        _ends((*_SERVICE, ExitCode.PENDING), {0: "uploads are allowed again"}),
    ),
    "abandon": Verb(
        "glacier_purge.cli.abandon:abandon",
        "End a lifecycle before its end, in good order and for good.",
        _ends(_RUN, {0: "ended; uploads are as they were before"}),
    ),
    "handover": Verb(
        "glacier_purge.cli.handover:handover",
        "Stop in good order and have all of it in the bucket.",
        _ends(_RUN, {0: "all of it is in the replica, and nobody works on it here"}),
    ),
    "take": Verb(
        "glacier_purge.cli.take:take",
        "Go on here with what another host handed over or was lost with.",
        _ends(
            _RUN,
            {
                0: "what was taken is done, as apply or run says it",
                1: "done, but archives failed, are listed still, or are gone though kept",
                75: "another host works on the vault, or it waits for time or for an approval",
            },
        ),
    ),
    "restore": Verb(
        "glacier_purge.cli.restore:restore",
        "Make a folder again from what a bucket keeps of it.",
        _ends(_RUN, {0: "the folder is there, whole and checked"}),
    ),
    "report": Verb(
        "glacier_purge.cli.report:report",
        "Say what became of a vault, also as a page for a manager.",
        _ends((*_FOLDER, ExitCode.CREDENTIALS), {0: "said, however well it went"}),
    ),
    "why": Verb(
        "glacier_purge.cli.why:why",
        "Tell one archive's whole story, from inventory to certificate.",
        _ends(_FOLDER, {0: "told", 1: "nothing in the folder names the archive"}),
    ),
    "status": Verb(
        "glacier_purge.cli.status:status",
        "Say how far a run is, also while it is going on.",
        _ends(_FOLDER, {0: "said", 4: "files of the folder do not hold together; which, is said"}),
    ),
    "watch": Verb(
        "glacier_purge.cli.watch:watch",
        "Show on a live page how a run, a lifecycle or a fleet goes.",
        _ends((*_FOLDER, ExitCode.CREDENTIALS), {0: "the time asked for is over"}),
    ),
    "pause": Verb(
        "glacier_purge.cli.orders:pause",
        "Let a run that is going on send nothing for now.",
        _ends(_FOLDER, {0: "the run obeys", 2: "wrong usage, or nobody works on the run"}),
    ),
    "resume": Verb(
        "glacier_purge.cli.orders:resume",
        "Go on after pause.",
        _ends(_FOLDER, {0: "the run obeys", 2: "wrong usage, or nobody works on the run"}),
    ),
    "rate": Verb(
        "glacier_purge.cli.orders:rate",
        "Change the highest rate of a run that is going on.",
        _ends(_FOLDER, {0: "the run obeys", 2: "wrong usage, or nobody works on the run"}),
    ),
    "stop": Verb(
        "glacier_purge.cli.orders:stop",
        "End a run's process in good order; apply goes on with the run.",
        _ends(_FOLDER, {0: "the run obeys", 2: "wrong usage, or nobody works on the run"}),
    ),
    "inventory fetch": Verb(
        "glacier_purge.cli.inventory_fetch:fetch",
        "Fetch a vault's inventory, waiting hours for it.",
        _ends(
            (*_SERVICE, ExitCode.AUDIT_DAMAGED),
            {
                0: "the inventory is in its place, whole and checked",
                75: "the job is not done yet; the same command goes on later",
            },
        ),
    ),
    "inventory inspect": Verb(
        "glacier_purge.cli.inventory:inspect",
        "Count, date and check the records of an inventory.",
        _ends(
            _LOCAL,
            {0: "every record is sound", 2: "wrong usage, or invalid or repeated records, or damage as a whole"},
        ),
    ),
    "audit verify": Verb(
        "glacier_purge.cli.audit:verify",
        "Check a run's audit log for damage and tampering.",
        _ends(_FOLDER, {0: "every file is as it was written"}),
    ),
    "audit anchor": Verb(
        "glacier_purge.cli.audit:anchor",
        "Keep the heads of logs elsewhere, signed.",
        _ends((*_FOLDER, ExitCode.CREDENTIALS), {0: "the folder is sound, and the heads are kept"}),
    ),
    "audit bundle": Verb(
        "glacier_purge.cli.audit:bundle",
        "Write one file for an auditor.",
        _ends((*_FOLDER, ExitCode.CREDENTIALS), {0: "the folder is sound, and the file is written"}),
    ),
    "audit export": Verb(
        "glacier_purge.cli.audit:export",
        "Write what became of each archive as a list.",
        _ends(_FOLDER, {0: "the list is whole"}),
    ),
    "config show": Verb(
        "glacier_purge.cli.config:show", "Print the settings in force.", _ends(_SETTINGS, {0: "printed"})
    ),
    "config schema": Verb(
        "glacier_purge.cli.config:schema",
        "Print the JSON Schema of a settings file, or of a verb's answers.",
        _ends(_LOCAL, {0: "printed, or written"}),
    ),
    "completion": Verb(
        "glacier_purge.cli.completion:completion",
        "Print what a shell needs to complete verbs and options.",
        _ends((), {0: "printed"}),
    ),
    "manual": Verb(
        "glacier_purge.cli.manual.manual:manual",
        "Print the manual of all verbs, for man or as Markdown pages.",
        _ends(_LOCAL, {0: "printed, or written"}),
    ),
    "demo": Verb(
        "glacier_purge.cli.demo:demo",
        "Purge a simulated vault; touches no AWS account.",
        _ends(_FOLDER, {0: "every simulated archive is deleted and on record", 1: "finished, but archives failed"}),
    ),
    "bench": Verb(
        "glacier_purge.cli.benching.bench:bench",
        "Time the whole purge against a simulator.",
        _ends(_LOCAL, {0: "measured, and every archive is deleted", 1: "measured, but archives are left"}),
    ),
    "simulate": Verb(
        "glacier_purge.cli.simulate:simulate",
        "Serve a simulated Amazon Glacier on loopback.",
        _ends(_LOCAL, {0: "stopped by Ctrl-C or SIGTERM"}),
    ),
}

HEADINGS = {
    "Look first": ("vaults", "estimate", "doctor"),
    "A purge, step by step": ("inventory", "plan", "show", "approve", "apply", "purge", "verify", "delete-vault"),
    "All of it, over days": ("run", "fleet", "cluster", "thaw", "abandon"),
    "On another host": ("handover", "take", "restore"),
    "While it goes on": ("status", "watch", "pause", "resume", "rate", "stop"),
    "Afterwards": ("report", "why", "audit"),
    "Without AWS": ("demo", "simulate", "bench"),
    "The command itself": ("config", "completion", "manual"),
}
"""How the list of verbs is parted, by their first words; within a part they stand as one would need them."""

GROUPS = {
    "inventory": "Get vault inventories and look into them.",
    "audit": "Prove what a run did.",
    "cluster": "Have Temporal carry many vaults over workers that may die.",
    "config": "See the settings.",
}
"""The first words of verbs of two."""
