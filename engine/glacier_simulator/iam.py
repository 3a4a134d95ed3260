"""Identity policies: what the credentials that signed a request may do at all, whatever the vault's own policies say.

Credentials without a policy may do everything.  With one, an explicit Deny wins, and without an Allow there is nothing
but refusal, before anything is looked for: who may not see a vault is not told whether it exists.  In one account an
Allow of either the identity's or the vault's policy is enough; the vault's Deny is held against the request later, by
``Call.authorise``.

Sources: IAM User Guide, "Policy evaluation logic", "Troubleshoot access denied error messages"; Service Authorization
Reference, "Amazon S3 Glacier"; Developer Guide, "Vault-level permissions".
"""

from __future__ import annotations

from glacier_purge.archive import partition_of
from glacier_simulator import policy
from glacier_simulator.call import Call, text_of
from glacier_simulator.operations.archives import note_denied_delete
from glacier_simulator.refusal import Refusal
from glacier_simulator.stored import StoredVault

_LEVELS = {
    "ListVaults": "vaults/*",
    "GetDataRetrievalPolicy": "policies/retrieval-limit-policy",
    "SetDataRetrievalPolicy": "policies/retrieval-limit-policy",
}
"""The resource of operations that name no vault; those not listed have none, which only ``*`` matches."""


def check_identity(call: Call) -> None:
    """Refuse what the identity policy of the caller does not allow; a refused delete is counted."""
    rules = call.caller.policy
    if rules is None:
        return
    vault = call.account.vaults.get(call.names[0]) if call.names else None
    archive_id = _archive_id(call)
    index = None if vault is None or archive_id is None else vault.shelf.find(archive_id)
    question = call.question(_resource(call), vault, index)
    if policy.is_denied(rules, question):
        why = " with an explicit deny in an identity-based policy"
    elif not (policy.is_allowed(rules, question) or _vault_allows(call, vault, question)):
        why = f" because no identity-based policy allows the {question.action} action"
    else:
        return
    if call.operation == "DeleteArchive":
        note_denied_delete(call, vault, index)
    raise call.denied(question.resource, why)


def _resource(call: Call) -> str:
    if call.names:
        return call.account.vault_arn(call.names[0])
    facts, level = call.account.facts, _LEVELS.get(call.operation)
    return f"arn:{partition_of(facts.region)}:glacier:{facts.region}:{facts.account_id}:{level}" if level else "*"


def _archive_id(call: Call) -> str | None:
    """The archive the request is about: two operations may be allowed by its age."""
    if call.operation == "DeleteArchive":
        return call.names[1]
    if call.operation != "InitiateJob":
        return None
    try:
        return text_of(call.json_object(), "ArchiveId")
    except Refusal:  # which the operation itself will say
        return None


def _vault_allows(call: Call, vault: StoredVault | None, question: policy.Question) -> bool:
    at_home = call.caller.account_id == call.account.facts.account_id
    return vault is not None and at_home and policy.is_allowed(vault.rules, question)
