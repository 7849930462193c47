"""The ASGI app, and the commands."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Mount, WebSocketRoute
from starlette.types import ASGIApp

import crm_files
import diagnosis
import dotenv_example
import logs
import reload
from background import alongside
from demo.clock import follow_clock
from demo.routes import demo_routes
from engine.execute import Engine
from engine.http import graphql_door
from engine.persisted import WrongManifest
from engine.runtime import Runtime, running
from engine.socket import graphql_socket
from errors import NotFound
from gateways.simulators.routes import stripe_routes
from gateways.simulators.stripe import StripeSimulator
from jobs.worker import Worker, working
from listening import bind, run
from migrations import ROOT
from resolvers.device_reports import hear_devices, lead_devices
from rest_compat.documents import WrongDocument
from rest_compat.doors import Doors, older_systems
from rest_compat.openapi import as_json, describe
from rest_compat.opening import open_doors
from rest_compat.usage import Usage, counting
from schema.root import build_schema
from settings import Settings
from startup import CannotStart, console, demo_loaded, ending, migrated, read_settings, running_database, step
from web.admin.console import admin_routes
from web.calendars import calendar_routes
from web.docs import docs_routes
from web.files import file_routes
from web.health import health_routes
from web.newsletter import newsletter_routes
from web.pages import page_routes
from web.receipts import receipt_routes
from web.requests import Requests

commands = typer.Typer(
    help="Atrium: one GraphQL API for a wellness and home-services business, with every older client still working.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


DIRECT = {"/graphql": graphql_door}


class Atrium(Starlette):
    """Starlette behind one layer of ours, which sees every request, and hands those of GraphQL to their door at once."""

    def build_middleware_stack(self) -> ASGIApp:
        return Requests(ExceptionMiddleware(self.router), self.state.settings, DIRECT)


def create_app(settings: Settings, database_url: str) -> Starlette:
    """The app over one database; its lifespan opens what the doors need."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with running(settings, database_url) as runtime, counting(runtime.database) as usage, jobs_inside(runtime):
            app.state.runtime = runtime
            app.state.database = runtime.database
            app.state.doors = open_doors(settings, runtime.raw_engine, usage)
            devices = runtime.context(request_id="devices", address="devices", door="devices")
            async with alongside(hear_devices(devices), lead_devices(devices), *_clocks(runtime)):
                yield

    def simulated_stripe() -> StripeSimulator:
        simulator: StripeSimulator | None = app.state.runtime.gateways.simulators.stripe
        if simulator is None:
            raise NotFound("Stripe is not simulated here.")
        return simulator

    demo_only = [*demo_routes(), *stripe_routes(simulated_stripe)] if settings.is_demo else []
    routes = [
        WebSocketRoute("/graphql", graphql_socket),
        *demo_only,
        *health_routes(),
        *receipt_routes(),
        *calendar_routes(),
        *file_routes(),
        *page_routes(),
        *newsletter_routes(),
        *docs_routes(),
        *admin_routes(settings),
        Mount("/", older_systems),
    ]
    app = Atrium(routes=routes, lifespan=lifespan)
    app.state.settings = settings
    return app


def older_doors(settings: Settings) -> Doors:
    """The doors of older systems, or what is wrong with their documents."""
    try:
        return open_doors(settings, Engine(settings, raw=True), Usage())
    except WrongDocument as error:
        raise CannotStart(str(error)) from error


def _clocks(runtime: Runtime) -> list[Coroutine[Any, Any, None]]:
    """What every process does to show a demo's clock; a real server's needs nothing."""
    return [follow_clock(runtime.database)] if runtime.settings.is_demo else []


@asynccontextmanager
async def jobs_inside(runtime: Runtime) -> AsyncIterator[None]:
    """Run jobs beside requests, unless that is left to workers of their own."""
    if runtime.settings.run_jobs:
        async with working(Worker(runtime.database.url, runtime.context)):
            yield
    else:
        yield


async def work(settings: Settings, database_url: str) -> None:
    """Run jobs until a signal comes; those that are running then may end."""
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    async with running(settings, database_url) as runtime, alongside(*_clocks(runtime)):
        console.print("\n  Jobs are run as they come. Ctrl-C ends it.\n")
        await Worker(database_url, runtime.context).run(stop)


@commands.command()
def serve() -> None:
    """Start everything that is missing, and serve on PORT and CRM_PORT."""
    with step("Environment") as this:
        settings = read_settings()
        logs.configure(settings)
        this.detail = f"Python {sys.version.split()[0]}, {settings.mode} mode"
        listeners = [bind(settings.host, settings.port, "PORT"), bind(settings.host, settings.crm_port, "CRM_PORT")]
    with step("Documents") as this:
        served = older_doors(settings).routes()
        this.detail = f"{len(served)} routes of older systems"
    with running_database(settings) as url:
        migrated(settings, url)
        demo_loaded(settings, url)
        app = create_app(settings, url)

        def started() -> None:
            console.print(f"\n  Atrium is ready: [bold]http://localhost:{settings.port}/[/] shows every door. Ctrl-C ends it.\n")

        run(app, settings, listeners, started)
    console.print("Everything has stopped.")


@commands.command()
def dev() -> None:
    """Serve, and start again whenever a source file changes; PostgreSQL stays up meanwhile."""
    with running_database(read_settings()):
        reload.watch_and_run([sys.executable, __file__, "serve"])


@commands.command()
def worker() -> None:
    """Run background jobs in a process of their own, beside any number of servers with RUN_JOBS=false."""
    settings = read_settings()
    logs.configure(settings)
    with running_database(settings) as url:
        migrated(settings, url)
        asyncio.run(work(settings, url))
    console.print("Everything has stopped.")


@commands.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = read_settings()
    with running_database(settings) as url:
        migrated(settings, url)


@commands.command()
def demo() -> None:
    """Load what is missing of the demo world; `serve` does the same at each start in demo mode."""
    settings = read_settings()
    if not settings.is_demo:
        raise CannotStart("The demo world belongs to demo mode; this is production.")
    with running_database(settings) as url:
        migrated(settings, url)
        demo_loaded(settings, url)


@commands.command()
def routes() -> None:
    """List every route, in the order in which they are tried."""
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    for path in DIRECT:
        console.print(f"{'*':<12} {path}")
    for route in create_app(settings, "postgresql://").routes[:-1]:
        methods = " ".join(sorted(getattr(route, "methods", None) or ["*"]))
        console.print(f"{methods:<12} {getattr(route, 'path', route)}", soft_wrap=True)
    for each in older_doors(settings).routes():
        at_root = f"at the root: {each.shadowed_by}" if each.shadowed_by else "also at the root"
        console.print(f"{each.method:<12} /{each.system}{each.path}  {each.name}, {at_root}", soft_wrap=True, highlight=False)


@commands.command()
def backup_crm(file: Path) -> None:
    """Write the CRM's notices into a file, with what the desk did about them."""
    settings = read_settings()
    with running_database(settings) as url, step("CRM") as this:
        count = asyncio.run(crm_files.back_up(settings, url, file))
        this.detail = f"{count} notices written to {file}"


@commands.command()
def restore_crm(file: Path) -> None:
    """Bring the CRM's notices back from a file; where something newer is known of one, that stays."""
    settings = read_settings()
    with running_database(settings) as url:
        migrated(settings, url)
        with step("CRM") as this:
            done = asyncio.run(crm_files.restore(settings, url, file))
            this.detail = (
                f"{done.restored} notices restored, {done.newer_here} newer here, {done.without_booking} of bookings that are not here"
            )


@commands.command()
def doctor() -> None:
    """Check what the server needs, and say what to do about what is missing."""
    if not diagnosis.examine():
        raise typer.Exit(1)


@commands.command()
def schema(*, write: Annotated[bool, typer.Option(help="Write schema.graphql and .env.example instead of printing.")] = False) -> None:
    """Print the GraphQL schema, or write what is generated from the code."""
    printed = f"{build_schema().as_str()}\n"
    if write:
        (ROOT / "schema.graphql").write_text(printed)
        dotenv_example.write(ROOT / ".env.example")
    else:
        sys.stdout.write(printed)


@commands.command()
def openapi(
    system: Annotated[str | None, typer.Argument(help="One system only, such as coresync.")] = None,
    *,
    write: Annotated[bool, typer.Option(help="Write openapi/<system>.json instead of printing.")] = False,
) -> None:
    """Print what the older systems offer as OpenAPI 3.1, or write a file for each."""
    systems = older_doors(Settings(_env_file=None)).systems  # type: ignore[call-arg]
    if system is not None and system not in systems:
        raise CannotStart(f"There is no system {system}; there is {', '.join(systems)}.")
    for each in [systems[system]] if system else systems.values():
        text = f"{as_json(describe(each, server=f'/{each.name}'))}\n"
        if write:
            Path("openapi").mkdir(exist_ok=True)
            Path("openapi", f"{each.name}.json").write_text(text)
        else:
            sys.stdout.write(text)


def _end(*_: object) -> NoReturn:
    ending.set()
    raise SystemExit(0)


def main() -> None:
    """Run a command; what prevents it is a sentence, not a traceback."""
    signal.signal(signal.SIGTERM, _end)  # so that whatever was started is left in order
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        commands()
    except (CannotStart, WrongManifest) as error:
        for line in str(error).splitlines():
            console.print(f"[red]✗[/] {line}", soft_wrap=True, markup=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
