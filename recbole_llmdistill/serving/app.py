"""The paths of the service, and the errors: always JSON, ``{"error": "..."}``, in a line."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recbole_llmdistill import __version__
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.serving.batching import QueueFull
from recbole_llmdistill.serving.service import Service

RETRY_SECONDS = 1
"""What ``Retry-After`` says where too many wait."""
_PATHS = ("/recommend", "/health", "/metrics", "/docs", "/openapi.json")

Token = Annotated[
    str,
    BeforeValidator(lambda token: str(token) if type(token) is int else token),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
]


class RecommendRequest(BaseModel):
    """Sequences, and what is asked about each."""

    model_config = ConfigDict(extra="forbid")

    sequences: list[list[Token]] = Field(min_length=1, description="item tokens, the newest last")
    k: int = Field(10, ge=1, description="items to recommend")
    exclude_seen: bool = Field(False, description="without the items of the sequence, all of it")


class Recommended(BaseModel):
    """The best items for one sequence."""

    items: list[str] = Field(description="tokens, best first")
    scores: list[float]
    source: str = Field(description="model, or popularity where the sequence has no item that the model knows")
    unknown_items: int = Field(description="items of the sequence that were passed over")


class RecommendResponse(BaseModel):
    """An answer per sequence, in their order."""

    recommendations: list[Recommended]
    version: str = Field(description="of the model")


def build_app(service: Service) -> FastAPI:
    """The application of a service."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        await service.batcher.stop()

    app = FastAPI(title="llmdistill serve", version=__version__, lifespan=lifespan, redoc_url=None)

    @app.post("/recommend", response_model=RecommendResponse, summary="The next items after sequences")
    async def recommend(asked: RecommendRequest) -> Response:
        try:
            return _json(200, await service.recommend(asked.sequences, asked.k, asked.exclude_seen))
        except InputError as error:
            return _error(422, str(error))
        except QueueFull:
            return _error(
                503, f"{service.limits.waiting:,} sequences wait already; try again later",
                {"Retry-After": str(RETRY_SECONDS)},
            )  # fmt: skip

    @app.get("/health", summary="Whether it answers, and with which model")
    async def health() -> Response:
        model = service.model
        return _json(
            200,
            {
                "status": "ok",
                "model": model.name,
                "dataset": model.folder.settings.dataset,
                "items": len(model.item_tokens) - 1,
                "version": service.version,
                "waiting": service.batcher.waiting,
            },
        )

    @app.get("/metrics", summary="For Prometheus")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(RequestValidationError)
    async def refuse_values(request: Request, error: RequestValidationError) -> Response:
        problem = error.errors()[0]
        if problem["type"] == "json_invalid":
            return _error(422, f"body: no JSON ({problem['ctx']['error']}, character {problem['loc'][-1]})")
        if problem["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
            return _error(415, "body: send JSON, with the header Content-Type: application/json")
        where = ".".join(str(part) for part in problem["loc"] if part != "body") or "body"
        return _error(422, f"{where}: {problem['msg']}")

    @app.exception_handler(HTTPException)
    async def refuse(_request: Request, error: HTTPException) -> Response:
        # What the JSON reader breaks off at: deep nesting, on Python 3.11.
        if error.status_code == 400:
            return _error(422, "body: no JSON that can be read")
        return _error(error.status_code, str(error.detail), error.headers)

    app.add_middleware(_Guard, service=service)
    return app


class _Guard:
    """Reads bodies as far as allowed, counts answers, and lets no error out as anything but JSON."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            body = await self._body(scope, receive)
            if isinstance(body, Response):
                await body(scope, receive, noted)
            elif body is not None:
                await self.app(scope, _replayed(body, receive), noted)
        except Exception as error:
            if status:  # the answer has begun
                raise
            await _error(500, f"internal error ({type(error).__name__})")(scope, receive, noted)
        if not status:  # the caller has gone
            return
        path = scope["path"] if scope["path"] in _PATHS else "other"
        self.service.metrics.requests.labels(path, str(status)).inc()
        if path == "/recommend":
            self.service.metrics.seconds.observe(time.perf_counter() - start)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | Response | None:
        """The body, the answer to one that is refused, or None where the caller has gone."""
        limits = self.service.limits
        too_large = _error(413, f"body: at most {limits.body_bytes:,} bytes are allowed", {"Connection": "close"})
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said) > limits.body_bytes:
            return too_large
        body = bytearray()
        try:
            async with asyncio.timeout(limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > limits.body_bytes:
                        return too_large
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            return _error(408, f"body: not there after {limits.body_seconds:g} seconds", {"Connection": "close"})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, and then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _json(status: int, content: Any, headers: Any = None) -> Response:
    return Response(json.dumps(content), status, headers, media_type="application/json")


def _error(status: int, problem: str, headers: Any = None) -> Response:
    return _json(status, {"error": " ".join(problem.split())}, headers)
