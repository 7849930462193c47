"""Settings: every one documented, every wrong one named without its value."""

from pathlib import Path

import pytest

from dotenv_example import example
from migrations import ROOT
from settings import DEMO_SECRETS, Mode, Settings
from startup import CannotStart, read_settings

GOOD = {name.upper(): f"a-good-secret-of-many-characters-{number}" for number, name in enumerate(DEMO_SECRETS)} | {
    "MODE": "production",
    "SMTP_HOST": "mail.example.com",
    "PUBLIC_URL": "https://api.example.com",
    "MESSAGE_CHANNELS": "email",
}
"""What production needs."""


def write(file: Path, values: dict[str, str]) -> Path:
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return file


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def refused(env_file: Path) -> list[str]:
    with pytest.raises(CannotStart) as caught:
        read_settings(env_file)
    return str(caught.value).splitlines()


def test_the_example_file_names_every_setting_with_its_default() -> None:
    assert (ROOT / ".env.example").read_text() == example(), "write it anew with `make schema`"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_example_file_itself_changes_nothing(tmp_path: Path) -> None:
    everything = tmp_path / ".env"
    everything.write_text("\n".join(line.removeprefix("#") for line in example().splitlines() if "=" in line and line[1:2] != " "))
    assert read_settings(everything) == read_settings(tmp_path / "none")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nCRM_PORT=9002\n")
    monkeypatch.setenv("PORT", "9003")
    settings = read_settings(tmp_path / ".env")
    assert (settings.port, settings.crm_port) == (9003, 9002)


def test_each_wrong_setting_gets_its_own_sentence_without_its_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=70000\nMODE=secretly\nDATABASE_URL=oracle://scott:tiger@db\n")
    said = refused(tmp_path / ".env")
    assert sorted(said) == [
        "DATABASE_URL is not valid: it must begin with postgresql:// or postgres://.",
        "MODE is not valid: input should be 'demo' or 'production'.",
        "PORT is not valid: input should be less than or equal to 65535.",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PORT=9001\nthis is no setting\n", "Line 2 of {file} cannot be understood: write NAME=value there."),
        (b"PORT='9001\n", "Line 1 of {file} cannot be understood: write NAME=value there."),
        (b"PORT=\xff\xfe\n", "{file} is not UTF-8 text."),
    ],
)
def test_a_broken_env_file_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / ".env"
    file.write_bytes(content)
    assert refused(file) == [sentence.format(file=file)]


def test_an_unreadable_env_file_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.mkdir()  # mode bits would not stop root
    assert refused(file) == [f"{file} cannot be read: Is a directory."]


@pytest.mark.parametrize("name", DEMO_SECRETS)
def test_production_refuses_each_default_secret_by_name(tmp_path: Path, name: str) -> None:
    (said,) = refused(write(tmp_path / ".env", GOOD | {name.upper(): DEMO_SECRETS[name]}))
    assert said == f"Production refuses the default value of {name.upper()}; set your own."


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "ENCRYPTION_KEY"])
def test_production_refuses_short_keys(tmp_path: Path, name: str) -> None:
    assert refused(write(tmp_path / ".env", GOOD | {name: "short"})) == [f"{name} must have at least 32 random bytes."]


def test_production_starts_with_secrets_of_its_own(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path / ".env", GOOD)).mode is Mode.PRODUCTION


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"MESSAGE_CHANNELS": "email,sms"}, "Production needs SMS_PROVIDER, or MESSAGE_CHANNELS without sms."),
        ({"MESSAGE_CHANNELS": "email,push"}, "Production needs FCM_CREDENTIALS_FILE, or MESSAGE_CHANNELS without push."),
        ({"MESSAGE_CHANNELS": "pigeon"}, "MESSAGE_CHANNELS is not valid: there is no channel pigeon."),
        ({"PUBLIC_URL": ""}, "Production needs PUBLIC_URL, for the links in messages."),
        ({"PUBLIC_URL": "api.example.com"}, "PUBLIC_URL is not valid: it must begin with https:// or http://."),
        ({"SMS_PROVIDER": "twilio", "TWILIO_FROM": "+15550100"}, "SMS_PROVIDER=twilio needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN."),
        ({"SMS_PROVIDER": "msg91"}, "SMS_PROVIDER=msg91 needs MSG91_AUTH_KEY, MSG91_TEMPLATE_ID."),
        ({"FCM_CREDENTIALS_FILE": "/no/such/file"}, "FCM_CREDENTIALS_FILE is not valid: it cannot be read as JSON."),
        ({"FCM_CREDENTIALS_FILE": "{here}/other.json"}, "FCM_CREDENTIALS_FILE is not valid: it is not the file of a service account."),
    ],
)
def test_production_has_a_gateway_for_every_channel(tmp_path: Path, changes: dict[str, str], sentence: str) -> None:
    (tmp_path / "other.json").write_text('{"type": "authorized_user"}')
    changes = {name: value.replace("{here}", str(tmp_path)) for name, value in changes.items()}
    assert refused(write(tmp_path / ".env", GOOD | changes)) == [sentence]


def test_no_secret_shows_when_settings_are_printed() -> None:
    shown = repr(Settings(_env_file=None))  # type: ignore[call-arg]
    assert [secret for secret in DEMO_SECRETS.values() if secret in shown] == []


def test_nothing_reads_the_environment_past_the_settings() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if not {".venv", "tests", "alembic", "bench", "data"} & set(path.relative_to(ROOT).parts) and "os.environ" in path.read_text()
    ]
    assert readers == []


def test_flask_env_means_the_mode_unless_that_is_said(tmp_path: Path) -> None:
    told = {name: value for name, value in GOOD.items() if name != "MODE"}
    for flask, mode, expected in (
        ("production", None, Mode.PRODUCTION),
        ("development", None, Mode.DEMO),
        ("production", "demo", Mode.DEMO),
    ):
        values = {**told, "FLASK_ENV": flask, **({"MODE": mode} if mode else {})}
        assert read_settings(write(tmp_path / ".env", values)).mode is expected
