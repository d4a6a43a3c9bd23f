"""One method of one path: what it takes and what it answers."""

from collections.abc import Mapping

import msgspec

from pylon_router.openapi.schema import (
    ANYTHING,
    STRING,
    Schema,
    any_of,
    map_of,
    partial_record,
    record,
    reference,
)

ERROR = "Error"
ROW_OF_ANY = map_of(ANYTHING)

_EVERYWHERE = (400, 401, 403, 404, 408, 413, 414, 429, 431, 500, 503)
"""What can become of any request: it may be none, come from the wrong page, or meet a server in trouble."""

_ADMIN: list[Schema] = [{"bearer": []}]


class Parameter(msgspec.Struct, frozen=True):
    """In the query, and never required."""

    name: str
    schema: Schema
    description: str


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """``answers`` are the bodies of its own by status, ``refusals`` further statuses with an error in the body.

    ``media`` are the types of a body that is not JSON.
    """

    summary: str
    tag: str
    answers: Mapping[int, Schema | None]
    body: Schema | None = None
    body_required: bool = True
    body_media: tuple[str, ...] = ("application/json",)
    answer_media: str = "application/json"
    query: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()
    truncates: bool = False
    admin: bool = False

    def to_wire(self, path_parameters: list[str]) -> Schema:
        wire: Schema = {"summary": self.summary, "tags": [self.tag], "responses": self._responses()}
        parameters = [_path_parameter(name) for name in path_parameters]
        parameters += [
            {"name": p.name, "in": "query", "schema": p.schema, "description": p.description} for p in self.query
        ]
        if parameters:
            wire["parameters"] = parameters
        if self.body is not None:
            content = {media: {"schema": self.body} for media in self.body_media}
            wire["requestBody"] = {"required": self.body_required, "content": content}
        if self.admin:
            wire["security"] = _ADMIN
        return wire

    def _responses(self) -> Schema:
        responses: dict[int, Schema] = dict.fromkeys((*_EVERYWHERE, *self.refusals), REFUSAL)
        for status, schema in self.answers.items():
            if status >= 400 and schema is not None:
                schema = any_of(schema, reference(ERROR))
            media = "application/json" if status >= 400 else self.answer_media
            responses[status] = _response(self.summary, schema, media)
            if self.truncates:
                responses[status]["headers"] = _TRUNCATED
        return {str(status): responses[status] for status in sorted(responses)}


def for_admin(
    tag: str,
    summary: str,
    answer: Schema,
    *,
    status: int = 200,
    body: Schema | None = None,
    query: tuple[Parameter, ...] = (),
    refusals: tuple[int, ...] = (),
    truncates: bool = False,
) -> Operation:
    """An operation of the administrator's that has one answer."""
    return Operation(
        summary=summary,
        tag=tag,
        answers={status: answer},
        body=body,
        query=query,
        refusals=refusals,
        truncates=truncates,
        admin=True,
    )


def _response(description: str, schema: Schema | None, media: str) -> Schema:
    response: Schema = {"description": description}
    if schema is not None:
        response["content"] = {media: {"schema": schema}}
    return response


def _path_parameter(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": STRING}


_TRUNCATED = {
    "X-Pylon-Truncated": {"description": "There were more than one answer holds.", "schema": {"enum": ["true"]}}
}

REFUSAL: Schema = {"$ref": f"#/components/responses/{ERROR}"}
REFUSAL_RESPONSE = _response("What is wrong.", reference(ERROR), "application/json")
ERROR_SCHEMA = record(
    {
        "code": STRING,
        "message": {"type": "string", "minLength": 1},
        "error": partial_record({"code": STRING, "message": STRING, "hint": STRING}, ("code", "message")),
    },
    ("code", "message", "error"),
)
