"""What compares faces: OpenCV on pictures, a provider over HTTP, and the simulator; and what none of them takes."""

import asyncio
import base64
import math
from typing import Any

import httpx2
import numpy
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from errors import BadUserInput, FacesOff, Unavailable
from gateways.face_pictures import MOST_PIXELS, OpenCvMatcher
from gateways.face_provider import FaceProvider
from gateways.faces import LARGEST_PICTURE, Faces
from gateways.simulators.faces import SimulatedMatcher, synthetic_face
from settings import FaceMatcher, Mode, Settings
from tests.drawn_faces import PEOPLE, empty_picture, picture

KEY = "a-provider-key"
ANYBODY = PEOPLE[0]


def as_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.fixture
def faces(settings: Settings) -> Faces:
    return Faces(settings, SimulatedMatcher(), OpenCvMatcher())


async def test_two_pictures_of_one_face_are_more_alike_than_those_of_two(faces: Faces) -> None:
    first = {each: await faces.read(as_text(picture(each))) for each in PEOPLE}
    again = {each: await faces.read(as_text(picture(each, take=1))) for each in PEOPLE}
    assert {each.matcher for each in first.values()} == {FaceMatcher.OPENCV}
    for person in PEOPLE:
        scores = await faces.compare(first[person], [again[each].data for each in PEOPLE])
        assert PEOPLE[scores.index(max(scores))] == person
        assert [each >= faces.demands(FaceMatcher.OPENCV).threshold for each in scores] == [each == person for each in PEOPLE]
    [itself] = await faces.compare(first[ANYBODY], [first[ANYBODY].data])
    assert itself == 1


async def test_what_is_kept_of_a_picture_are_histograms(faces: Faces) -> None:
    template = await faces.read(as_text(picture(ANYBODY)))
    histograms = numpy.frombuffer(template.data, numpy.float16).reshape(64, 256).astype(numpy.float32)
    assert numpy.allclose(histograms.sum(axis=1), 1, atol=0.05)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (empty_picture(), "No face can be seen in this picture."),
        (picture(*PEOPLE[:2]), "More than one face can be seen in this picture."),
        (empty_picture(MOST_PIXELS // 1000 + 1, 1000), f"A picture has {MOST_PIXELS} pixels at most."),
        (picture(ANYBODY)[:1000], "This picture cannot be read; send a JPEG, PNG or WebP."),
        (b"\xff\xd8\xff nonsense", "This picture cannot be read; send a JPEG, PNG or WebP."),
        (b"GIF89a", "This picture cannot be read; send a JPEG, PNG or WebP."),
    ],
    ids=["no face", "two faces", "too large", "cut off", "no JPEG", "a GIF"],
)
async def test_a_picture_that_does_not_show_one_face_is_refused(faces: Faces, raw: bytes, sentence: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await faces.read(as_text(raw))
    assert refused.value.fields == {"face_data": sentence}


@pytest.mark.parametrize("form", [".jpg", ".webp", ".png"])
async def test_each_form_of_picture_is_taken_in_each_spelling_of_base64(faces: Faces, form: str) -> None:
    text = as_text(picture(ANYBODY, form=form))
    for spelled in (text, f"data:image/{form[1:]};base64,{text}", text.translate(str.maketrans("+/", "-_")).rstrip("="), f" {text}\n"):
        assert (await faces.read(spelled)).matcher is FaceMatcher.OPENCV


@pytest.mark.parametrize("text", ["", "=", "not base64!", "a", "\u00e9\u00e9\u00e9\u00e9", "A" * (LARGEST_PICTURE * 2)])
async def test_what_is_no_base64_is_a_bad_field(faces: Faces, text: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await faces.read(text)
    assert list(refused.value.fields) == ["face_data"]


async def test_without_the_extra_a_picture_is_refused_and_a_synthetic_face_is_not(settings: Settings) -> None:
    faces = Faces(settings, SimulatedMatcher())
    with pytest.raises(BadUserInput, match="Invalid"):
        await faces.read(as_text(picture(ANYBODY)))
    assert (await faces.read(synthetic_face("John"))).matcher is FaceMatcher.SIMULATOR


async def test_documented_placeholders_stand_for_faces_of_their_own(faces: Faces) -> None:
    one, other = await faces.read("base64_encoded_face_data"), await faces.read("base64_image")
    same, different = await faces.compare(one, [one.data, other.data])
    assert same == pytest.approx(1)
    assert different < 0.5


async def test_synthetic_faces_of_many_names_are_never_alike(faces: Faces) -> None:
    template = await faces.read(synthetic_face("John Doe"))
    others = [(await faces.read(synthetic_face(f"Stranger {number}"))).data for number in range(500)]
    assert max(await faces.compare(template, others)) < 0.5


async def test_comparing_does_not_hold_the_loop(faces: Faces) -> None:
    template = await faces.read(synthetic_face("John Doe"))
    comparing = asyncio.create_task(faces.compare(template, [template.data] * 3000))
    turns = 0
    while not comparing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 5


def test_the_settings_win_over_the_matchers_own_figures(settings: Settings) -> None:
    faces = Faces(settings.model_copy(update={"face_threshold": 0.99, "face_lead": 0.0}), OpenCvMatcher())
    demands = faces.demands(FaceMatcher.OPENCV)
    assert (demands.threshold, demands.lead) == (0.99, 0.0)


# The provider


class CompreFace:
    """A detection service as CompreFace's documentation describes it, with a plugin for liveness."""

    def __init__(self) -> None:
        self.faces: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.fails: Response | None = None

    async def detect(self, request: Request) -> Response:
        """POST /api/v1/detection/detect"""
        if request.headers.get("x-api-key") != KEY:
            return JSONResponse({"message": "Service API key is incorrect", "code": 1}, 401)
        body = await request.json()
        base64.b64decode(body["file"], validate=True)
        self.asked.append(dict(request.query_params))
        if self.fails:
            return self.fails
        if not self.faces:
            return JSONResponse({"message": "No face is found in the given image", "code": 28}, 400)
        return JSONResponse({"result": [{"box": {"probability": 1.0}, **each} for each in self.faces]})

    def sees(self, *embeddings: list[Any], liveness: float = 0.99) -> None:
        """Answer these faces from now on."""
        self.faces = [{"embedding": each, "liveness": {"value": "live", "probability": liveness}} for each in embeddings]


@pytest.fixture
def service() -> CompreFace:
    return CompreFace()


def provider(settings: Settings, service: CompreFace, **changes: object) -> Faces:
    known = {"face_provider_url": "http://faces.test", "face_provider_key": SecretStr(KEY), **changes}
    app = Starlette(routes=[Route("/api/v1/detection/detect", service.detect, methods=["POST"])])
    changed = settings.model_copy(update=known)
    return Faces(changed, FaceProvider(changed, httpx2.ASGITransport(app=app)))


PICTURE = as_text(empty_picture())


async def test_embeddings_of_the_provider_are_compared_here(settings: Settings, service: CompreFace) -> None:
    async with provider(settings, service) as faces:
        service.sees([3.0, 4.0])
        template = await faces.read(PICTURE)
        service.sees([30.0, 40.5])
        same = (await faces.read(PICTURE)).data
        service.sees([-4.0, 3.0])
        other = (await faces.read(PICTURE)).data
        assert await faces.compare(template, [same, other, other * 2]) == [pytest.approx(1, abs=1e-3), pytest.approx(0, abs=1e-6), 0.0]
    assert service.asked[0] == {"face_plugins": "calculator,liveness", "limit": "2"}


async def test_a_photograph_of_a_face_is_refused_by_what_the_provider_says_of_it(settings: Settings, service: CompreFace) -> None:
    async with provider(settings, service) as faces:
        service.sees([1.0, 0.0], liveness=0.3)
        with pytest.raises(BadUserInput) as refused:
            await faces.read(PICTURE)
    assert "living face" in refused.value.fields["face_data"]


async def test_liveness_is_asked_for_unless_a_demo_does_without(settings: Settings, service: CompreFace) -> None:
    service.faces = [{"embedding": [1.0, 0.0]}]
    async with provider(settings, service) as faces:
        with pytest.raises(Unavailable):
            await faces.read(PICTURE)
    async with provider(settings, service, face_liveness=0.0) as faces:
        await faces.read(PICTURE)
    assert service.asked[-1]["face_plugins"] == "calculator"


async def test_no_face_and_two_faces_are_bad_pictures(settings: Settings, service: CompreFace) -> None:
    async with provider(settings, service) as faces:
        with pytest.raises(BadUserInput):
            await faces.read(PICTURE)
        service.sees([1.0, 0.0], [0.0, 1.0])
        with pytest.raises(BadUserInput):
            await faces.read(PICTURE)


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("Bad gateway", 502),
        JSONResponse({"message": "Service API key is incorrect"}, 401),
        JSONResponse(["result"]),
        JSONResponse({"result": {}}),
        JSONResponse({"result": [{"embedding": []}]}),
        JSONResponse({"result": [{"embedding": ["x"], "liveness": {"probability": 1}}]}),
        JSONResponse({"result": [{"embedding": [0.0, 0.0], "liveness": {"probability": 1}}]}),
        JSONResponse({"result": [{"embedding": "12", "liveness": None}]}),
    ],
)
async def test_a_provider_that_fails_is_unavailable_and_no_fault_of_the_picture(
    settings: Settings, service: CompreFace, answer: Response
) -> None:
    service.fails = answer
    async with provider(settings, service) as faces:
        with pytest.raises(Unavailable):
            await faces.read(PICTURE)


async def test_a_provider_that_cannot_be_reached_is_unavailable(settings: Settings) -> None:
    def gone(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route")

    changed = settings.model_copy(update={"face_provider_url": "http://faces.test", "face_provider_key": SecretStr(KEY)})
    async with Faces(changed, FaceProvider(changed, httpx2.MockTransport(gone))) as faces:
        with pytest.raises(Unavailable):
            await faces.read(PICTURE)


# Settings

PRODUCTION = {
    **{"public_url": "https://atrium.example.com", "message_channels": "email"},
    "mode": Mode.PRODUCTION,
    "smtp_host": "mail.example.com",
    **{
        name: f"{name} that is long enough for production"
        for name in ("jwt_secret_key", "encryption_key", "stripe_secret_key", "stripe_webhook_secret", "crm_bearer_token", "internal_token")
    },
}
PROVIDER = {"face_matcher": "provider", "face_provider_url": "https://faces.example.com", "face_provider_key": KEY}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"face_login": "on", **PROVIDER}, "FACE_LOGIN=on is for demo mode"),
        ({"face_login": "device"}, "FACE_LOGIN=device needs FACE_MATCHER"),
        ({"face_matcher": "simulator"}, "FACE_MATCHER=simulator is for demo mode"),
        ({"face_matcher": "provider"}, "needs FACE_PROVIDER_URL and FACE_PROVIDER_KEY"),
        ({**PROVIDER, "face_liveness": 0}, "FACE_LIVENESS=0 is for demo mode"),
        ({"encryption_previous_keys": "short"}, "ENCRYPTION_PREVIOUS_KEYS must be secrets"),
    ],
)
def test_production_refuses_settings_under_which_a_face_would_prove_too_little(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Settings.model_validate({**PRODUCTION, **changes})


@pytest.mark.parametrize("changes", [{}, {"face_login": "device", **PROVIDER}, {"face_login": "device", "face_matcher": "opencv"}])
async def test_production_takes_faces_by_the_matcher_that_was_chosen(changes: dict[str, Any]) -> None:
    settings = Settings.model_validate({**PRODUCTION, **changes})
    async with Faces.of(settings) as faces:
        if not changes:
            with pytest.raises(FacesOff):
                await faces.read(PICTURE)
        else:
            with pytest.raises(BadUserInput, match="Invalid"):
                await faces.read(synthetic_face("John"))
    assert math.isclose(settings.face_liveness, 0.8)
