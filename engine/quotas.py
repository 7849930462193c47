"""Where a caller stands under the limits that a request was counted by, as HTTP tells it (draft-ietf-httpapi-ratelimit-headers)."""

from resolvers.context import Context


def standing(ctx: Context) -> list[tuple[bytes, bytes]]:
    """The headers RateLimit-Policy and RateLimit."""
    quotas = ctx.quotas.values()
    policies = ", ".join([f'"{each.name}";q={each.limit};w={each.window}' for each in quotas])
    standings = ", ".join([f'"{each.name}";r={each.remaining};t={each.seconds}' for each in quotas])
    return [(b"ratelimit-policy", policies.encode("latin-1")), (b"ratelimit", standings.encode("latin-1"))]
