"""What cannot be a document: the health check, which lists the service's own addresses."""

from typing import Any

from starlette.requests import Request

import clock
from resolvers.context import Context
from resolvers.crm_figures import get_crm_figures
from resolvers.operations import perform
from rest_compat.routes import AnyRoute, Handler, Parameters

SERVICE = "CRM Notification Service"
ENDPOINTS = [
    "/health",
    "/api/notify",
    "/api/bookings",
    "/api/facilitators/{id}/bookings",
    "/api/facilitators/{id}/dashboard",
    "/api/bookings/{id}",
    "/api/bookings/{id}/status",
]


async def health(_: Request, ctx: Context, __: Parameters) -> dict[str, Any]:
    """Figures that only a database which answers can give, so that without one this is refused as unavailable."""
    figures = await perform(get_crm_figures, ctx, {})
    return {
        "status": "healthy",
        "service": SERVICE,
        "port": ctx.settings.crm_port,
        "timestamp": clock.now(),
        "notifications_received": figures.notifications_received,
        "unique_facilitators": figures.unique_facilitators,
        "unique_events": figures.unique_events,
        "endpoints": ENDPOINTS,
    }


ROUTES: list[AnyRoute] = [
    Handler(system="crm", name="CheckHealth", method="GET", path="/health", operations=(get_crm_figures,), run=health),
]
