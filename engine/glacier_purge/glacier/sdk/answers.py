"""What comes back from an SDK client, read in one place for every adapter that asks through it: replies to deletes, and
the members of answers to control calls, as the port's own values. Pure, but for the look at the clock that tells how
far it is off.

Errors are told apart by the code string of the body, never by the SDK's exception classes, because the SDK's model
lacks the codes that matter most here (throttling among them).
"""

from __future__ import annotations

import ssl
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from glacier_purge.aws.endpoints import is_loopback
from glacier_purge.aws.faults import SET_THE_CLOCK, Fault, configured, fault_of, told
from glacier_purge.aws.tls import fault_in_words, host_asked, tls_fault
from glacier_purge.clock import utc_now
from glacier_purge.errors import ClockWrong, CredentialsFailed, GlacierPurgeError
from glacier_purge.glacier.control import (
    ControlRefused,
    InventoryScope,
    Job,
    JobAction,
    JobState,
    NoAnswer,
    NotTrusted,
    Removal,
)
from glacier_purge.glacier.doubts import NotAReplyError
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.glacier.promises import NOT_AS_PROMISED, is_promised, read_promised
from glacier_purge.glacier.reply import (
    ENDS_THE_RUN,
    MESSAGE_CHARACTERS_MAX,
    Meaning,
    Reply,
    interpret,
    no_reply,
    read_reply,
    retry_after_seconds,
)
from glacier_purge.glacier.service_clock import skew_in_words, skew_of, time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_NOT_YET = "Vault not empty or recently written to"
"""DeleteVault's message before a newer inventory says zero (glacier-vault-remove #28)."""


class NoSuccess(ResponseParserError):  # type: ignore[misc]  # botocore publishes no types
    """An answer that is not the success its operation promises. ``reply`` is what it means."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.meaning.value}, {reply.status} {reply.code or ''} {reply.message}".rstrip())
        self.reply = reply


def hold_to_promise(
    heard: Callable[[str | None], None], operation_model: Any, response_dict: Mapping[str, Any], **_: object
) -> None:
    """Look at an answer before the SDK reads it (its event ``before-parse``). Raises ``NoSuccess``.

    ``heard`` is told the ``Date`` of one that is as promised.

    The SDK's parser takes a page for an answer without members, and breaks down over others.  Refusals of STS are in
    XML and left to it.
    """
    operation, status = operation_model.name, response_dict["status_code"]
    headers = {name.lower(): text for name, text in response_dict["headers"].items()}
    if operation == "DeleteArchive" and status >= 200 and status != 204:
        raw = {name.encode(): text.encode() for name, text in headers.items()}
        raise NoSuccess(_with_skew(read_reply(status, raw, response_dict["body"]), headers.get("date")))
    if not is_promised(operation) or (status >= 300 and operation_model.service_model.service_name != "glacier"):
        return
    is_streamed = operation_model.has_streaming_output and status < 300
    reply = read_promised(operation, status, headers, b"" if is_streamed else response_dict["body"])
    if reply is not None:
        if is_streamed:
            response_dict["body"].close()
        raise NoSuccess(_with_skew(reply, headers.get("date")))
    heard(headers.get("date"))


def read_answer(answer: Mapping[str, Any]) -> Reply:
    """Say what an answer means, a refusal's or a success's."""
    metadata = answer["ResponseMetadata"]
    headers: Mapping[str, str] = metadata["HTTPHeaders"]
    status: int = metadata["HTTPStatusCode"]
    if status < 200:
        return no_reply("HTTPClientError", f"the reply is an interim one ({status}) and no other followed")
    error: Mapping[str, str] = answer.get("Error", {})
    code: str | None = error.get("Code")
    if code == str(status):  # how the SDK says that the body named none
        code = None
    message = (error.get("Message") or "") if code else ""
    request_id = headers.get("x-amzn-requestid")
    reply = Reply(
        interpret(status, code, message, from_aws=request_id is not None),
        status=status,
        code=code,
        message=message[:MESSAGE_CHARACTERS_MAX],
        request_id=request_id,
        retry_after_seconds=retry_after_seconds(headers.get("retry-after"), headers.get("x-amz-retry-after")),
    )
    return _with_skew(reply, headers.get("date"))


def _with_skew(reply: Reply, date: str | None) -> Reply:
    """Have a refusal for the time of a request say how far this host's clock is off, by the ``Date`` of the reply."""
    skew = skew_of(date, utc_now()) if reply.meaning is Meaning.CLOCK else None
    return reply if skew is None else msgspec.structs.replace(reply, message=f"{reply.message}; {skew_in_words(skew)}")


def read_fault(fault: Exception) -> Reply:
    """Say what it means that the SDK has no success to give, or none that is believed.

    Raises errors of our own, which only pass through the SDK, ``ConfigurationFailed``, and ``fault`` itself where it is
    a bug.
    """
    if isinstance(fault, NoSuccess):
        return fault.reply
    if isinstance(fault, ClientError):
        return read_answer(fault.response)
    for cause in _causes(fault):
        if isinstance(cause, NotAReplyError):
            return cause.reply
    if not isinstance(fault, GlacierPurgeError) and (of_tls := tls_fault(fault)) is not None:
        reply = no_reply("SSLError", fault_in_words(of_tls, host_asked(fault)))
        is_untrusted = isinstance(of_tls, ssl.SSLCertVerificationError)
        return msgspec.structs.replace(reply, meaning=Meaning.UNTRUSTED) if is_untrusted else reply
    whose = fault_of(fault)
    if whose is Fault.BUG:  # or ours
        raise fault
    if whose is Fault.CONFIGURATION:
        with configured():
            raise fault
    reply = no_reply(type(fault).__name__, told(fault))
    return msgspec.structs.replace(reply, meaning=Meaning.CREDENTIALS) if whose is Fault.CREDENTIALS else reply


def as_error(
    reply: Reply, operation: str, about: str, endpoint_url: str | None = None
) -> ControlRefused | CredentialsFailed | NoAnswer:
    """Say a reply to ``operation`` that is no success as the error both ports promise.

    ``about`` is the vault's ARN, ``endpoint_url`` where it was asked, if that may be no AWS at all.
    """
    said = f"{reply.code or reply.status or 'no code'}: {reply.message}".rstrip(": ")
    if reply.meaning is Meaning.UNTRUSTED:
        return NotTrusted(f"{operation} of {about} was not sent: {reply.message}.", operation=operation, reply=reply)
    what = f"{operation} of {about} was answered with {reply.meaning.value} ({said})"
    if reply.meaning is Meaning.NOT_AWS or reply.code == NOT_AS_PROMISED:
        return NoAnswer(_unbelieved(what, reply, operation, about, endpoint_url), operation=operation, reply=reply)
    if reply.meaning is Meaning.CLOCK:
        return ClockWrong(f"{what}. {SET_THE_CLOCK}")
    if reply.meaning is Meaning.CREDENTIALS:
        return CredentialsFailed(f"{what}. Renew the AWS credentials, then run the same command again.")
    if reply.meaning in ENDS_THE_RUN:
        advice = "Check account, region, vault name and the role's permissions."
        return ControlRefused(f"{what}. {advice}", operation=operation, reply=reply)
    if reply.meaning is Meaning.UNKNOWN:
        return ControlRefused(f"{what}. Nothing was changed by it.", operation=operation, reply=reply)
    advice = "Run the same command again when the service can be reached."
    return NoAnswer(f"{what}. {advice}", operation=operation, reply=reply)


def _unbelieved(what: str, reply: Reply, operation: str, about: str, endpoint_url: str | None) -> str:
    """Say that ``what`` came is none of the service's replies, and whose it may be."""
    if reply.code == NOT_AS_PROMISED:
        what = f"{operation} of {about} got no answer that can be believed ({reply.status}: {reply.message})"
    elif endpoint_url and is_loopback(endpoint_url) and reply.status in {404, 405}:
        return (
            f"{operation} of {about}: {endpoint_url} does not know it ({reply.status}, without a request id), so that "
            "is no Amazon Glacier, or a part of it as moto's server is, and not enough to purge a vault by. To try "
            "this without AWS: glacier-purge simulate."
        )
    return (
        f"{what}. Look at what stands between here and the service (a proxy, a login page), then run the same command "
        "again."
    )


def read_description(members: Mapping[str, Any]) -> VaultDescription:
    """Read the members of DescribeVault's answer, or of one vault in ListVaults'.

    Before the first inventory the service says 0 or null: in either case nobody has counted.
    """
    date = members.get("LastInventoryDate")
    return VaultDescription(
        arn=members["VaultARN"],
        last_inventory=None if date is None else datetime.fromisoformat(date),
        archives=None if date is None else members.get("NumberOfArchives"),
        size_bytes=None if date is None else members.get("SizeInBytes"),
        created=datetime.fromisoformat(members["CreationDate"]),
        service_time=time_of(members.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")),
    )


def removal_refused(reply: Reply) -> Removal | None:
    """What a refusal of DeleteVault says of the vault; None when it is about something else."""
    if reply.code == "InvalidParameterValueException" and reply.message.startswith(_NOT_YET):
        return Removal.NOT_YET
    if reply.meaning is Meaning.NO_LONGER_SUPPORTED:
        return Removal.NO_LONGER_SUPPORTED
    return Removal.MISSING if reply.meaning is Meaning.VAULT_MISSING else None


def read_job(members: Mapping[str, Any]) -> Job:
    """Read a GlacierJobDescription."""
    scope = members.get("InventoryRetrievalParameters")
    created = read_time(members["CreationDate"])
    assert created is not None
    return Job(
        job_id=members["JobId"],
        action=JobAction(members["Action"]),
        state=JobState(members["StatusCode"]),
        created=created,
        completed=read_time(members.get("CompletionDate")),
        status_message=members.get("StatusMessage"),
        description=members.get("JobDescription"),
        inventory=None if scope is None else _scope(scope),
        archive_id=members.get("ArchiveId"),
        size_bytes=members.get("InventorySizeInBytes"),
    )


def read_time(text: str | None) -> datetime | None:
    """Read a time as the service writes it."""
    return None if text is None else datetime.fromisoformat(text)


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    """The SDK's fault and all that lies below it."""
    while fault is not None:
        yield fault
        fault = fault.__cause__ or fault.__context__


def _scope(members: Mapping[str, Any]) -> InventoryScope:
    return InventoryScope(
        format=members.get("Format", ""),
        start_date=members.get("StartDate"),
        end_date=members.get("EndDate"),
        limit=members.get("Limit"),
        marker=members.get("Marker"),
    )
