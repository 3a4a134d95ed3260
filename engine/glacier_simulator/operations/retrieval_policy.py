"""GetDataRetrievalPolicy, SetDataRetrievalPolicy, provisioned capacity - and the policy's effect on jobs."""

from __future__ import annotations

from collections.abc import Callable

from glacier_simulator import dates, refusal
from glacier_simulator.account import Capacity, Retrieval
from glacier_simulator.call import Call, reply, reply_json
from glacier_simulator.exchange import Response
from glacier_simulator.jobs import HOUR

_FREE_BYTES_PER_HOUR = 10 * 2**30 // (30 * 24)
"""The free tier's 10 GB a month, spread evenly ("Data retrieval policies")."""
_CAPACITY_UNITS_MAX = 2
_CAPACITY_LASTS_SECONDS = 30 * 24 * HOUR
"""A unit of capacity lasts a month ("PurchaseProvisionedCapacity")."""


def get_retrieval_policy(call: Call) -> Response:
    """Answer GetDataRetrievalPolicy."""
    facts = call.account.facts
    rule = {"BytesPerHour": facts.bytes_per_hour, "Strategy": facts.strategy}
    return reply_json({"Policy": {"Rules": [rule]}})


def set_retrieval_policy(call: Call) -> Response:
    """Answer SetDataRetrievalPolicy."""
    wanted = call.json_object().get("Policy")
    rules = wanted.get("Rules") if isinstance(wanted, dict) else None
    if not isinstance(rules, list) or len(rules) != 1 or not isinstance(rules[0], dict):
        raise refusal.invalid("Invalid data retrieval policy: exactly one rule is needed")
    strategy, most = rules[0].get("Strategy"), rules[0].get("BytesPerHour")
    if strategy not in {"BytesPerHour", "FreeTier", "None"}:
        raise refusal.invalid(f"Invalid strategy: {strategy}")
    if strategy == "BytesPerHour" and (type(most) is not int or most <= 0):
        raise refusal.invalid(f"Invalid BytesPerHour: {most}")
    facts = call.account.facts
    facts.strategy, facts.bytes_per_hour = strategy, most if strategy == "BytesPerHour" else None
    return reply(204)


def enforce_retrieval_policy(call: Call, size_bytes: Callable[[], int]) -> None:
    """Refuse a job that would retrieve more within the hour than the policy lets; count the others."""
    facts = call.account.facts
    if facts.strategy == "None":
        return
    most = _FREE_BYTES_PER_HOUR if facts.bytes_per_hour is None else facts.bytes_per_hour
    facts.retrievals = [past for past in facts.retrievals if past.moment > call.now - HOUR]
    asked = size_bytes()
    if asked + sum(past.size_bytes for past in facts.retrievals) > most:
        raise refusal.Refusal("PolicyEnforcedException", "InitiateJob request denied by current data retrieval policy.")
    facts.retrievals.append(Retrieval(call.now, asked))


def list_capacity(call: Call) -> Response:
    """Answer ListProvisionedCapacity."""
    facts = call.account.facts
    facts.capacity = [unit for unit in facts.capacity if unit.expires > call.now]
    listed = [
        {
            "CapacityId": unit.capacity_id,
            "ExpirationDate": dates.with_milliseconds(unit.expires),
            "StartDate": dates.with_milliseconds(unit.start),
        }
        for unit in facts.capacity
    ]
    return reply_json({"ProvisionedCapacityList": listed})


def purchase_capacity(call: Call) -> Response:
    """Answer PurchaseProvisionedCapacity."""
    facts = call.account.facts
    facts.capacity = [unit for unit in facts.capacity if unit.expires > call.now]
    if len(facts.capacity) >= _CAPACITY_UNITS_MAX:
        raise refusal.Refusal("LimitExceededException", "The limit of provisioned capacity units is reached.")
    unit = Capacity(call.identifiers.next_id(), call.now, call.now + _CAPACITY_LASTS_SECONDS)
    facts.capacity.append(unit)
    return reply(201, {"x-amz-capacity-id": unit.capacity_id})
