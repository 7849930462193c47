"""One schema for every domain: the roots joined, the scalars spelled."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.catalogue import CatalogueQueries, HomeService, MarketplaceService, SpaService
from schema.fields import OperationField
from schema.scalars import SCALARS


@strawberry.type(description="Everything that can be read.")
class Query(CatalogueQueries):
    """The root of reads."""


def build_schema() -> strawberry.Schema:
    """The whole schema, with a key argument on every write."""
    return strawberry.Schema(
        query=Query,
        types=[SpaService, MarketplaceService, HomeService],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
    )


def _take_keys(mutation: type) -> type:
    for field in mutation.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        if isinstance(field, OperationField):
            field.takes_key = True
    return mutation
