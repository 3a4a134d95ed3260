"""What a reply that concerns every archive of the run alike is called when it ends the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.errors import ServiceRefused
from glacier_purge.service.reply import Meaning

if TYPE_CHECKING:
    from glacier_purge.archive import Vault
    from glacier_purge.service.reply import Reply

_REFUSALS: dict[Meaning, str] = {
    Meaning.REFUSED: "the service denied DeleteArchive. Check the role's permission (config/iam/delete.json), "
    "the vault's access policy and its vault lock",
    Meaning.VAULT_MISSING: "the vault was not found. Check its name, region and account; it may have been deleted",
    Meaning.WRONG_VAULT: "the service says these archive ids belong to another vault: "
    "the inventory is not this vault's",
    Meaning.NO_LONGER_SUPPORTED: "the account counts as a new customer, for whom the service is closed: it holds no "
    "archives here any more, or never did",
    Meaning.NOT_AWS: "the answer did not come from AWS but from something in between (a proxy or a login page)",
    Meaning.UNTRUSTED: "the server's TLS certificate does not hold: someone may stand in between",
}


def refusal(vault: Vault, reply: Reply) -> ServiceRefused:
    """Make the error that ends the run from a reply whose meaning is in ``service.reply.ENDS_THE_RUN``."""
    detail = " ".join(part for part in (reply.code, reply.message) if part)
    return ServiceRefused(
        f"{vault.arn}: {_REFUSALS[reply.meaning]}. The service answered "
        f"{reply.status or 'nothing'}: {detail or 'no text'}. Dispatch stopped; nothing is marked failed."
    )
