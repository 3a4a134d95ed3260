"""Why an archive goes or stays: what each decision byte means, in the plan and in the outcome of an archive that stays.

``DELETE`` is the only decision that lets an archive be sent; every other one is the reason why it stays.
"""

from __future__ import annotations

DELETE = 0
INVALID = 1
DUPLICATE = 2
DENIED = 3
EXCLUDED = 4
NOT_LISTED = 5
IN_RETRIEVAL = 6
NOT_OLDER = 7
NOT_NEWER = 8
NO_DATE = 9
DESCRIPTION_DIFFERS = 10
TOO_SMALL = 11
TOO_LARGE = 12
NOT_IN_MANIFEST = 13
NOT_COPIED = 14
SIZE_DIFFERS = 15
TREE_HASH_DIFFERS = 16
COPY_MISSING = 17
COPY_DIFFERS = 18
COPY_NOT_SEEN = 19
OVER_LIMIT = 20
KEPT_BEFORE = 21

REASONS: dict[int, str] = {
    DELETE: "delete",
    INVALID: "invalid",
    DUPLICATE: "duplicate",
    DENIED: "on_deny_list",
    EXCLUDED: "excluded",
    NOT_LISTED: "not_listed",
    IN_RETRIEVAL: "in_retrieval",
    NOT_OLDER: "not_older_than",
    NOT_NEWER: "not_newer_than",
    NO_DATE: "upload_date_unreadable",
    DESCRIPTION_DIFFERS: "description_not_like",
    TOO_SMALL: "smaller_than",
    TOO_LARGE: "larger_than",
    NOT_IN_MANIFEST: "not_in_manifest",
    NOT_COPIED: "not_copied",
    SIZE_DIFFERS: "manifest_size_differs",
    TREE_HASH_DIFFERS: "manifest_tree_hash_differs",
    COPY_MISSING: "copy_missing",
    COPY_DIFFERS: "copy_size_differs",
    COPY_NOT_SEEN: "copy_not_looked_at",
    OVER_LIMIT: "over_limit",
    KEPT_BEFORE: "kept_by_an_earlier_round",
}
"""What each decision byte means, as written into the plan and into the outcome of an archive that stays."""

ALWAYS = (DELETE, INVALID, DUPLICATE)
"""Decisions that any plan may make; the others come from filters."""

UNCHOSEN = frozenset({IN_RETRIEVAL})
"""Decisions that nobody chose. Where none was made the plan does not say that it could have been: a plan made where the
service was not asked, and one made where it had nothing to tell, are the same plan."""
