"""What the user's AWS configuration says, read without asking anybody."""

from __future__ import annotations

from glacier_purge.errors import CredentialsFailed


def profile_region(profile: str | None) -> str | None:
    """The region the AWS configuration gives for ``profile`` (None: the default one), if any."""
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415  # heavy
    from botocore.session import Session  # noqa: PLC0415  # heavy

    try:
        region = Session(profile=profile).get_config_variable("region")
    except ProfileNotFound as fault:
        raise CredentialsFailed(f"{fault}. Check --profile and AWS_PROFILE.") from fault
    return str(region) if region else None
