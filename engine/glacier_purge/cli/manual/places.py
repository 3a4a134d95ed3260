"""What the command reads of its environment, and where it keeps what, for those who look after a machine."""

from __future__ import annotations

ENVIRONMENT = {
    "GLACIER_PURGE_SECTION__NAME": "A setting, as GLACIER_PURGE_PACE__MAX_RATE=50.",
    "GLACIER_PURGE_CONFIG": "A file of settings, as --config.",
    "GLACIER_PURGE_PROFILE": "Shipped settings to start from, as --settings-profile.",
    "AWS_PROFILE, AWS_REGION, AWS_ACCESS_KEY_ID, ...": "Who asks, and where, as AWS's own tools have it.",
    "AWS_ENDPOINT_URL_GLACIER, AWS_ENDPOINT_URL": "Another endpoint: loopback, or one of Amazon Glacier's.",
    "AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE": "A PEM file of authorities to trust besides the system's.",
    "HTTPS_PROXY, NO_PROXY": "The way out, as AWS's own tools take it.",
    "NO_COLOR, TERM, COLUMNS": "What is drawn on a terminal, and how wide.",
}

FILES = {
    "/etc/glacier-purge.toml": "A company's settings: others may be stricter than its limits and deny lists.",
    "$XDG_CONFIG_HOME/glacier-purge.toml": "A user's settings; ~/.config where that variable is not set.",
    "runs/": "Run folders, where none is named: the plan, its inventory, the audit log. Keep them: they are the proof.",
    "$XDG_STATE_HOME/glacier-purge/": "The limits that were found, so that the next run begins there; ~/.local/state "
    "where that variable is not set. It may be removed at any time.",
    "~/.aws/cli/cache/": "Sessions of roles, shared with the AWS CLI.",
    "/var/tmp/glacier-purge-*": "Locks, elsewhere than on Linux; on Linux they are no files.",  # noqa: S108 - told, not used
}
