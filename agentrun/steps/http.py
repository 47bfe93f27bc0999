"""The step kind `http`: one request, its answer's body as the output.

Owns what may be written under `http`. Refuses to know how a request is made (http_request.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success
from agentrun.steps.kind import StepContext, StepKind

MAX_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 5

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """What stands under `http`."""

    url: Annotated[str, "where to; http:// or https://"]
    method: Annotated[Method, "the method"] = "GET"
    headers: Annotated[Mapping[str, str | int | float], "headers to send"] = field(
        default_factory=dict
    )
    params: Annotated[
        Mapping[str, str | int | float | bool | list[str | int | float | bool] | None],
        "query parameters, encoded and added to the URL",
    ] = field(default_factory=dict)
    json: Annotated[Json, "a value to send as JSON"] = None
    body: Annotated[str | None, "text to send as it is; not together with `json`"] = None
    expect: Annotated[
        int | str | list[int | str] | None,
        "status codes that mean success: `200`, `2xx`, `200-204`, or a list of them; default 2xx",
    ] = None
    max_bytes: Annotated[int, "largest body accepted, after decompression"] = MAX_BYTES
    max_redirects: Annotated[int, "redirects followed before giving up; 0 follows none"] = (
        MAX_REDIRECTS
    )


def component(spec: Mapping[str, Json]) -> str | None:
    """Return the host, with its port where one is written."""
    try:
        parts = urlsplit(str(spec.get("url", "")))
        port = parts.port
    except ValueError:
        return None
    return f"{parts.hostname}:{port}" if port else parts.hostname


async def _execute(ctx: StepContext) -> Success | Evidence:
    from agentrun.steps.http_request import perform

    return await perform(ctx)


KIND = StepKind(
    name="http",
    spec=HttpSpec,
    execute=_execute,
    scalar="url",
    refuses=frozenset({"env", "cwd", "stdin", "with"}),
    component=component,
    component_from=frozenset({"url"}),
)
