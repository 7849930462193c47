"""The console's pages of tables: read-only, quick whatever their size, for the roles that may."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, cast

from sqlalchemy import ARRAY, JSON, ColumnElement, Enum, Interval, String, false, or_
from sqlalchemy.orm import InstrumentedAttribute, class_mapper
from sqlalchemy.orm.interfaces import MANYTOONE
from starlette.requests import Request
from starlette_admin.actions import row_action
from starlette_admin.contrib.sqla.view import ModelView
from starlette_admin.fields import BaseField, DateTimeField, HasOne, IntegerField, JSONField, StringField
from starlette_admin.filters import FilterGroup
from starlette_admin.views import BaseModelView

from errors import ApiError
from jobs.queue import FailedJob
from models.base import Model
from models.identity import Role, User
from models.keys import LARGEST
from resolvers.context import Context
from resolvers.jobs import HEADS, list_failed_jobs
from web.admin.acting import Act
from web.admin.acts import FOR_JOBS
from web.admin.columns import shown_columns

NAMES = ("reference", "name", "slug", "email", "title", "subject")
"""By which column a row is known in a link, the first that its table has."""
NOT_LISTED = ("uuid", "description")
BULKY = (JSON, ARRAY)
NUMBERS = ("id", "user_id", "customer_id", "row_id", "actor_id")
NEWEST_FIRST = [("id", True)]


def context_of(request: Request) -> Context:
    """The context of whoever looks at the page."""
    ctx: Context = request.state.console
    return ctx


def _handler(act: Act) -> Any:
    async def run(_view: ReadOnly, request: Request, pk: Any) -> None:
        await act.run(request, int(pk))

    declare = partial(row_action, name=act.name, text=act.text, confirmation=act.confirmation, form=act.form)
    return declare(submit_btn_text=act.text, modal_size="md", exclude_from_list=True)(run)


class ReadOnly(BaseModelView):
    """What holds for every page: nothing is made, changed, deleted, imported or exported here; actions are operations."""

    roles: ClassVar[frozenset[Role]] = frozenset(HEADS)
    acts: ClassVar[tuple[Act, ...]] = ()
    exporters = ()
    importers = ()
    page_size = 25
    page_size_options = (25, 50, 100)

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for each in cls.acts:
            setattr(cls, f"act_{each.name}", _handler(each))
        cls.row_actions = ["view", *(each.name for each in cls.acts)]
        cls.actions = ()

    def is_accessible(self, request: Request) -> bool:
        """Whether one of the viewer's roles may read this table."""
        return bool(context_of(request).viewer.roles & self.roles)

    def can_create(self, request: Request) -> bool:
        return False

    def can_edit(self, request: Request) -> bool:
        return False

    def can_delete(self, request: Request) -> bool:
        return False

    def can_export(self, request: Request) -> bool:
        return False

    def can_import(self, request: Request) -> bool:
        return False

    async def is_row_action_allowed(self, request: Request, name: str) -> bool:
        act = self._act(name)
        return act.is_allowed(context_of(request)) if act else await super().is_row_action_allowed(request, name)

    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        act = self._act(name)
        return await self.is_row_action_allowed(request, name) and (act is None or act.suits(obj))

    def _act(self, name: str) -> Act | None:
        return next((each for each in self.acts if each.name == name), None)


class TableView(ReadOnly, ModelView):
    """One table; its rows come in one statement, with the rows that they point at."""

    table: ClassVar[type[Model]]
    personal: ClassVar[frozenset[str]] = frozenset()
    fields_default_sort = NEWEST_FIRST

    def __init__(self, shown: frozenset[type[Model]]) -> None:
        columns = list(shown_columns(self.table, self.personal))
        self._columns_shown = columns
        related = dict(_relations(self.table, shown))
        self.fields = [field for each in columns for field in _fields(each, related)]
        self.exclude_fields_from_list = [each.key for each in columns if each.key in NOT_LISTED or isinstance(each.type, BULKY)]
        self.searchable_fields = [each.key for each in columns if not isinstance(each.type, (*BULKY, Interval))]
        self._known_by = next((each for each in NAMES if each in {column.key for column in columns}), "id")
        super().__init__(self.table, key=self.table.__tablename__, menu_label=_words(self.table.__tablename__))

    def get_search_query(self, request: Request, term: str) -> ColumnElement[bool]:
        """Rows with these letters in a text, or with this number as their own or as a person's."""
        texts = [each for each in self._columns_shown if isinstance(each.type, String) and not isinstance(each.type, Enum)]
        is_number = term.isascii() and term.isdigit() and int(term[:20]) <= LARGEST
        numbers = [each for each in self._columns_shown if each.key in NUMBERS] if is_number else []
        return or_(false(), *(each == int(term) for each in numbers), *(each.icontains(term, autoescape=True) for each in texts))

    async def repr(self, obj: Any, request: Request) -> str:
        """How a row is called where another one points at it; whoever may not read it sees its number only."""
        known_by = self._known_by if self.is_accessible(request) else "id"
        return str((known_by != "id" and getattr(obj, known_by)) or f"{self.display_name} {obj.id}")

    async def find_by_pk(self, request: Request, pk: Any) -> Any:
        """The row of a number; none for what is no number."""
        text = str(pk)
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= LARGEST):
            return None
        return await super().find_by_pk(request, pk)


class FailedJobs(ReadOnly):
    """The newest hundred jobs that were given up."""

    key = "failed_jobs"
    menu_label = "Failed jobs"
    display_name = "Failed job"
    pk_attr = "number"
    pk_field = IntegerField("number")
    fields: Sequence[BaseField] = (
        pk_field, StringField("name"), IntegerField("tries"), DateTimeField("queued_at"), DateTimeField("failed_at"),
        StringField("error"), JSONField("payload", exclude_from_list=True),
    )  # fmt: skip
    acts = FOR_JOBS
    searchable_fields = ()
    sortable_fields = ()

    async def find_all(
        self,
        request: Request,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[FailedJob]:
        found = await self._all(request)
        return found[skip : skip + limit] if limit > 0 else found

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        return len(await self._all(request))

    async def find_by_pk(self, request: Request, pk: Any) -> FailedJob | None:
        return next((each for each in await self._all(request) if str(each.number) == str(pk)), None)

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[FailedJob]:
        return [each for each in await self._all(request) if str(each.number) in map(str, pks)]

    async def create(self, request: Request, data: dict[str, Any]) -> Any:
        raise ApiError

    async def edit(self, request: Request, pk: Any, data: dict[str, Any]) -> Any:
        raise ApiError

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        raise ApiError

    async def get_pk_value(self, request: Request, obj: Any) -> Any:
        return obj.number

    async def get_serialized_pk_value(self, request: Request, obj: Any) -> Any:
        return obj.number

    async def _all(self, request: Request) -> list[FailedJob]:
        ctx = context_of(request)
        list_failed_jobs.admit(ctx.viewer)
        found: list[FailedJob] = await list_failed_jobs(ctx)
        return found


def _relations(table: type[Model], shown: frozenset[type[Model]]) -> Iterator[tuple[str, str]]:
    """The name of each relation to one row of a shown table, by the column that points there."""
    for each in class_mapper(table).relationships:
        if each.direction is MANYTOONE and not each.viewonly and each.mapper.class_ in shown and len(each.local_columns) == 1:
            [column] = each.local_columns
            yield class_mapper(table).get_property_by_column(column).key, each.key


def _fields(column: InstrumentedAttribute[Any], related: dict[str, str]) -> list[Any]:
    """The column itself, or the row that it points at; of people both, so that one can look for everything that is theirs."""
    if isinstance(column.type, Interval):
        return [StringField(column.key)]  # which the library would take for a moment
    if column.key not in related:
        return [column.key]
    relation = related[column.key]
    target = class_mapper(cast(type[Model], column.class_)).relationships[relation].mapper.class_
    link = HasOne(relation, key=str(target.__tablename__))
    return [column.key, link] if target is User else [link]


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
