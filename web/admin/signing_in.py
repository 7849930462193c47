"""Who is at the console: staff, signed in by password into a session of ours that a cookie names."""

import hashlib
import hmac
from typing import Any
from uuid import UUID

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.auth import AdminUser
from starlette_admin.auth.password import AuthProvider
from starlette_admin.exceptions import LoginFailed
from starlette_admin.helpers import index_url, safe_redirect_url

from errors import BadUserInput, RateLimited, Unauthenticated
from resolvers import identity, sessions
from resolvers.authentication import authenticate, authenticate_again
from resolvers.context import Context, Viewer
from resolvers.inputs.values import parse_email
from resolvers.operations import perform
from settings import Settings

COOKIE = "atrium_staff"
PATH = "/admin"
LONGEST = 8 * 60 * 60
"""Seconds after which staff sign in anew."""
WRONG = "Wrong e-mail or password, or this account does not belong to the staff."


def secret_of(settings: Settings) -> str:
    """What signs the console's cookies: a key of its own, derived, so that nothing else is signed by it."""
    return hmac.new(settings.jwt_secret_key.get_secret_value().encode(), b"cookies of the console", hashlib.sha256).hexdigest()


class StaffSignIn(AuthProvider):
    """The existing sign-in with its limits and lockouts, for staff only."""

    async def login(self, username: str, password: str, remember_me: bool, request: Request) -> Response:
        """Open a session; whoever is no staff has it ended again at once."""
        ctx: Context = request.state.console
        try:
            email = parse_email(username)
            signed_in = await perform(identity.sign_in, ctx, {"email": email, "password": password})
        except RateLimited as refusal:
            raise LoginFailed(f"Too many tries. Wait {refusal.retry_after} seconds.") from None
        except (Unauthenticated, BadUserInput):
            raise LoginFailed(WRONG) from None
        known = ctx.with_viewer(await authenticate(ctx.database, ctx.settings, signed_in.access_token))
        if not known.viewer.is_staff:
            await perform(sessions.sign_out, known, {})
            raise LoginFailed(WRONG)
        there = safe_redirect_url(request.query_params.get("next") or index_url(request), request, index_url(request))
        answer = RedirectResponse(there, 303)
        said = {"user": known.viewer.id, "session": str(known.viewer.session)}
        answer.set_cookie(
            COOKIE,
            _signer(ctx.settings).dumps(said),
            max_age=LONGEST,
            path=PATH,
            secure=not ctx.settings.is_demo,
            httponly=True,
            samesite="lax",
        )
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session, for every holder of its cookie."""
        ctx: Context = request.state.console
        if ctx.viewer.user_id is not None:
            await perform(sessions.sign_out, ctx, {})
        answer = RedirectResponse(index_url(request), 303)
        answer.delete_cookie(COOKIE, path=PATH)
        return answer

    async def authenticate(self, request: Request) -> AdminUser | None:
        """Who the cookie names, with the roles they hold now; nobody once the session is over or they are no staff any more."""
        ctx: Context = request.state.console
        if request.url.path.startswith(f"{PATH}/static/"):
            return None  # everybody may have these
        if ctx.viewer.user_id is None and (said := self._said(request, ctx.settings)):
            try:
                viewer = await authenticate_again(ctx.database, said)
            except Unauthenticated:
                return None
            if viewer.is_staff:
                ctx = ctx.with_viewer(viewer)
                request.state.console = request.scope["state"]["context"] = ctx
        if ctx.viewer.user_id is None:
            return None
        return AdminUser(username=", ".join(sorted(each.value.replace("_", " ") for each in ctx.viewer.roles)))

    def _said(self, request: Request, settings: Settings) -> Viewer | None:
        try:
            said: dict[str, Any] = _signer(settings).loads(request.cookies.get(COOKIE, ""), max_age=LONGEST)
        except BadSignature:
            return None
        return Viewer(int(said["user"]), session=UUID(said["session"]))


def _signer(settings: Settings) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_of(settings), salt=COOKIE)
