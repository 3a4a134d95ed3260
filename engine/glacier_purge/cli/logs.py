"""The operator log: lines for people, or for their log collector, on stderr; the audit log is another thing.

structlog events and the log records of foreign libraries take one way: secrets out, made safe for a terminal (as JSON
they are ASCII anyway), rendered, written to whatever stderr is at that moment (a progress display may stand in front of
it).  The SDK's wire logging, which holds signed requests and tokens, stays off even with ``--debug``.
Nothing reads these lines, and losing one loses nothing.

structlog is imported here first, and as it is where rich is not installed: it prepares to draw tracebacks with rich
wherever it finds it.  The operator log prints them plainly, and rich with its highlighting of code would take 4 MB of
every run for as long as it lasts.  The live display imports of rich what it needs, on a terminal.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's own way to say that there is no such module
    try:
        import structlog
    finally:
        del sys.modules["rich"]
else:
    import structlog

from glacier_purge.redaction import HIDDEN, SECRET_NAMES, redact
from glacier_purge.report.drawn import is_drawn_on
from glacier_purge.report.terminal import safe, safe_lines

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

    from glacier_purge.cli.options import LogOptions

_NEVER_BELOW_WARNING = ("aioboto3", "aiobotocore", "aiohttp", "asyncio", "boto3", "botocore", "urllib3")


def configure_logs(options: LogOptions) -> None:
    """Send every log line of this process to stderr, in the format asked for."""
    on_every_line: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*on_every_line, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _CurrentStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *on_every_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(options)],
        )
    )
    logging.basicConfig(level=options.level.upper(), handlers=[handler], force=True)
    for name in _NEVER_BELOW_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)


class _CurrentStderr(logging.Handler):
    """Writes to what ``sys.stderr`` is when the line comes, not to what it was when logging was configured."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except OSError:
            pass  # whoever read our stderr went away: no reason to end a run
        except Exception:
            self.handleError(record)


def _renderers(options: LogOptions) -> list[Processor]:
    if options.log_format == "json":
        return [structlog.processors.JSONRenderer()]
    colours = is_drawn_on(sys.stderr) and not os.environ.get("NO_COLOR")
    return [
        _without_controls,
        structlog.dev.ConsoleRenderer(
            pad_event_to=0, colors=colours, exception_formatter=structlog.dev.plain_traceback
        ),
    ]


def _without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide secrets by the name of their field and by their looks, however deep they sit."""
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: str, value: object) -> object:
    match value:
        case _ if name.lower().replace("-", "_") in SECRET_NAMES:
            return HIDDEN
        case str():
            return redact(value)
        case dict():
            return {inner: _redacted(str(inner), each) for inner, each in value.items()}
        case list() | tuple():
            return [_redacted("", each) for each in value]
        case None | bool() | int() | float():
            return value
        case _ if name.startswith("_"):
            return value  # structlog's own, on its way through
        case _:
            return redact(str(value))


def _without_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {
        safe(name): (safe_lines if name == "exception" else safe)(value) if isinstance(value, str) else value
        for name, value in event.items()
    }
