"""What a process says of its work: on stdout, one line per event, without secrets and personal data."""

import logging
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from settings import LogFormat, Settings

HIDDEN = "***"
SENSITIVE_NAME = re.compile(
    r"pass(word|wd)|secret|token|authorization|cookie|api_?key|^code$|signature|e_?mail|phone|(first|last)_name|address|^to$|^body$",
    re.IGNORECASE,
)
SENSITIVE_TEXT = re.compile(
    r"(?P<detail>DETAIL: ).*"  # PostgreSQL repeats the row there
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+"  # a token
    r"|\b(?:sk|rk|whsec|pk)_\w{4,}|\bpi_\w+_secret_\w+"  # keys of payment providers
    r"|(?i:bearer )\S+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password of an address
    r"|[^\s<>\"'(=,;:@]{1,64}@[\w-]+(?:\.[\w-]+)+"
    r"|\+\d[\d ().-]{5,}\d"
)
LOUD = ("uvicorn", "alembic", "pgqueuer", "asyncio", "stripe", "httpx", "httpx2", "aiosmtplib")
"""Libraries that say at level info what our own lines say already."""


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Let everything that is logged in this process, by whom ever, come out in one format."""
    stream = stream or sys.stdout
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_lines is LogFormat.JSON:
        last: list[Processor] = [
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(serializer=lambda line, **_: orjson.dumps(line, default=repr).decode()),
        ]
    else:
        last = [structlog.processors.format_exc_info, redact, as_text]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=stream is sys.stdout,
    )
    handler = logging.StreamHandler(stream)
    strip: Callable[..., Any] = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[strip, *last]))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in LOUD:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def as_text(_: Any, __: str, line: EventDict) -> str:
    """A line for people: when, how grave, what, and the rest by name."""
    head = f"{line.pop('timestamp')} {line.pop('level'):<8} {line.pop('event')}"
    traceback = line.pop("exception", None)
    facts = "".join(f" {name}={value}" for name, value in line.items())
    return f"{head} {facts}\n{traceback}" if traceback else f"{head} {facts}"


def redact(_: Any, __: str, line: EventDict) -> EventDict:
    """Blot out values under telling names, and what looks like a secret or a person anywhere else."""
    return {name: _clean(name, value) for name, value in line.items()}


@lru_cache(1000)
def _is_telling(name: str) -> bool:
    return SENSITIVE_NAME.search(name) is not None


def _clean(name: str, value: Any) -> Any:
    if value is not None and _is_telling(name):
        return HIDDEN
    if isinstance(value, str):
        return SENSITIVE_TEXT.sub(lambda found: f"{found['detail'] or ''}{HIDDEN}", value)
    if isinstance(value, dict):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_clean("", inner) for inner in value]
    if isinstance(value, BaseException):
        return _clean("", repr(value))
    return value
