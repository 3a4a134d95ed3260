"""Vault lock and vault access policy: both are kept as the text they came as and enforced from then on.

A lock in progress is enforced in full and falls off after 24 hours; a completed one stays for ever.
"""

from __future__ import annotations

from glacier_simulator import dates, policy, refusal
from glacier_simulator.call import Call, reply, reply_json, text_of
from glacier_simulator.exchange import Response
from glacier_simulator.stored import LOCK_IN_PROGRESS_SECONDS, Lock


def get_lock(call: Call) -> Response:
    """Answer GetVaultLock."""
    lock = call.vault().facts.lock
    if lock is None:
        raise refusal.not_found(f"No vault lock policy is set for: {call.names[0]}")
    return reply_json(
        {
            "CreationDate": dates.with_milliseconds(lock.created),
            "ExpirationDate": None if lock.expires is None else dates.with_milliseconds(lock.expires),
            "Policy": lock.policy,
            "State": "Locked" if lock.expires is None else "InProgress",
        }
    )


def initiate_lock(call: Call) -> Response:
    """Answer InitiateVaultLock: refused while there is a lock, in progress or not."""
    vault = call.vault()
    text = _policy(call, "The specified vault lock policy is invalid. Provide a valid policy.")
    if vault.facts.lock is not None:
        raise call.denied(vault.facts.arn)
    lock_id = call.identifiers.next_id()
    vault.facts.lock = Lock(lock_id, text, call.now, call.now + LOCK_IN_PROGRESS_SECONDS)
    vault.settle()
    return reply(201, {"x-amz-lock-id": lock_id})


def complete_lock(call: Call) -> Response:
    """Answer CompleteVaultLock: idempotent with the right id."""
    vault = call.vault()
    lock = vault.facts.lock
    if lock is None:
        raise refusal.not_found(f"No vault lock policy is set for: {call.names[0]}")
    if lock.lock_id != call.names[1]:
        if lock.expires is None:
            raise call.denied(vault.facts.arn)
        raise refusal.invalid(f"Invalid lock ID: {call.names[1]}")
    lock.expires = None
    vault.settle()
    return reply(204)


def abort_lock(call: Call) -> Response:
    """Answer AbortVaultLock: idempotent, but never for a completed lock."""
    vault = call.vault()
    lock = vault.facts.lock
    if lock is not None and lock.expires is None:
        raise call.denied(vault.facts.arn)
    vault.facts.lock = None
    vault.settle()
    return reply(204)


def get_access_policy(call: Call) -> Response:
    """Answer GetVaultAccessPolicy."""
    text = call.vault().facts.access_policy
    if text is None:
        raise refusal.not_found(f"No vault access policy is set for: {call.names[0]}")
    return reply_json({"Policy": text})


def set_access_policy(call: Call) -> Response:
    """Answer SetVaultAccessPolicy."""
    vault = call.vault()
    vault.facts.access_policy = _policy(call, "The specified vault access policy is invalid. Provide a valid policy.")
    vault.settle()
    return reply(204)


def delete_access_policy(call: Call) -> Response:
    """Answer DeleteVaultAccessPolicy: idempotent."""
    vault = call.vault()
    vault.facts.access_policy = None
    vault.settle()
    return reply(204)


def _policy(call: Call, otherwise: str) -> str:
    text = text_of(call.json_object(), "Policy")
    if text is None:
        raise refusal.missing("Policy")
    if len(text.encode("utf-8", "backslashreplace")) > policy.POLICY_BYTES_MAX:
        raise refusal.invalid(otherwise)
    try:
        policy.parse(text)
    except policy.MalformedPolicyError as error:
        raise refusal.invalid(f"{otherwise} ({error})") from error
    return text
