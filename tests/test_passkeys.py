"""Passkeys: registered by a device with its owner before it, signed in by, and refused when anything is not right."""

import asyncio
import copy
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

import clock
from errors import AlreadyExists, ApiError, BadUserInput, Conflict, InvalidCredentials, NotFound, PasskeysOff, RateLimited
from models.database import Database
from models.identity import Credential, Session, User
from models.keys import Key
from models.notifications import OutboxMessage
from models.passkeys import Passkey, PasskeyChallenge
from resolvers import passkeys
from resolvers.context import Context
from resolvers.limits import forget_counters
from resolvers.passkey_domain import origins, relying_party
from resolvers.sessions import SignedIn
from settings import Mode, Settings
from tests.authenticator import USER_PRESENT, Authenticator, b64, unb64
from tests.people import PASSWORD, as_viewer, call, join, nobody


@dataclass
class Owner:
    """A person with a device."""

    stranger: Context
    ctx: Context
    device: Authenticator = field(default_factory=Authenticator)

    async def register(self, name: str = "My phone", **flaws: Any) -> Passkey:
        """Make a passkey on the device."""
        begun = await call(passkeys.begin_passkey_registration, self.ctx, password=PASSWORD)
        made = self.device.create(begun.options, **flaws)
        kept: Passkey = await call(passkeys.finish_passkey_registration, self.ctx, credential=made, name=name)
        return kept

    async def sign(self, **flaws: Any) -> dict[str, Any]:
        """An answer of the device to a new challenge."""
        begun = await call(passkeys.begin_passkey_sign_in, self.stranger)
        return self.device.get(begun.options, **flaws)

    async def sign_in(self, **flaws: Any) -> SignedIn:
        """Sign in by the device."""
        signed: SignedIn = await call(passkeys.finish_passkey_sign_in, self.stranger, credential=await self.sign(**flaws))
        return signed


@pytest.fixture
async def ann(database: Database, settings: Settings) -> Owner:
    stranger = nobody(database, settings)
    return Owner(stranger, await as_viewer(stranger, await join(stranger, first_name="Ann")))


@pytest.fixture(autouse=True)
async def _afresh(database: Database) -> AsyncIterator[None]:
    """Nobody has called before, and the clock is right."""
    await forget_counters(database)
    yield
    clock.set_ahead(0)


async def test_a_device_signs_its_owner_in_without_a_name_or_a_password(ann: Owner, database: Database) -> None:
    passkey = await ann.register()
    assert (passkey.name, passkey.transports, passkey.is_backed_up) == ("My phone", ["internal", "hybrid"], True)
    for _ in range(2):
        signed_in = await ann.sign_in()
        assert (await as_viewer(ann.stranger, signed_in)).viewer.id == ann.ctx.viewer.id
    async with database.sessions() as db:
        kept = (await db.scalars(select(Passkey))).one()
        assert kept.sign_count == 2
        assert kept.used_at is not None
        assert (await db.scalars(select(OutboxMessage.subject))).all() == ["A passkey was added to your account"]
        assert await db.scalar(select(func.count(PasskeyChallenge.id))) == 0


async def test_a_passkey_on_several_devices_does_not_count(ann: Owner) -> None:
    ann.device.counts = False
    await ann.register()
    await ann.sign_in()
    await ann.sign_in()


async def test_an_answer_is_taken_once(ann: Owner) -> None:
    await ann.register()
    ann.device.counts = False
    answer = await ann.sign()
    await call(passkeys.finish_passkey_sign_in, ann.stranger, credential=answer)
    with pytest.raises(InvalidCredentials):
        await call(passkeys.finish_passkey_sign_in, ann.stranger, credential=answer)


async def test_of_the_same_answer_sent_many_times_at_once_one_is_taken(ann: Owner, database: Database) -> None:
    await ann.register()
    answer = await ann.sign()
    outcomes = await asyncio.gather(
        *(call(passkeys.finish_passkey_sign_in, ann.stranger, credential=copy.deepcopy(answer)) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(each, SignedIn) for each in outcomes) == 1
    assert sum(isinstance(each, InvalidCredentials) for each in outcomes) == 5
    async with database.sessions() as db:
        assert await db.scalar(select(func.count(Session.id))) == 2  # of registering the account, and this one


async def test_a_challenge_is_used_up_by_a_bad_answer_too(ann: Owner) -> None:
    await ann.register()
    begun = await call(passkeys.begin_passkey_sign_in, ann.stranger)
    good = ann.device.get(begun.options)
    bad = copy.deepcopy(good)
    bad["response"]["signature"] = b64(unb64(bad["response"]["signature"])[:-1] + b"\x00")
    for answer in (bad, good):
        with pytest.raises(InvalidCredentials):
            await call(passkeys.finish_passkey_sign_in, ann.stranger, credential=answer)


async def test_a_challenge_expires(ann: Owner) -> None:
    await ann.register()
    answer = await ann.sign()
    clock.set_ahead(6 * 60)
    with pytest.raises(InvalidCredentials):
        await call(passkeys.finish_passkey_sign_in, ann.stranger, credential=answer)


async def test_a_challenge_is_good_for_its_own_ceremony_and_person(ann: Owner, database: Database, settings: Settings) -> None:
    bob = Owner(ann.stranger, await as_viewer(ann.stranger, await join(ann.stranger)), ann.device)
    begun = await call(passkeys.begin_passkey_registration, ann.ctx, password=PASSWORD)
    made = ann.device.create(begun.options)
    with pytest.raises(BadUserInput):
        await call(passkeys.finish_passkey_registration, bob.ctx, credential=made)
    await call(passkeys.finish_passkey_registration, ann.ctx, credential=made)
    begun = await call(passkeys.begin_passkey_registration, ann.ctx, password=PASSWORD)
    signed = ann.device.get({"rpId": "localhost", "challenge": begun.options["challenge"]})
    with pytest.raises(InvalidCredentials):
        await call(passkeys.finish_passkey_sign_in, ann.stranger, credential=signed)


async def test_a_counter_that_went_back_means_a_copy_and_its_owner_is_told(ann: Owner, database: Database) -> None:
    await ann.register()
    await ann.sign_in()
    await ann.sign_in()
    ann.device.count = 0
    with pytest.raises(InvalidCredentials):
        await ann.sign_in()
    async with database.sessions() as db:
        subjects = (await db.scalars(select(OutboxMessage.subject).order_by(OutboxMessage.id))).all()
    assert subjects[-1] == "A passkey of yours may have been copied"


async def test_two_answers_with_the_same_count_sign_in_once(ann: Owner) -> None:
    await ann.register()
    answers = []
    for _ in range(2):
        ann.device.count = 4
        answers.append(await ann.sign())
    outcomes = await asyncio.gather(
        *(call(passkeys.finish_passkey_sign_in, ann.stranger, credential=each) for each in answers), return_exceptions=True
    )
    assert sorted(type(each) is SignedIn for each in outcomes) == [False, True]


@pytest.mark.parametrize("origin", ["http://localhost.evil.example", "https://evil.example", "http://localhost:8000@evil.example", ""])
async def test_a_page_elsewhere_is_refused(ann: Owner, origin: str) -> None:
    await ann.register()
    if origin:
        with pytest.raises(BadUserInput):
            await _fresh(ann).register(origin=origin)
    with pytest.raises(InvalidCredentials):
        await ann.sign_in(origin=origin or "null")


async def test_a_passkey_of_another_domain_is_refused(ann: Owner) -> None:
    with pytest.raises(BadUserInput):
        await ann.register(domain="evil.example")


async def test_a_device_that_did_not_look_at_its_owner_is_refused(ann: Owner) -> None:
    await ann.register()
    ann.device.flags = USER_PRESENT
    with pytest.raises(BadUserInput):
        await _fresh(ann).register()
    with pytest.raises(InvalidCredentials):
        await ann.sign_in()


def _fresh(owner: Owner) -> Owner:
    """The same person with another device that has the same flaws."""
    return Owner(owner.stranger, owner.ctx, Authenticator(flags=owner.device.flags))


async def test_a_key_signs_only_for_the_account_it_was_made_for(ann: Owner) -> None:
    await ann.register()
    bob = Owner(ann.stranger, await as_viewer(ann.stranger, await join(ann.stranger)))
    await bob.register()
    stolen = bob.device.held[0]
    stolen.id = ann.device.held[0].id
    with pytest.raises(InvalidCredentials):
        await bob.sign_in(by=stolen)
    ann.device.held[0].user = bob.device.held[0].user
    with pytest.raises(InvalidCredentials):
        await ann.sign_in()


async def test_one_passkey_cannot_be_two_peoples(ann: Owner, database: Database) -> None:
    bob = Owner(ann.stranger, await as_viewer(ann.stranger, await join(ann.stranger)))
    await ann.register()
    begun = await call(passkeys.begin_passkey_registration, bob.ctx, password=PASSWORD)
    made = bob.device.create(begun.options)
    async with database.sessions.begin() as db:
        await db.execute(update(Passkey).values(credential_id=made["id"]))
    with pytest.raises(AlreadyExists):
        await call(passkeys.finish_passkey_registration, bob.ctx, credential=made)


async def test_a_blocked_account_has_no_use_of_its_passkeys(ann: Owner, database: Database) -> None:
    await ann.register()
    async with database.sessions.begin() as db:
        await db.execute(update(User).where(User.id == ann.ctx.viewer.id).values(is_active=False))
    with pytest.raises(InvalidCredentials):
        await ann.sign_in()


async def test_adding_a_passkey_asks_for_the_password_or_for_a_sign_in_of_just_now(ann: Owner, database: Database) -> None:
    with pytest.raises(BadUserInput) as refused:
        await call(passkeys.begin_passkey_registration, ann.ctx)
    assert list(refused.value.fields) == ["password"]
    async with database.sessions.begin() as db:
        await db.execute(delete(Credential))
    await call(passkeys.begin_passkey_registration, ann.ctx)
    async with database.sessions.begin() as db:
        await db.execute(update(Session).values(created_at=func.now() - timedelta(minutes=11)))
    with pytest.raises(BadUserInput) as refused:
        await call(passkeys.begin_passkey_registration, ann.ctx)
    assert list(refused.value.fields) == ["password"]


async def test_a_device_is_told_which_passkeys_the_account_has(ann: Owner) -> None:
    await ann.register()
    begun = await call(passkeys.begin_passkey_registration, ann.ctx, password=PASSWORD)
    assert [each["id"] for each in begun.options["excludeCredentials"]] == [b64(ann.device.held[0].id)]
    with pytest.raises(AssertionError, match="InvalidStateError"):
        ann.device.create(begun.options)


async def test_an_account_has_a_bounded_number_of_passkeys(ann: Owner, database: Database) -> None:
    for _ in range(passkeys.MOST_PASSKEYS):
        await _fresh(ann).register()
        await forget_counters(database)
    with pytest.raises(Conflict):
        await _fresh(ann).register()


async def test_passkeys_are_listed_renamed_and_deleted_by_their_owner_only(ann: Owner) -> None:
    phone = await ann.register()
    key = await _fresh(ann).register("Key on my ring")
    bob = await as_viewer(ann.stranger, await join(ann.stranger))
    for operation, more in ((passkeys.rename_passkey, {"name": "Mine"}), (passkeys.delete_passkey, {})):
        with pytest.raises(NotFound):
            await call(operation, bob, id=Key(number=phone.id), **more)
    assert (await call(passkeys.rename_passkey, ann.ctx, id=Key(number=phone.id), name=" Old phone ")).name == "Old phone"
    for name in (" ", "x" * 61):
        with pytest.raises(BadUserInput):
            await call(passkeys.rename_passkey, ann.ctx, id=Key(number=phone.id), name=name)
    assert [each.id for each in await call(passkeys.delete_passkey, ann.ctx, id=Key(number=phone.id))] == [key.id]
    with pytest.raises(InvalidCredentials):
        await ann.sign_in()


def _without(*path: str) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        inner = answer
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]
        return answer

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: None,
        lambda _: "text",
        lambda _: 5,
        lambda _: [],
        lambda _: {},
        lambda _: {"response": None},
        lambda _: {"response": {"clientDataJSON": 5}},
        lambda answer: {**answer, "id": 5},
        lambda answer: {**answer, "id": None},
        lambda answer: {**answer, "rawId": []},
        lambda answer: {**answer, "type": "other"},
        lambda answer: {**answer, "response": {**answer["response"], "clientDataJSON": b64(b"[]")}},
        lambda answer: {**answer, "response": {**answer["response"], "userHandle": None}},
        lambda answer: {**answer, "response": {**answer["response"], "userHandle": "AAAA"}},
        lambda answer: {**answer, "response": {**answer["response"], "authenticatorData": "AAAA"}},
        _without("rawId"),
        _without("response", "signature"),
        _without("response", "userHandle"),
    ],
)
async def test_junk_in_place_of_an_answer_is_refused_with_a_code(ann: Owner, damage: Callable[[Any], Any]) -> None:
    await ann.register()
    with pytest.raises(InvalidCredentials):
        await call(passkeys.finish_passkey_sign_in, ann.stranger, credential=damage(await ann.sign()))
    begun = await call(passkeys.begin_passkey_registration, ann.ctx, password=PASSWORD)
    made = Authenticator().create(begun.options)
    if not isinstance(damage(copy.deepcopy(await ann.sign())), dict):
        with pytest.raises(BadUserInput):
            await call(passkeys.finish_passkey_registration, ann.ctx, credential=damage(made))


async def test_damaged_answers_of_devices_are_never_an_error_of_ours(ann: Owner, database: Database) -> None:
    await ann.register()
    chance = random.Random(5)  # noqa: S311 - no secret
    quick = ann.ctx.but(door="trial")  # which asks for no password
    for number in range(120):
        if number % 20 == 0:
            await forget_counters(database)
        is_registration = number % 2 == 0
        if is_registration:
            begun = await call(passkeys.begin_passkey_registration, quick)
            answer, field_name = Authenticator().create(begun.options), "attestationObject"
        else:
            answer = await ann.sign()
            field_name = chance.choice(["authenticatorData", "signature", "clientDataJSON", "userHandle"])
        raw = bytearray(unb64(answer["response"][field_name]))
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        answer["response"][field_name] = b64(bytes(raw[: chance.choice([len(raw), chance.randrange(len(raw))])]))
        finish, ctx = (
            (passkeys.finish_passkey_registration, ann.ctx) if is_registration else (passkeys.finish_passkey_sign_in, ann.stranger)
        )
        try:
            await call(finish, ctx, credential=answer)
        except ApiError as refused:
            assert refused.status < 500  # noqa: PT017 - some damage leaves a good answer


async def test_ceremonies_are_limited_per_address(ann: Owner) -> None:
    for _ in range(60):
        await call(passkeys.begin_passkey_sign_in, ann.stranger)
    with pytest.raises(RateLimited):
        await call(passkeys.begin_passkey_sign_in, ann.stranger)


def test_production_has_passkeys_once_it_knows_their_domain(settings: Settings) -> None:
    strict = settings.model_copy(update={"mode": Mode.PRODUCTION})
    with pytest.raises(PasskeysOff):
        relying_party(strict)
    strict = strict.model_copy(update={"passkey_rp_id": "coresync.life"})
    assert relying_party(strict) == "coresync.life"
    assert origins(strict, "http://localhost:3000") == ["https://coresync.life"]
    named = strict.model_copy(update={"passkey_origins": "https://app.coresync.life/, android:apk-key-hash:abc"})
    assert origins(named, "https://evil.example") == ["https://app.coresync.life", "android:apk-key-hash:abc"]


async def test_a_beginning_that_is_repeated_under_a_key_answers_the_same_challenge(ann: Owner) -> None:
    first = await call(passkeys.begin_passkey_sign_in, ann.stranger, key="again")
    second = await call(passkeys.begin_passkey_sign_in, ann.stranger, key="again")
    assert first.options == second.options
