"""``glacier-purge simulate``: serve a pretended Amazon Glacier on loopback until told to stop.

The first line on stdout is one JSON object that says where, and there is never a second, so that scripts can read it
and go on; the log is on stderr.  Nothing outside this machine can connect, and no AWS credentials are read.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from glacier_purge.cli.options import Hyphened, LogOptions, Logs, Whole
from glacier_purge.cli.signals import heard

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from glacier_simulator.accounts_file import Accounts
    from glacier_simulator.kit import SimulatedGlacier
    from glacier_simulator.scenario import Scenario

_log = logging.getLogger("glacier_simulator")


def simulate(
    *,
    port: Whole = 0,
    vault: Hyphened | None = None,
    archives: Whole = 1000,
    rate: float = 100.0,
    burst: float = 100.0,
    latency_ms: float = 40.0,
    error_rate: float = 0.003,
    seed: Whole = 1,
    time_scale: float = 1.0,
    host: str = "127.0.0.1",
    scenario: str | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    accounts: Path | None = None,
    state_dir: Path | None = None,
    tls: bool = False,
    auth: Annotated[list[str], Parameter(allow_leading_hyphen=True)] | None = None,
    no_auth: bool = False,
    region: str | None = None,
    account_id: str | None = None,
    logs: Logs = LogOptions(),
) -> int:
    """Serve a simulated Amazon Glacier on loopback until stopped (Ctrl-C or SIGTERM).

    The first line on stdout is a JSON object with endpoint_url, account_id, vault and archives. Any AWS credentials
    are accepted, however wrong the signature, unless --auth is given.

    Parameters
    ----------
    port
        Port to listen on; 0 takes a free one.
    vault
        Name of the vault that holds the archives; photos when nothing else says.
    archives
        How many archives to make up. They cost next to no memory.
    rate
        Requests a second that the account may send; 0 is no limit. More are refused with ThrottlingException.
    burst
        Requests that may come at once.
    latency_ms
        Median time until a reply leaves; lognormal, refusals take a third.
    error_rate
        Share of requests answered with a 500, 0 to 1.
    seed
        The same seed makes the same archives and the same faults.
    time_scale
        Simulated seconds a second: 3600 lets an inventory job of hours take seconds.
    host
        Loopback address to listen on.
    scenario
        What goes wrong and when: calm, busy-account, bad-week (days of it, made for --time-scale 3600), locked-vault,
        or a TOML file. Its limits win.
    from_
        Inventory (JSON) whose archives to pretend instead of made-up ones; names vault, region and account too.
    accounts
        TOML file of accounts with vaults in regions, users who sign, and roles that they may assume at the same
        endpoint (STS). Instead of --vault, --archives, --from, --region, --account-id and --auth.
    state_dir
        Folder to keep everything in, so that it survives a restart. What it holds wins over the options.
    tls
        Serve HTTPS with a certificate made at start; the JSON line gets ca_file, to be trusted by clients.
    auth
        KEY:SECRET that clients must sign with; then signatures, dates and session tokens are checked. KEY:SECRET:FILE
        may do only what the IAM policy (JSON) in the file allows. May be given several times.
    no_auth
        Check nobody's signature; this is what happens without --auth.
    region
        Region to pretend; us-east-1 when nothing else says.
    account_id
        Account to pretend.

    Examples
    --------
    glacier-purge simulate --port 8123 --time-scale 3600
    # An account in a bad week, with an inventory of one's own.
    glacier-purge simulate --port 8123 --scenario bad-week --from inventory.json
    """
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.errors import UsageError
    from glacier_simulator.kit import SimulatedGlacier
    from glacier_simulator.loading import read_vault

    if auth and no_auth:
        raise UsageError("--auth and --no-auth contradict each other. Give one of them.")
    signers = [_signer(one) for one in auth or ()]
    if accounts is not None and (auth or from_ or vault or region or account_id):
        raise UsageError("--accounts says which vaults there are and who signs. Leave out what says it once more.")
    owner = None if from_ is None else read_vault(from_)
    glacier = SimulatedGlacier(
        archives=archives,
        vault=vault or (owner.name if owner else "photos"),
        rate=rate,
        burst=burst,
        latency_ms=latency_ms,
        error_rate=error_rate,
        scenario=None if scenario is None else _scenario(scenario),
        seed=seed,
        time_scale=time_scale,
        region=region or (owner.region if owner else "us-east-1"),
        account_id=account_id or (owner.account_id if owner else "123456789012"),
        secret_keys={key: secret for key, secret, _ in signers} if signers else None,
        policies={key: policy for key, _, policy in signers if policy is not None},
        inventory=from_,
        accounts=None if accounts is None else _accounts(accounts),
        state_dir=state_dir,
        host=host,
        port=port,
        tls=tls,
    )
    configure_logs(logs)
    _run(_serve(glacier))
    return 0


def _scenario(name: str) -> Scenario:
    """One that ships, by name, or one in a TOML file. Raises ``UsageError``."""
    from glacier_purge.errors import UsageError
    from glacier_purge.storage.given_file import GivenFileWrong, read_text
    from glacier_simulator.scenario import SHIPPED, load_scenario, read_scenario

    if name in SHIPPED:
        return load_scenario(name)
    try:
        return read_scenario(read_text(Path(name)), name=name)
    except GivenFileWrong as error:
        raise UsageError(
            f"no scenario {name!r}: give one of {', '.join(SHIPPED)}, or a TOML file ({error})."
        ) from error


def _accounts(file: Path) -> Accounts:
    """The accounts of a TOML file, whose policies lie beside it. Raises ``UsageError``."""
    from glacier_purge.errors import UsageError
    from glacier_purge.storage.given_file import GivenFileWrong, read_text
    from glacier_simulator.accounts_file import read_accounts

    def beside(name: str) -> str:
        try:
            return read_text(file.parent / name)
        except GivenFileWrong as error:
            raise UsageError(f"{name} cannot be read: {error}.") from error

    try:
        return read_accounts(read_text(file), beside)
    except (GivenFileWrong, UsageError) as error:
        raise UsageError(f"the accounts of {file} cannot be pretended: {error}") from error


def _signer(auth: str) -> tuple[str, str, str | None]:
    """A key, its secret, and the text of its policy, if it has one."""
    from glacier_purge.errors import UsageError
    from glacier_purge.storage.given_file import GivenFileWrong, read_text

    key, _, rest = auth.partition(":")
    secret, colon, file = rest.partition(":")
    if not (key and secret):
        raise UsageError("--auth takes an access key id and its secret as KEY:SECRET, or as KEY:SECRET:POLICY.json.")
    try:
        return key, secret, read_text(Path(file)) if colon else None
    except GivenFileWrong as error:
        raise UsageError(f"the policy of --auth {key} cannot be read: {error}.") from error


async def _serve(glacier: SimulatedGlacier) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    with heard((signal.SIGINT, signal.SIGTERM), lambda _: loop.call_soon_threadsafe(stopped.set)):
        async with glacier:
            sys.stdout.write(glacier.announcement() + "\n")
            sys.stdout.flush()
            _log.info("serving %s; stop with Ctrl-C", glacier.endpoint_url)
            await stopped.wait()
    _log.info("stopped: %s", glacier.ledger)


def _run(serving: Coroutine[object, object, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)
