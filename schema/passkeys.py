"""What clients see of passkeys."""

from datetime import datetime

import strawberry

from models import passkeys as tables
from resolvers import passkeys
from resolvers.inputs.scalars import Json
from schema.fields import Record, operation, shows
from schema.identity import SignedIn


@shows(tables.Passkey)
class Passkey(Record):
    """A key pair that a device keeps for the viewer."""

    name: str
    transports: list[str]
    is_backed_up: bool
    used_at: datetime | None


@strawberry.type(description="What a browser is to be given, and until when its answer is taken.")
class PasskeyCeremony:
    """The payload of both beginnings."""

    options: Json = strawberry.field(description="For PublicKeyCredential.parseCreationOptionsFromJSON() or parseRequestOptionsFromJSON().")
    expires_at: datetime = strawberry.field(description="Until when the answer is taken, once.")


@strawberry.type
class PasskeyQueries:
    """Reading passkeys."""

    my_passkeys: list[Passkey] = operation(passkeys.list_my_passkeys)


@strawberry.type
class PasskeyMutations:
    """Making passkeys, signing in by them, and keeping them in order."""

    begin_passkey_registration: PasskeyCeremony = operation(passkeys.begin_passkey_registration)
    finish_passkey_registration: Passkey = operation(passkeys.finish_passkey_registration)
    begin_passkey_sign_in: PasskeyCeremony = operation(passkeys.begin_passkey_sign_in)
    finish_passkey_sign_in: SignedIn = operation(passkeys.finish_passkey_sign_in)
    rename_passkey: Passkey = operation(passkeys.rename_passkey)
    delete_passkey: list[Passkey] = operation(passkeys.delete_passkey)
