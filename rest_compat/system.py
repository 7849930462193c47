"""One older system at work: the one handler that all of them share."""

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from graphql import GraphQLSchema
from starlette.requests import Request
from starlette.responses import Response

import clock
from engine.answers import Answer, refusal_of
from engine.asked import read_body
from engine.caching import mark
from engine.documents import Document
from engine.execute import Engine
from engine.headers import headers_of
from engine.reply import Reply
from engine.request import begin_context
from errors import ApiError, BadUserInput, MethodNotAllowed, NotFound, RateLimited, Unauthenticated, Unavailable
from resolvers.context import NOBODY, Context, Viewer
from resolvers.limits import limit
from rest_compat.dialect import Dialect, Refusal
from rest_compat.endpoint import Endpoint
from rest_compat.inputs import given, parse_object, read_variables
from rest_compat.routes import AnyRoute, Handler, Parameters, Route, Table
from rest_compat.usage import Usage, client_name

OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
RETRY_SOON = 1
LONGEST_LIST = 1000
Answering = Reply | Response
log = logging.getLogger("atrium.rest")


@dataclass(frozen=True)
class PageLinks:
    """The addresses of neighbouring pages, through the door that the client came by."""

    request: Request
    parameter: str
    page: int

    def beside(self, step: int) -> str:
        """The address of the page so many steps away, with everything else as it was asked for."""
        query = [(name, value) for name, value in self.request.query_params.multi_items() if name != self.parameter]
        query.append((self.parameter, str(max(1, self.page + step))))
        return str(self.request.url.replace(query=urlencode(query), fragment=""))


class System:
    """A dialect with its routes, over the engine."""

    def __init__(self, dialect: Dialect, routes: list[AnyRoute], engine: Engine, usage: Usage) -> None:
        self.dialect = dialect
        self.name = dialect.name
        self.table = Table(routes)
        self._engine = engine
        self._usage = usage
        self._plans = {each.name: Document(each.document, []) for each in routes if isinstance(each, Endpoint)}

    @property
    def schema(self) -> GraphQLSchema:
        """The schema that the documents are written against."""
        return self._engine.schema

    async def answer(self, request: Request, route: Route, path: Parameters) -> Answering:
        """Who calls, may they, what did they send, run it, shape it, spell it."""
        ctx = begin_context(request.scope, self.name)
        request.scope["state"]["operation"] = route.name
        try:
            answer = await self._answer(request, ctx, route, path)
        except ApiError as error:
            request.scope["state"]["codes"] = [error.code]
            answer = self.refuse(error, ctx)
        except Exception:
            # The last resort of the door: whatever failed is logged, and the client reads the system's own words.
            log.exception("unexpected failure of %s %s in %s", self.name, route.name, ctx.request_id)
            request.scope["state"]["codes"] = [ApiError.code]
            answer = self.refuse(ApiError(), ctx)
        if route.alternate:
            answer.headers["link"] = f'<{route.alternate}>; rel="alternate"; type="application/graphql"'
        answer = mark(request.scope, answer)
        self._usage.count(self.name, route.name, client_name(headers_of(request.scope)), answer.status_code)
        return answer

    async def _answer(self, request: Request, ctx: Context, route: Route, path: Parameters) -> Answering:
        ctx = await self._entered(request, ctx, route)
        try:
            body = await (route.run(request, ctx, path) if isinstance(route, Handler) else self._run(request, ctx, route, path))
        except ApiError as error:
            request.scope["state"]["codes"] = [error.code]
            return self.refuse(error, ctx, self._fields(error, route))
        if isinstance(body, Response):
            return body
        return self._write(route.status, self.dialect.success(body, route))

    def lost(self, request: Request, allowed: set[str]) -> Answering:
        """The answer where no route is, or none for this method."""
        ctx = begin_context(request.scope, self.name)
        error = MethodNotAllowed() if allowed else NotFound()
        request.scope["state"]["codes"] = [error.code]
        answer = self.refuse(error, ctx)
        if allowed:
            answer.headers["allow"] = ", ".join(sorted(allowed))
        return answer

    def refuse(self, error: ApiError, ctx: Context, fields: dict[str, str] | None = None) -> Answering:
        """A refusal in the system's words."""
        refusal = Refusal(error, self.dialect.status(error), error.fields if fields is None else fields, clock.now(), ctx.request_id)
        answer = self._write(refusal.status, self.dialect.error(refusal))
        if isinstance(error, RateLimited | Unavailable):
            answer.headers["retry-after"] = str(getattr(error, "retry_after", RETRY_SOON))
        if isinstance(error, Unauthenticated):
            answer.headers["www-authenticate"] = "Bearer"
        return answer

    async def _entered(self, request: Request, ctx: Context, route: Route) -> Context:
        """The context once it is known who asks, that they may, and under which key."""
        ctx = ctx.with_viewer(await self._viewer(request, ctx, route))
        for operation in route.operations:
            operation.admit(ctx.viewer)
        if rate := self.dialect.rate(ctx):
            await limit(ctx, rate.name, rate.text, by=rate.by)
        if route.limit:
            await limit(ctx, f"{self.name} {route.name}", route.limit)
        return ctx.but(longest_page=LONGEST_LIST)

    async def _viewer(self, request: Request, ctx: Context, route: Route) -> Viewer:
        try:
            return await self.dialect.viewer(request, ctx)
        except Unauthenticated:
            # Whoever signs in again still sends the old token along.
            if route.is_open:
                return NOBODY
            raise

    async def _run(self, request: Request, ctx: Context, endpoint: Endpoint, path: Parameters) -> Any:
        body = (
            {}
            if request.method in ("GET", "HEAD")
            else parse_object(await read_body(request.scope, request.receive, ctx.settings.max_body))
        )
        sent = given(endpoint, request, path, {**self.dialect.carried(request), **body})
        variables = read_variables(endpoint, sent, page_maximum=self.dialect.page_maximum, loosen=self.dialect.loosen)
        found = await self._engine.run_document(self._plans[endpoint.name], ctx, variables=variables)
        if found.errors or found.data is None:
            raise _failure(found)
        page = variables.get(endpoint.page_number or "") or 1
        data: Any = endpoint.change(found.data, self._links(request, page)) if endpoint.change else found.data
        if endpoint.only_field is None:
            return data
        if (only := data.get(endpoint.only_field)) is None and found.data.get(endpoint.only_field) is None:
            raise NotFound
        return data if only is None else only

    def _links(self, request: Request, page: int) -> PageLinks:
        return PageLinks(request, self.dialect.page_parameter, page)

    def _fields(self, error: ApiError, route: Route) -> dict[str, str]:
        """The fields that an error names, as the client knows them; NotFound when the path itself is no id."""
        if isinstance(route, Handler):
            return error.fields
        names = route.old_names
        fields = {names.get(name) or names.get(name.rpartition(".")[2]) or name: why for name, why in error.fields.items()}
        if isinstance(error, BadUserInput) and any(name in route.parameters for name in fields):
            raise NotFound
        return fields

    def _write(self, status: int, body: Any) -> Reply:
        content = orjson.dumps(body, default=self.dialect.spelling.spell, option=OPTIONS)
        return Reply(content, status, "application/json")


def _failure(answer: Answer) -> Exception:
    """The refusal among an operation's errors, or else what failed."""
    refusals = [found for each in answer.errors if (found := refusal_of(each))]
    return refusals[0] if refusals else answer.errors[0]
