"""Every setting of the server, with its default; read from the environment and from a file named .env."""

import json
from enum import StrEnum
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from choices import FaceLogin as FaceLogin
from choices import FaceMatcher as FaceMatcher
from choices import Introspection as Introspection
from choices import LogFormat as LogFormat
from choices import LogLevel as LogLevel
from choices import MqttVersion as MqttVersion
from choices import SmsProvider as SmsProvider


class Mode(StrEnum):
    """How the server behaves when a key or a service is not configured."""

    DEMO = "demo"
    PRODUCTION = "production"


DEMO_SECRETS = {
    "jwt_secret_key": "demo-jwt-secret-key-that-no-production-server-accepts",
    "encryption_key": "demo-encryption-key-that-no-production-server-accepts",
    "stripe_secret_key": "sk_test_demo",
    "stripe_webhook_secret": "whsec_demo",
    "crm_bearer_token": "crm-static-bearer-token-123",
    "internal_token": "internal-demo-token",
}
"""What stands for a secret in demo mode, and with what production refuses to start."""


def _with_scheme(url: str | None, *schemes: str) -> str | None:
    if url is not None and url.split("://", 1)[0] not in schemes:
        raise ValueError(f"it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


def _days(text: str) -> list[int]:
    return [int(each) for each in text.split(",") if each.strip()]


class Settings(BaseSettings):
    """One attribute per setting; the environment variable is the name in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    mode: Mode = Field(Mode.DEMO, description="demo: simulators and demo accounts. production: real services, no default secret.")
    flask_env: str | None = Field(None, description="production or development: how the older events service is told its MODE, which wins.")
    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - a server listens
    port: int = Field(8000, ge=1, le=65535, description="Port of every door.")
    crm_port: int = Field(8003, ge=1, le=65535, description="Port that the CRM's old clients know.")
    data_dir: str = Field("data", description="Folder of the embedded PostgreSQL and of uploaded files.")
    database_url: str | None = Field(None, description="postgresql://… of an external server; the embedded one when empty.")
    broadcast_url: str | None = Field(None, description="redis://… or postgresql://… of the message bus; the database when empty.")
    run_jobs: bool = Field(True, description="Whether the server runs background jobs itself; false leaves them to `make worker`.")
    limit_concurrency: int = Field(2000, ge=10, description="Connections and running requests above which one process answers 503.")
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of proxies, separated by commas, such as 127.0.0.1,10.0.0.0/8. What these say of a client's "
        "address and scheme in X-Forwarded-For, X-Forwarded-Proto or Forwarded is believed; what anybody else says is not.",
    )

    rest_order: str = Field(
        "coresync,events,banister,minuteserv,appointment360,crm",
        description="Which older system answers first where their paths collide at the root.",
    )
    rest_hosts: str = Field(
        "api.coresync.life=coresync,staging-api.coresync.life=coresync,api.minuteserv.com=minuteserv,api-staging.minuteserv.com=minuteserv",
        description="Host names that mean one older system.",
    )

    database_pool: int = Field(16, ge=2, le=200, description="Connections that one process keeps for reads, and as many for writes.")
    connect_timeout: float = Field(3, description="Seconds to wait for a connection to PostgreSQL.")
    command_timeout: float = Field(5, description="Seconds that a statement that reads may take.")
    pool_timeout: float = Field(3, description="Seconds to wait for a free connection.")
    transaction_timeout: float = Field(
        2, description="Seconds that a writing transaction may take, so that the event log never waits longer."
    )

    max_tokens: int = Field(1000, description="Tokens that a GraphQL document may have.")
    max_depth: int = Field(12, description="Levels that an operation may have.")
    max_aliases: int = Field(30, description="Aliases that an operation may have.")
    max_fields: int = Field(500, description="Fields that an operation may have, fragments unfolded.")
    max_operations: int = Field(10, description="Operations that a document may have.")
    max_cost: int = Field(20_000, ge=1, description="Points that one operation may cost; about one for each object that it could answer.")
    cost_budget: int = Field(200_000, ge=11, description="Points that a signed-in caller may spend on GraphQL in a minute.")
    cost_budget_strangers: int = Field(50_000, ge=11, description="Points that an address may spend on GraphQL in a minute, not signed in.")
    max_body: int = Field(1_000_000, description="Bytes that a JSON body may have.")
    max_message: int = Field(1_000_000, ge=1000, description="Bytes that a message over a WebSocket may have.")
    header_timeout: float = Field(10, gt=0, description="Seconds in which a request must have shown all its headers.")
    body_timeout: float = Field(60, gt=0, description="Seconds in which a request must have shown its whole body after that.")
    max_query: int = Field(100_000, description="Bytes that the text of a query may have.")
    operation_timeout: float = Field(10, description="Seconds that one operation may take.")
    cached_documents: int = Field(1000, description="Parsed GraphQL documents that a process keeps.")
    persisted_queries: int = Field(1000, ge=0, description="Documents that a process keeps for clients that send only their hash; 0: none.")
    trusted_documents: str | None = Field(
        None, description="Manifest of the only documents that may be run, as Apollo's or Relay's tools write it; any may when empty."
    )
    introspection: Introspection | None = Field(
        None,
        description="everybody, staff or nobody may ask for the schema and gets GraphiQL; when empty, everybody in demo mode and staff "
        "in production.",
    )
    stream_pause: float = Field(15, gt=0, description="Seconds without an event after which a stream of events shows that it lives.")

    allowed_origins: str = Field(
        "",
        description="Origins of other sites whose pages may use every door, separated by commas, such as https://app.example.com. "
        "The server's own is always allowed, in demo mode any localhost too.",
    )
    system_origins: str = Field(
        "", description="Origins whose pages may use one older system only: appointment360=https://contacts.example.com,…"
    )
    preflight_seconds: int = Field(7200, ge=0, description="Seconds for which a browser may remember what a door allows other sites.")
    socket_init_timeout: float = Field(5, gt=0, description="Seconds until a WebSocket must have said connection_init.")
    socket_send_timeout: float = Field(
        10, gt=0, description="Seconds that a client may leave a message unread before its socket is closed."
    )
    socket_operations: int = Field(20, ge=1, description="Operations that may run at once on one WebSocket.")
    sockets_per_user: int = Field(32, ge=1, description="WebSockets of one user that one process holds.")
    sockets_per_address: int = Field(512, ge=1, description="WebSockets of one network address that one process holds.")

    mqtt_url: str | None = Field(
        None, description="mqtt://host:1883 or mqtts://host:8883 of the devices' broker; when empty, demo mode brings its own devices."
    )
    mqtt_user: str | None = Field(None, description="Account at the broker.")
    mqtt_password: SecretStr | None = Field(None, description="Password of that account.")
    mqtt_ca_file: str | None = Field(None, description="Certificates that sign the broker's, for mqtts; the system's when empty.")
    mqtt_certificate_file: str | None = Field(None, description="Certificate by which the broker knows this server, for mqtts.")
    mqtt_key_file: str | None = Field(None, description="Key of that certificate.")
    mqtt_version: MqttVersion = Field(MqttVersion.V5, description="5 or 3.1.1, whichever the broker speaks.")
    mqtt_prefix: str = Field("atrium", description="What every topic of the devices begins with.")
    device_report_seconds: float = Field(
        1, gt=0, le=30, description="Seconds for which reports of devices are gathered, to be written down in one statement."
    )
    device_timeout: float = Field(3, gt=0, le=10, description="Seconds to wait for a device to answer a command.")
    device_offline_after: float = Field(90, ge=1, description="Seconds after its last heartbeat until a device counts as offline.")

    smtp_host: str | None = Field(None, description="Mail server; in demo mode mails only go to the outbox when it is empty.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server; 465 speaks TLS from the start.")
    smtp_user: str | None = Field(None, description="Account at the mail server.")
    smtp_password: SecretStr | None = Field(None, description="Password of that account.")
    mail_from: str = Field("CoreSync <hello@coresync.life>", description="Sender of every mail.")
    message_channels: str = Field(
        "email,sms,push",
        description="Ways that messages take, separated by commas; production needs a gateway for each of them. E-mail is always one.",
    )
    sms_provider: SmsProvider | None = Field(
        None, description="twilio or msg91; in demo mode texts only go to the outbox when it is empty."
    )
    twilio_account_sid: str | None = Field(None, description="Account at Twilio, AC….")
    twilio_auth_token: SecretStr | None = Field(None, description="Token of that account.")
    twilio_from: str | None = Field(None, description="Number that texts come from, or a messaging service, MG….")
    msg91_auth_key: SecretStr | None = Field(None, description="Key of the account at MSG91.")
    msg91_template_id: str | None = Field(None, description="Flow at MSG91 whose only variable, ##message##, is the text.")
    fcm_credentials_file: str | None = Field(
        None, description="Service account of Firebase, as its JSON file; in demo mode pushes only go to the outbox when it is empty."
    )
    public_url: str | None = Field(None, description="Address of this server in links of messages; http://localhost:PORT when empty.")
    app_url: str | None = Field(None, description="Address of the app that messages lead to; they carry no such link when it is empty.")
    reminder_hour: int = Field(10, ge=0, le=23, description="Local hour of the day before a visit from which on its reminder is sent.")
    campaign_rate: int = Field(600, ge=1, le=60_000, description="Mails of campaigns that are sent in a minute, by all processes together.")

    renewal_notice_days: int = Field(7, ge=1, le=60, description="Days before a membership's last one on which its member is told.")
    renewal_retry_days: str = Field(
        "1,3,5",
        description="Days after a membership's last one on which charging its renewal is tried again; after the last of them it lapses.",
    )
    payment_lookup_minutes: int = Field(
        15, ge=1, description="Minutes after which Stripe is asked about a payment of which no webhook has told."
    )
    receipt_hours: int = Field(24, ge=1, description="Hours for which a link to a receipt is good.")

    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error; info has a line for each request.")
    log_format: LogFormat | None = Field(None, description="text or json; when empty, text in demo mode and json in production.")
    metrics_token: SecretStr | None = Field(None, description="Opens /metrics from elsewhere; without it only staff and this machine may.")

    files_url: str | None = Field(
        None, description="Where files are kept: s3://bucket or s3://bucket/folder; the folder files of DATA_DIR when empty."
    )
    files_endpoint: str | None = Field(
        None, description="Address of an S3-compatible server, such as https://minio.example.com; Amazon's own when empty."
    )
    files_region: str = Field("us-east-1", description="Region of the bucket.")
    files_access_key: str | None = Field(None, description="Key id for the bucket; when empty, the machine's own role or environment.")
    files_secret_key: SecretStr | None = Field(None, description="Secret of that key.")
    file_link_seconds: int = Field(300, ge=10, le=86_400, description="Seconds for which a link to a file is good.")
    upload_link_seconds: int = Field(900, ge=10, le=86_400, description="Seconds for which an upload may be begun under its address.")
    max_upload: int = Field(50_000_000, ge=1_000_000, description="Bytes that an uploaded file may have.")

    outbox_days: int = Field(30, ge=1, description="Days for which sent messages are kept.")
    event_days: int = Field(7, ge=1, description="Days for which events are kept; an older cursor is told to resynchronise.")

    jwt_secret_key: SecretStr = Field(
        SecretStr(DEMO_SECRETS["jwt_secret_key"]), description="Signs access and refresh tokens; 32 bytes or more."
    )
    jwt_previous_keys: SecretStr = Field(
        SecretStr(""), description="Earlier values of JWT_SECRET_KEY, separated by commas, whose tokens stay good while the key rotates."
    )
    encryption_key: SecretStr = Field(
        SecretStr(DEMO_SECRETS["encryption_key"]), description="Encrypts what is secret at rest; 32 bytes or more."
    )
    encryption_previous_keys: SecretStr = Field(
        SecretStr(""), description="Earlier values of ENCRYPTION_KEY, separated by commas, until a job has encrypted everything anew."
    )
    authority_seconds: float = Field(
        5, ge=0, le=60, description="Seconds for which a token's roles are remembered, unless a change is announced before; 0 asks always."
    )
    access_minutes: int = Field(15, description="Life of an access token.")
    refresh_days: int = Field(7, description="Life of a refresh token.")

    face_login: FaceLogin | None = Field(
        None,
        description="on: a face alone signs in, in demo mode only. device: the token of the device that enrolled it is needed too. "
        "off: never. When empty, on in demo mode and off in production.",
    )
    face_matcher: FaceMatcher | None = Field(
        None, description="opencv (needs the extra `faces`) or provider. When empty, production takes no faces; demo mode has a simulator."
    )
    face_threshold: float | None = Field(None, gt=0, le=1, description="How alike two faces must be; the matcher's own when empty.")
    face_lead: float | None = Field(
        None, ge=0, le=1, description="By how much the most alike must be ahead of the second; the matcher's own when empty."
    )
    face_provider_url: str | None = Field(None, description="https://… of a CompreFace detection service, or of what speaks like one.")
    face_provider_key: SecretStr | None = Field(None, description="Its API key.")
    face_liveness: float = Field(
        0.8,
        ge=0,
        le=1,
        description="How sure the provider must be that a living face was before the camera; 0, in demo mode: not asked for.",
    )
    face_check_days: int = Field(90, ge=1, description="Days for which comparisons of faces are kept, with their figures.")
    passkey_rp_id: str | None = Field(
        None,
        description="Domain that passkeys belong to, such as coresync.life. When empty, localhost in demo mode, and none in production.",
    )
    passkey_origins: str = Field(
        "", description="Origins of pages and apps that may use passkeys, separated by commas; https:// and PASSKEY_RP_ID when empty."
    )

    google_client_id: str | None = Field(
        None, description="Client id under which Google knows this server; when empty, nobody signs in with Google, but the demo's user."
    )

    stripe_secret_key: SecretStr = Field(SecretStr(DEMO_SECRETS["stripe_secret_key"]), description="Stripe's API key.")
    stripe_webhook_secret: SecretStr = Field(SecretStr(DEMO_SECRETS["stripe_webhook_secret"]), description="Signs Stripe's webhooks.")
    crm_bearer_token: SecretStr = Field(SecretStr(DEMO_SECRETS["crm_bearer_token"]), description="The CRM's static token.")
    crm_service_url: str | None = Field(
        None, description="https://… of another CRM that is told of every event's booking too, with CRM_BEARER_TOKEN; none when empty."
    )
    crm_backup_dir: str | None = Field(
        None, description="Folder into which the CRM's data is written every night, the newest 14 files; none when empty."
    )
    waitlist_offer_minutes: int = Field(
        60, ge=1, le=7 * 24 * 60, description="Minutes for which what became free is kept for the next in a waiting list."
    )
    internal_token: SecretStr = Field(SecretStr(DEMO_SECRETS["internal_token"]), description="Opens Minuteserv's internal endpoints.")

    quickbooks_client_id: str | None = Field(None, description="Intuit's id of this application; without it nothing goes to QuickBooks.")
    quickbooks_client_secret: SecretStr = Field(SecretStr(""), description="Its secret at Intuit.")
    quickbooks_refresh_token: SecretStr = Field(
        SecretStr(""), description="Refresh token of the first connection; later ones are kept encrypted in the database."
    )
    quickbooks_company: str = Field("demo", description="The company's realm id.")
    quickbooks_environment: str = Field("sandbox", description="sandbox or production.")
    quickbooks_income_account: str = Field("1", description="Id of the account to which what is sold belongs.")
    quickbooks_deposit_account: str = Field("4", description="Id of the account in which the money arrives.")
    quickbooks_tax_codes: str = Field(
        "service=NON,product=TAX,membership=NON", description="QuickBooks' tax code of each thing that is sold."
    )

    @model_validator(mode="before")
    @classmethod
    def _hear_the_older_name(cls, given: dict[str, Any]) -> dict[str, Any]:
        is_production = str(given.get("flask_env") or "").lower() == Mode.PRODUCTION
        return {**given, "mode": Mode.PRODUCTION} if is_production and not given.get("mode") else given

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: str | None) -> str | None:
        return _with_scheme(url, "postgresql", "postgres")

    @field_validator("files_url")
    @classmethod
    def _is_a_bucket(cls, url: str | None) -> str | None:
        return _with_scheme(url, "s3")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for each in filter(None, map(str.strip, text.split(","))):
            ip_network(each, strict=False)
        return text

    @field_validator("broadcast_url")
    @classmethod
    def _is_a_bus(cls, url: str | None) -> str | None:
        return _with_scheme(url, "redis", "rediss", "postgresql", "postgres")

    @field_validator("files_endpoint", "face_provider_url", "public_url", "app_url", "crm_service_url")
    @classmethod
    def _is_a_web_address(cls, url: str | None) -> str | None:
        return _with_scheme(url, "https", "http")

    @field_validator("fcm_credentials_file")
    @classmethod
    def _is_a_service_account(cls, file: str | None) -> str | None:
        if file is not None:
            try:
                found = json.loads(Path(file).read_text())
            except (OSError, ValueError):
                raise ValueError("it cannot be read as JSON") from None
            if not isinstance(found, dict) or not {"project_id", "private_key", "client_email", "token_uri"} <= found.keys():
                raise ValueError("it is not the file of a service account")
        return file

    @field_validator("message_channels")
    @classmethod
    def _are_channels(cls, text: str) -> str:
        if unknown := {each.strip() for each in text.split(",")} - {"email", "sms", "push"}:
            raise ValueError(f"there is no channel {', '.join(sorted(unknown))}")
        return text

    @field_validator("renewal_retry_days")
    @classmethod
    def _are_days(cls, text: str) -> str:
        days = _days(text)
        if days != sorted(set(days)) or any(not 0 < each <= 60 for each in days):
            raise ValueError("give days from 1 to 60, each later than the one before")
        return text

    @field_validator("mqtt_url")
    @classmethod
    def _is_a_broker(cls, url: str | None) -> str | None:
        return _with_scheme(url, "mqtt", "mqtts")

    @field_validator("mqtt_ca_file", "mqtt_certificate_file", "mqtt_key_file")
    @classmethod
    def _is_there(cls, path: str | None) -> str | None:
        if path is not None and not Path(path).is_file():
            raise ValueError("there is no such file")
        return path

    @field_validator("mqtt_prefix")
    @classmethod
    def _is_a_topic(cls, prefix: str) -> str:
        if not prefix.strip("/") or prefix != prefix.strip("/") or set(prefix) & set("+#$ \0"):
            raise ValueError("give words with slashes between them, without +, # and $")
        return prefix

    @model_validator(mode="after")
    def _listen_on_two_ports(self) -> Self:
        if self.port == self.crm_port:
            raise ValueError("PORT and CRM_PORT must differ")
        return self

    @model_validator(mode="after")
    def _refuse_default_secrets(self) -> Self:
        """Production starts with no secret that is published in this repository or too short, and with every service it needs."""
        if self.mode is Mode.PRODUCTION:
            known = [name for name, demo in DEMO_SECRETS.items() if getattr(self, name).get_secret_value() == demo]
            if known:
                raise ValueError(f"production refuses the default value of {', '.join(name.upper() for name in known)}; set your own")
            for name, previous in (("jwt_secret_key", "jwt_previous_keys"), ("encryption_key", "encryption_previous_keys")):
                earlier = getattr(self, previous).get_secret_value()
                if any(len(each.strip().encode()) < 32 or each.strip() == DEMO_SECRETS[name] for each in earlier.split(",") if earlier):
                    raise ValueError(f"{previous.upper()} must be secrets of at least 32 bytes, and not the default one")
            short = [name for name in ("jwt_secret_key", "encryption_key") if len(getattr(self, name).get_secret_value().encode()) < 32]
            if short:
                raise ValueError(f"{', '.join(name.upper() for name in short)} must have at least 32 random bytes")
            if not self.smtp_host:
                raise ValueError("production needs a mail server; set SMTP_HOST")
        return self

    @model_validator(mode="after")
    def _know_what_compares_faces(self) -> Self:
        """A face alone is no proof (docs/faces.md), so outside demo mode it never is all that is asked for."""
        if self.face_matcher is FaceMatcher.PROVIDER and not (self.face_provider_url and self.face_provider_key):
            raise ValueError("FACE_MATCHER=provider needs FACE_PROVIDER_URL and FACE_PROVIDER_KEY")
        if self.face_matcher is FaceMatcher.OPENCV and not find_spec("cv2"):
            raise ValueError("FACE_MATCHER=opencv needs OpenCV: pip install -e '.[faces]'")
        if not self.is_demo:
            if self.face_login is FaceLogin.ON:
                raise ValueError("FACE_LOGIN=on is for demo mode; set it to device or off")
            if self.face_login is FaceLogin.DEVICE and self.face_matcher is None:
                raise ValueError("FACE_LOGIN=device needs FACE_MATCHER")
            if self.face_matcher is FaceMatcher.SIMULATOR:
                raise ValueError("FACE_MATCHER=simulator is for demo mode; set it to opencv or provider")
            if self.face_matcher is FaceMatcher.PROVIDER and not self.face_liveness:
                raise ValueError("FACE_LIVENESS=0 is for demo mode, since a photograph would be taken for a face")
        return self

    @property
    def face_login_is(self) -> FaceLogin:
        """Whether people may sign in with their face in this process."""
        return self.face_login or (FaceLogin.ON if self.is_demo else FaceLogin.OFF)

    @model_validator(mode="after")
    def _name_gateways(self) -> Self:
        """A provider comes with all that it needs, and production has one for every channel."""
        needed = {
            SmsProvider.TWILIO: ("twilio_account_sid", "twilio_auth_token", "twilio_from"),
            SmsProvider.MSG91: ("msg91_auth_key", "msg91_template_id"),
        }
        missing = [name.upper() for name in needed[self.sms_provider] if not getattr(self, name)] if self.sms_provider else []
        if missing:
            raise ValueError(f"SMS_PROVIDER={self.sms_provider} needs {', '.join(missing)}")
        if self.mode is Mode.PRODUCTION:
            if "sms" in self.channels and self.sms_provider is None:
                raise ValueError("production needs SMS_PROVIDER, or MESSAGE_CHANNELS without sms")
            if "push" in self.channels and not self.fcm_credentials_file:
                raise ValueError("production needs FCM_CREDENTIALS_FILE, or MESSAGE_CHANNELS without push")
            if not self.public_url:
                raise ValueError("production needs PUBLIC_URL, for the links in messages")
        return self

    @property
    def channels(self) -> frozenset[str]:
        """The ways that messages take."""
        return frozenset(each.strip() for each in self.message_channels.split(",")) & {"sms", "push"} | {"email"}

    @property
    def links_to(self) -> str:
        """What the links in messages begin with."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def retry_days(self) -> list[int]:
        """After how many days each the renewal of a membership is tried again."""
        return _days(self.renewal_retry_days)

    @property
    def has_quickbooks(self) -> bool:
        """Whether what is sold goes to QuickBooks, or to its simulator."""
        return self.is_demo or self.quickbooks_client_id is not None

    @property
    def data_folder(self) -> Path:
        """The data folder; a relative one is inside the project, wherever the command is called."""
        return Path(__file__).parent / self.data_dir

    @property
    def log_lines(self) -> LogFormat:
        """How log lines are written in this process."""
        return self.log_format or (LogFormat.TEXT if self.is_demo else LogFormat.JSON)

    @property
    def introspection_for(self) -> Introspection:
        """Who may ask for the schema in this process."""
        return self.introspection or (Introspection.EVERYBODY if self.is_demo else Introspection.STAFF)

    @property
    def is_demo(self) -> bool:
        """Whether simulators stand for outside services and the demo routes exist."""
        return self.mode is Mode.DEMO
