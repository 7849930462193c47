"""Which columns the console shows: none that opens anything, and personal data only where a view names it."""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import LargeBinary
from sqlalchemy.dialects.postgresql import TSTZRANGE
from sqlalchemy.orm import ColumnProperty, InstrumentedAttribute, Mapper, class_mapper

from models.base import Model
from resolvers.personal_data import HOLDINGS

OPENS = re.compile(
    r"(^|_)(secret|token|hash|password|challenge|template|jti|family|key|code|link|payload|body|signature|sealed|asked)(_|$)"
)
"""Words in names of columns that are never shown, whatever their table says."""
SECRETS = {each.name: each.secret for each in HOLDINGS}
UNSHOWABLE = (LargeBinary, TSTZRANGE)


def is_secret(table: type[Model], name: str) -> bool:
    """Whether a column opens something, so that nobody is shown it."""
    return name in SECRETS.get(table.__tablename__, ()) or OPENS.search(name) is not None


def shown_columns(table: type[Model], personal: frozenset[str]) -> Iterator[InstrumentedAttribute[Any]]:
    """The columns of a table that may be shown; of those that hold personal data only the named ones."""
    mapper: Mapper[Any] = class_mapper(table)
    for each in mapper.column_attrs:
        if _may_be_shown(table, each, personal):
            yield getattr(table, each.key)


def _may_be_shown(table: type[Model], each: ColumnProperty[Any], personal: frozenset[str]) -> bool:
    column = each.columns[0]
    is_private = bool(column.info.get("sensitive")) and each.key not in personal
    return not (is_private or is_secret(table, each.key) or isinstance(column.type, UNSHOWABLE))
