"""A pretended Glacier to test against, in process: an endpoint, its ledger, and the service behind them.

    async with SimulatedGlacier(archives=1_000) as glacier:
        ...                                  # any client, at glacier.endpoint_url, with any credentials
        assert glacier.ledger["archives_left"] == 0

It serves real HTTP on a loopback port from the running loop and owns no task, so it works the same on asyncio,
uvloop and a virtual-time loop, where its days pass with the loop's.  The command line's ``simulate`` is this class and
nothing more.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import msgspec

from glacier_purge.archive import Vault
from glacier_purge.errors import UsageError
from glacier_simulator.account import Credential
from glacier_simulator.accounts_file import Accounts
from glacier_simulator.certificate import make_certificate
from glacier_simulator.clock import SimulatorClock, wall_seconds
from glacier_simulator.desk import ServiceDesk
from glacier_simulator.faults import FaultPlan, Rule
from glacier_simulator.latency import Latency
from glacier_simulator.loading import read_records
from glacier_simulator.persistence import Saved, StateFolder
from glacier_simulator.policy import parse_identity
from glacier_simulator.scenario import Limits, Scenario
from glacier_simulator.server import SimulatorServer
from glacier_simulator.vault import PretendGlacier

SAVE_EVERY_SECONDS = 5.0
_SAVING_SHARE = 0.02  # of the time at most is spent on saving, however large the vault


class Announcement(msgspec.Struct, frozen=True, kw_only=True, tag_field="result", tag="simulator"):
    """Where a simulator serves and what. It is printed when it takes requests."""

    format: Annotated[int, msgspec.Meta(description="Version of this answer.")] = 1
    endpoint_url: Annotated[str, msgspec.Meta(description="Where it serves.")]
    account_id: Annotated[str, msgspec.Meta(description="The account it pretends.")]
    vault: Annotated[str, msgspec.Meta(description="The vault that holds the archives.")]
    archives: Annotated[int, msgspec.Meta(description="How many archives there are.")]
    ca_file: Annotated[str | msgspec.UnsetType, msgspec.Meta(description="With --tls: the certificate to trust.")] = (
        msgspec.UNSET
    )


@dataclass(kw_only=True)
class SimulatedGlacier:
    """Serves a pretended Glacier for as long as the ``async with`` lasts.

    ``archives`` generated archives lie in ``vault``; 0 is an empty one.  ``rate`` (requests a real second, 0 for no
    limit) and ``burst`` are the account's limit.  Replies take ``latency_ms`` (median), and a share ``error_rate``
    of all requests is answered with a 500 that took no effect.  ``time_scale`` is simulated seconds a second,
    beginning at ``starts_at`` (seconds since 1970; None is the wall's now).  ``secret_keys`` (access key id to secret)
    switches the checking of signatures on; without it anybody may come in.  A key in ``policies`` may do only what that
    IAM policy (JSON) allows, the others may do everything.  ``inventory`` is a file (JSON) whose archives are pretended
    instead of generated ones.  With ``accounts`` the vaults are theirs, and their users sign.  What ``state_dir`` holds
    wins over all of that, and a ``scenario`` comes on top.  With ``tls`` clients have to trust ``ca_file``.  The same
    ``seed`` gives the same archives and the same faults.
    """

    archives: int = 0
    vault: str = "photos"
    rate: float = 0.0
    burst: float | None = None
    latency_ms: float = 0.0
    error_rate: float = 0.0
    faults: Sequence[Rule] = ()
    scenario: Scenario | None = None
    seed: int = 1
    time_scale: float = 1.0
    starts_at: float | None = None
    region: str = "us-east-1"
    account_id: str = "123456789012"
    secret_keys: dict[str, str] | None = None
    policies: Mapping[str, str] = field(default_factory=dict)
    inventory: Path | None = None
    accounts: Accounts | None = None
    state_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = False
    _open: ExitStack = field(init=False, repr=False, default_factory=ExitStack)
    _service: PretendGlacier = field(init=False, repr=False)
    _desk: ServiceDesk = field(init=False, repr=False)
    _server: SimulatorServer = field(init=False, repr=False)
    _ca_file: Path | None = field(init=False, repr=False, default=None)

    async def __aenter__(self) -> Self:
        """Begin to serve. Raises ``UsageError`` for arguments that make no sense, and for a port that is taken."""
        if self.accounts is not None:
            home = self.accounts.home
            self.account_id, self.region, self.vault = home.account_id, home.region, home.name
        Vault(account_id=self.account_id, region=self.region, name=self.vault)  # raises what is wrong with them
        with ExitStack() as opening:
            folder = None if self.state_dir is None else opening.enter_context(StateFolder(self.state_dir))
            saved = None if folder is None else folder.load()
            try:
                clock = self._new_clock(saved)
                self._service = self._new_service(saved, clock.now())
                self._desk = self._new_desk(clock)
            except ValueError as error:
                raise UsageError(f"nothing can be simulated like that: {error}.") from error
            if folder is not None:
                opening.enter_context(_Saving(folder, self._desk))
            self._server = SimulatorServer(self._desk)
            await self._server.start(host=self.host, port=self.port, tls=self._tls(opening))
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            await self._server.close()

    @property
    def endpoint_url(self) -> str:
        """Where to send requests."""
        return self._server.endpoint_url

    @property
    def ca_file(self) -> Path | None:
        """The certificate that clients must trust; None without TLS."""
        return self._ca_file

    @property
    def ledger(self) -> dict[str, Any]:
        """What was asked of the service and what is left, as ``GET /_simulator/ledger`` says it."""
        return self._desk.ledger()

    @property
    def service(self) -> PretendGlacier:
        """The pretended service itself; its own ``ledger`` knows every id."""
        return self._service

    @property
    def clock(self) -> SimulatorClock:
        """The service's own time; ``clock.step(86_400)`` lets a day pass."""
        return self._desk.clock

    @property
    def desk(self) -> ServiceDesk:
        """Limits and faults, to change while it runs."""
        return self._desk

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return self._server.open_connections

    def announcement(self) -> str:
        """The one line of JSON that says what is served where."""
        said = Announcement(
            endpoint_url=self.endpoint_url,
            account_id=self._service.account_id,
            vault=self.vault,
            archives=self._service.ledger.archives_left,
            ca_file=msgspec.UNSET if self._ca_file is None else str(self._ca_file),
        )
        return msgspec.json.encode(said).decode()

    def inventory_text(self) -> bytes:
        """The vault's inventory as of now, in JSON, whole: for vaults small enough for a test."""
        return b"".join(self._desk.inventory_now(self.vault, "JSON").pieces())

    def _new_clock(self, saved: Saved | None) -> SimulatorClock:
        start = wall_seconds() if self.starts_at is None else self.starts_at
        if saved is not None:
            start = max(start, saved.now)
        return SimulatorClock(asyncio.get_running_loop().time, start=start, scale=self.time_scale)

    def _new_service(self, saved: Saved | None, now: float) -> PretendGlacier:
        credentials, roles = self._credentials(), None if self.accounts is None else self.accounts.roles
        if saved is not None:
            return PretendGlacier.restored(saved.service, credentials=credentials, roles=roles)
        service = PretendGlacier(
            seed=self.seed, region=self.region, account_id=self.account_id, credentials=credentials, roles=roles
        )
        if self.accounts is not None:
            for vault, archives in self.accounts.vaults:
                service.generate_vault(vault.name, archives, now, owner=(vault.account_id, vault.region))
        elif self.inventory is None:
            service.generate_vault(self.vault, self.archives, now)
        else:
            service.load_vault(self.vault, read_records(self.inventory), now)
        return service

    def _credentials(self) -> dict[str, Credential] | None:
        if self.accounts is not None:
            return dict(self.accounts.credentials)
        if self.secret_keys is None:
            return None
        principal = f"arn:aws:iam::{self.account_id}:user/simulated"
        rules = {key: parse_identity(text) for key, text in self.policies.items()}
        return {
            key: Credential(secret, self.account_id, principal, policy=rules.get(key))
            for key, secret in self.secret_keys.items()
        }

    def _new_desk(self, clock: SimulatorClock) -> ServiceDesk:
        errors = [Rule("internal-error", self.error_rate, "*")] if self.error_rate else []
        scenario = self.scenario or Scenario(about="nothing in particular")
        return ServiceDesk(
            self._service,
            clock,
            vault=self.vault,
            limits=Limits(rate=self.rate, burst=self.burst),
            own_limits=None if self.accounts is None else self.accounts.limits,
            latency=Latency(self.latency_ms / 1000, self.seed),
            faults=FaultPlan([*self.faults, *scenario.fault, *errors], seed=self.seed),
            scenario=scenario,
        )

    def _tls(self, opening: ExitStack) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        folder = opening.enter_context(tempfile.TemporaryDirectory(prefix="glacier-simulator-"))
        context, self._ca_file = make_certificate(Path(folder))
        return context


class _Saving:
    """Saves the service every few seconds when it was asked anything, and at the end."""

    def __init__(self, folder: StateFolder, desk: ServiceDesk) -> None:
        self._folder = folder
        self._desk = desk
        self._saved_requests = -1
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._save_and_wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._save()

    def _save_and_wait(self) -> None:
        began = time.perf_counter()
        if self._desk.requests != self._saved_requests:
            self._save()
        took_seconds = time.perf_counter() - began
        wait_seconds = max(SAVE_EVERY_SECONDS, took_seconds / _SAVING_SHARE)
        self._timer = asyncio.get_running_loop().call_later(wait_seconds, self._save_and_wait)

    def _save(self) -> None:
        self._saved_requests = self._desk.requests
        self._folder.save(Saved(self._desk.clock.now(), self._desk.glacier.state()))
