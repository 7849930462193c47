"""The history: every change of a followed table is kept, whatever made it; sensitive values are not."""

from typing import Any

from sqlalchemy import delete, insert, select, text, update

from models.base import Model
from models.database import SAY_WHO, Database
from models.history import Change
from models.identity import User
from models.scheduling import Resource, ResourceKind
from tests.sql import sql, value


async def make_user(database: Database, **columns: Any) -> int:
    async with database.sessions.begin() as db:
        resource = Resource(kind=ResourceKind.PERSON)
        db.add(resource)
        await db.flush()
        user = User(resource_id=resource.id, **columns)
        db.add(user)
        await db.flush()
        return user.id


async def changes(database: Database, row_id: int) -> list[Change]:
    async with database.sessions() as db:
        found = await db.scalars(select(Change).where(Change.table_name == "users", Change.row_id == row_id).order_by(Change.id))
        return list(found)


async def test_every_followed_table_has_its_trigger_and_hides_its_sensitive_columns(database: Database) -> None:
    rows = await sql(
        database,
        "SELECT tgrelid::regclass::text AS name, string_to_array(trim(trailing '\\000' from encode(tgargs, 'escape')), '\\000') AS hidden "
        "FROM pg_trigger WHERE tgname = 'record_history' AND tgenabled <> 'D' AND tgtype = 29",  # after, each row, insert update delete
    )
    declared = {
        mapper.class_.__tablename__: sorted(column.name for column in mapper.class_.__table__.columns if column.info.get("sensitive"))
        for mapper in Model.registry.mappers
        if mapper.class_.__history__
    }
    assert {row["name"]: sorted(row["hidden"]) for row in rows} == declared


async def test_an_insert_keeps_what_was_set_but_no_personal_data(database: Database) -> None:
    user = await make_user(database, email="ada@example.com", first_name="Ada")
    [change] = await changes(database, user)
    assert (change.action, change.before) == ("insert", None)
    assert change.after is not None
    assert change.after["email"] == change.after["first_name"] == "***"
    assert change.after["is_active"] is True
    assert "phone" not in change.after


async def test_an_update_keeps_only_what_changed(database: Database) -> None:
    user = await make_user(database, email="ada@example.com")
    async with database.sessions.begin() as db:
        await db.execute(update(User).where(User.id == user).values(is_active=False, phone="+15550100"))
    change = (await changes(database, user))[-1]
    assert change.action == "update"
    assert change.before == {"is_active": True, "phone": None}
    assert change.after == {"is_active": False, "phone": "***"}


async def test_an_update_that_changes_nothing_is_not_kept(database: Database) -> None:
    user = await make_user(database, email="ada@example.com")
    async with database.sessions.begin() as db:
        await db.execute(update(User).where(User.id == user).values(is_active=True))
    assert len(await changes(database, user)) == 1


async def test_a_delete_keeps_what_was_there(database: Database) -> None:
    user = await make_user(database, email="ada@example.com")
    async with database.sessions.begin() as db:
        await db.execute(delete(User).where(User.id == user))
    change = (await changes(database, user))[-1]
    assert (change.action, change.after) == ("delete", None)
    assert change.before is not None
    assert change.before["email"] == "***"


async def test_actor_and_request_are_those_of_the_transaction_and_of_no_later_one(database: Database) -> None:
    async with database.sessions.begin() as db:
        await db.execute(SAY_WHO, {"actor": "7", "request": "req_1"})
        user = (await db.execute(insert(Resource).values(kind=ResourceKind.PERSON).returning(Resource.id))).scalar_one()
        await db.execute(insert(User).values(resource_id=user, id=user))
        await db.execute(update(User).values(is_active=False))
    async with database.sessions.begin() as db:
        await db.execute(update(User).values(is_active=True))
    told = [(change.action, change.actor_id, change.request_id) for change in await changes(database, user)]
    assert told == [("insert", 7, "req_1"), ("update", 7, "req_1"), ("update", None, None)]


async def test_a_write_past_the_mappers_is_kept_too(database: Database) -> None:
    user = await make_user(database, email="ada@example.com")
    await sql(database, "UPDATE users SET is_active = false")
    assert [change.action for change in await changes(database, user)] == ["insert", "update"]


async def test_a_table_without_sensitive_columns_keeps_everything(database: Database) -> None:
    await sql(database, "INSERT INTO schedules (name, time_zone) VALUES ('Always', 'UTC')")
    [change] = await sql(database, "SELECT * FROM history")
    assert change["after"] == {"id": change["row_id"], "name": "Always", "time_zone": "UTC"}


async def test_a_rolled_back_change_leaves_no_history(database: Database) -> None:
    async with database.sessions() as db:
        await db.execute(text("INSERT INTO schedules (name, time_zone) VALUES ('Always', 'UTC')"))
        await db.rollback()
    assert await value(database, "SELECT count(*) FROM history") == 0
