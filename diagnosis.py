"""What `doctor` looks at: each line is a fact, or what is wrong and what to do about it."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from urllib.parse import urlsplit

import asyncpg

import migrations
from gateways.devices import LOST, BrokerAddress
from listening import bind
from settings import Settings
from startup import CannotStart, console, data_dir, read_settings, refuse_full_disk, running_database


def examine() -> bool:
    """Print every check; returns whether the server could start."""
    try:
        settings = read_settings()
    except CannotStart as error:
        for line in str(error).splitlines():
            console.print(f"[red]✗[/] {line}", soft_wrap=True)
        return False
    _good("Settings", f"valid, {settings.mode} mode")
    checks = [_disk, _port, _crm_port, _database, _bus, _broker]
    return all([_passes(check, settings) for check in checks])


def _good(name: str, detail: str) -> None:
    console.print(f"[green]✓[/] {name:<12} {detail}", soft_wrap=True)


def _passes(check: Callable[[Settings], tuple[str, str]], settings: Settings) -> bool:
    try:
        _good(*check(settings))
    except CannotStart as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return False
    return True


def _disk(settings: Settings) -> tuple[str, str]:
    folder = data_dir(settings)
    refuse_full_disk(folder)
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    return "Disk", f"{shutil.disk_usage(existing).free // 1_000_000_000} GB free for {folder}"


def _port(settings: Settings) -> tuple[str, str]:
    bind(settings.host, settings.port, "PORT").close()
    return "PORT", f"{settings.port} is free"


def _crm_port(settings: Settings) -> tuple[str, str]:
    bind(settings.host, settings.crm_port, "CRM_PORT").close()
    return "CRM_PORT", f"{settings.crm_port} is free"


def _database(settings: Settings) -> tuple[str, str]:
    async def revision(url: str) -> str:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await migrations.applied(connection)
        finally:
            await connection.close()

    with running_database(settings) as url:
        found = migrations.run_apart(lambda: revision(url))
    return "Schema", f"{found or 'empty'}, " + ("current" if found == migrations.newest() else "`make migrate` brings the newest")


def _bus(settings: Settings) -> tuple[str, str]:
    if settings.broadcast_url is None:
        return "Bus", "PostgreSQL's own"
    target = urlsplit(settings.broadcast_url)
    address = (target.hostname or "localhost", target.port or (6379 if target.scheme.startswith("redis") else 5432))

    async def knock() -> None:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*address), 3)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    try:
        migrations.run_apart(knock)
    except (OSError, TimeoutError) as error:
        raise CannotStart(f"BROADCAST_URL: nobody answers at {address[0]}:{address[1]}.") from error
    return "Bus", f"{target.scheme} at {address[0]}:{address[1]} answers"


def _broker(settings: Settings) -> tuple[str, str]:
    try:
        broker = BrokerAddress.of(settings)
    except OSError as error:
        raise CannotStart(f"MQTT_CA_FILE, MQTT_CERTIFICATE_FILE or MQTT_KEY_FILE cannot be used: {error.strerror or error}.") from error
    if broker is None:
        return "Broker", "simulated devices" if settings.is_demo else "none is configured: devices cannot be set; MQTT_URL names one"

    async def enter() -> None:
        async with broker.client("atrium-doctor"):
            pass

    try:
        migrations.run_apart(enter)
    except LOST as error:
        raise CannotStart(f"MQTT_URL: the broker at {broker.host}:{broker.port} does not let us in: {error}.") from error
    return "Broker", f"{broker.host}:{broker.port} lets us in, MQTT {broker.version}"
