"""The OpenAPI document is what the studio does: hundreds of requests made from it, good and bad."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jobbing import WORDS
from running import THOROUGH, Running, wait_for
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from vibevoice.settings import Settings

ENDLESS = ("GET /v1/events", "GET /v1/jobs/events")
"""Streams that end with the studio: test_events.py and test_job_events.py listen to them."""
OPERATIONS = (
    "GET /v1/models",
    "GET /v1/models/{name}",
    "POST /v1/audio/speech",
    "GET /v1/audio/voices",
    "POST /v1/audio/voices",
    "GET /v1/audio/voices/{id}",
    "DELETE /v1/audio/voices/{id}",
    "GET /v1/audio/voices/{id}/audio",
    "POST /v1/scripts",
    "GET /v1/jobs",
    "POST /v1/jobs",
    "GET /v1/jobs/{id}",
    "PATCH /v1/jobs/{id}",
    "DELETE /v1/jobs/{id}",
    "GET /v1/jobs/{id}/script",
    "GET /v1/jobs/{id}/events",
    "GET /v1/jobs/{id}/audio",
    "GET /v1/jobs/{id}/subtitles",
    "GET /v1/jobs/{id}/segments",
    "POST /v1/jobs/{id}/cancel",
    "POST /v1/jobs/{id}/retry",
    "POST /v1/jobs/{id}/segments/{n}/regenerate",
    "GET /v1/me",
)
NOTHING_WRONG = (
    "GET /v1/models",
    "GET /v1/models/{name}",
    "GET /v1/audio/voices",
    "GET /v1/audio/voices/{id}",
    "DELETE /v1/audio/voices/{id}",
    "GET /v1/jobs/{id}",
    "DELETE /v1/jobs/{id}",
    "GET /v1/jobs/{id}/script",
    "GET /v1/jobs/{id}/events",
    "GET /v1/jobs/{id}/segments",
    "POST /v1/jobs/{id}/cancel",
    "POST /v1/jobs/{id}/retry",
    "GET /v1/me",
)
"""Whatever is sent there fits the document: they have no fields but names, and a name may be any text."""
RUNS = [(name, GenerationMode.POSITIVE) for name in OPERATIONS] + [
    (name, GenerationMode.NEGATIVE) for name in OPERATIONS if name not in NOTHING_WRONG
]
CASES = 2000 if THOROUGH else 800
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def studio(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that speaks, but not for long."""
    changes = {
        "data_dir": tmp_path_factory.mktemp("data"),
        "slot": 5,
        "streams": 4,
        "max_waiting": 4,
        "jobs_waiting": 4,
        "max_input_chars": 5000,
        "job_minutes": 0.5,
    }
    with Running(settings.model_copy(update=changes)) as running:
        wait_for(lambda: running.studio.engine.state == "ready")
        yield running


@pytest.fixture(scope="module")
def document(studio: Running) -> dict[str, Any]:
    return studio.get("/v1/openapi.json").json()


@pytest.fixture(scope="module")
def job(studio: Running) -> str:
    """One that was spoken; as often as not a request is about this one."""
    answer = httpx.post(f"{studio.url}/v1/jobs", json={"input": WORDS, "title": "Spoken: “ö”"})
    id: str = answer.json()["id"]
    wait_for(lambda: studio.get(f"/v1/jobs/{id}").json()["state"] == "done")
    return id


def test_the_document_has_every_operation(document: dict[str, Any]) -> None:
    named = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    assert sorted(named) == sorted((*OPERATIONS, *ENDLESS))
    assert document["servers"] == [{"url": "/vibevoice/podcast"}]


def test_every_error_in_the_document_is_the_envelope(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            errors = {status: each for status, each in operation["responses"].items() if int(status) >= 400}
            assert {"401", "503"} <= set(errors)
            for error in errors.values():
                schema = error["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Envelope"}


@pytest.mark.parametrize(("name", "mode"), RUNS, ids=lambda part: getattr(part, "value", part))
def test_each_operation_answers_as_the_document_says(
    studio: Running, document: dict[str, Any], job: str, name: str, mode: GenerationMode
) -> None:
    method, path = name.split(" ")
    operation = schemathesis.openapi.from_dict(document)[path][method]
    # What is deleted or spoken anew is not the one that the others ask about.
    known = "{id}" in path and method == "GET" and "voices" not in path
    addresses = st.sampled_from([{"id": job}, None]) if known else st.none()

    @given(case=operation.as_strategy(generation_mode=mode), address=addresses)
    @hypothesis_settings(
        max_examples=-(-CASES // len(RUNS)),
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
    )
    def ask(case: schemathesis.Case, address: dict[str, Any] | None) -> None:
        if address:
            case.path_parameters = {**(case.path_parameters or {}), **address}
        case.call_and_validate(base_url=studio.url, checks=CHECKS, timeout=60)

    ask()
