"""What else a vault carries: its notification configuration and its tags."""

from __future__ import annotations

from glacier_simulator import refusal
from glacier_simulator.call import Call, reply, reply_json, text_of
from glacier_simulator.exchange import Response

_EVENTS = frozenset({"ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"})
_TAGS_MAX = 10
_KEY_CHARACTERS_MAX = 128
_VALUE_CHARACTERS_MAX = 256
"""Ten tags a vault, keys of 1 to 128 characters, values of 0 to 256 ("Tagging Amazon Glacier resources")."""


def get_notifications(call: Call) -> Response:
    """Answer GetVaultNotifications."""
    facts = call.vault().facts
    if facts.sns_topic is None:
        raise refusal.not_found(f"No notification configuration is set for vault: {call.names[0]}")
    return reply_json({"Events": facts.sns_events, "SNSTopic": facts.sns_topic})


def set_notifications(call: Call) -> Response:
    """Answer SetVaultNotifications. Whether there is such a topic is not looked at, and nothing is sent to it."""
    facts = call.vault().facts
    body = call.json_object()
    topic, events = text_of(body, "SNSTopic"), body.get("Events")
    if not topic or not events:
        raise refusal.missing("Events" if topic else "SNSTopic")
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise refusal.unreadable("Events is not a list of strings.")
    if unknown := [event for event in events if event not in _EVENTS]:
        raise refusal.invalid(f"Invalid notification event: {unknown[0]}")
    facts.sns_topic, facts.sns_events = topic, events
    return reply(204)


def delete_notifications(call: Call) -> Response:
    """Answer DeleteVaultNotifications: idempotent."""
    facts = call.vault().facts
    facts.sns_topic, facts.sns_events = None, []
    return reply(204)


def list_tags(call: Call) -> Response:
    """Answer ListTagsForVault: an empty map when there are none."""
    return reply_json({"Tags": call.vault().facts.tags})


def add_tags(call: Call) -> Response:
    """Answer AddTagsToVault: a tag that is there gets the new value."""
    facts = call.vault().facts
    tags = call.json_object().get("Tags")
    if not tags:
        raise refusal.missing("Tags")
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise refusal.unreadable("Tags is not a map of strings.")
    for key, value in tags.items():
        if not 1 <= len(key) <= _KEY_CHARACTERS_MAX or len(value) > _VALUE_CHARACTERS_MAX:
            raise refusal.invalid(f"Invalid tag: {key[:_KEY_CHARACTERS_MAX]}")
    merged = {**facts.tags, **tags}
    if len(merged) > _TAGS_MAX:
        raise refusal.Refusal("LimitExceededException", f"A vault can have at most {_TAGS_MAX} tags.")
    facts.tags = merged
    return reply(204)


def remove_tags(call: Call) -> Response:
    """Answer RemoveTagsFromVault: tags that are not there are no fault."""
    facts = call.vault().facts
    keys = call.json_object().get("TagKeys")
    if not keys:
        raise refusal.missing("TagKeys")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise refusal.unreadable("TagKeys is not a list of strings.")
    facts.tags = {key: value for key, value in facts.tags.items() if key not in keys}
    return reply(204)
