"""Requests and answers, checked against the API description that Qdrant publishes.

The document is taken more strictly than it is written: keys that it does not list are refused,
"may be null" beside a reference means null (as written it lets everything through), and sky
positions must lie within the ranges of longitude and latitude. A store that keeps to this keeps
to what a server accepts.
"""

import functools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from openapi_schema_validator import OAS30Validator

__all__ = ["Contract", "Operation"]

_UNDOCUMENTED = {
    "CollectionParams": ["id_tracker"],
    "CollectionParamsDiff": ["id_tracker"],
    "CreateCollection": ["id_tracker"],
    "BoolIndexParams": ["nested"],
    "DatetimeIndexParams": ["nested"],
    "FloatIndexParams": ["nested"],
    "GeoIndexParams": ["nested"],
    "IntegerIndexParams": ["nested"],
    "KeywordIndexParams": ["nested"],
    "TextIndexParams": ["nested", "scoring"],
    "UuidIndexParams": ["nested"],
}
"""Keys that qdrant-client 1.20 knows and the document of server 1.19 lacks."""

_KEYWORDS = (
    # What fails soonest comes first.
    *("nullable", "type", "required", "additionalProperties", "enum", "minimum", "maximum"),
    *("minLength", "minItems", "uniqueItems", "format", "$ref", "properties", "items"),
    *("anyOf", "oneOf", "allOf"),
)
_NULL = {"nullable": True, "enum": [None]}
_ASKING = re.compile(r".*/(points|scroll|count|facet|query|query/batch|query/groups)")
"""Paths with which a POST asks for something."""

_LONGEST_MESSAGE = 400


class Contract:
    """The published description, ready to check with.

    Parameters
    ----------
    document : dict
        The OpenAPI document.
    """

    def __init__(self, document: dict):
        named = document["components"]["schemas"]
        references = {f"#/components/schemas/{name}": _strict(named[name]) for name in named}
        for name, keys in _UNDOCUMENTED.items():
            references[f"#/components/schemas/{name}"]["properties"].update(
                {key: {} for key in keys}
            )
        self._validator = _validator_class(references)
        operations = [
            Operation(method.upper(), template, description, self._validator)
            for template, methods in document["paths"].items()
            for method, description in methods.items()
        ]
        # A path that is spelled out comes before one that is a pattern.
        self._operations = sorted(operations, key=lambda operation: operation.template.count("{"))

    @classmethod
    @functools.cache
    def load(cls, path: Path) -> "Contract":
        """Return the contract in a file, which is read once."""
        return cls(json.loads(path.read_text()))

    def find(self, method: str, path: str) -> tuple["Operation | None", dict[str, str]]:
        """Return the operation that a request names, and the values in its path."""
        for operation in self._operations:
            match = operation.method == method and operation.pattern.fullmatch(path)
            if match:
                return operation, {key: unquote(text) for key, text in match.groupdict().items()}
        return None, {}


class Operation:
    """What one method of one path takes and answers.

    Parameters
    ----------
    method : str
        The HTTP method.
    template : str
        The path with names in braces.
    description : dict
        The operation in the document.
    validator : type
        Class of the validators.
    """

    def __init__(self, method: str, template: str, description: dict, validator: type):
        self.method = method
        self.template = template
        self.pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template))
        self._validator = validator
        self._description = description
        self._parameters = {
            (parameter["in"], parameter["name"]): parameter["schema"]
            for parameter in description.get("parameters", [])
        }

    @property
    def writes(self) -> bool:
        """Whether the operation changes a collection."""
        asks = self.method == "POST" and _ASKING.fullmatch(self.template)
        return self.method != "GET" and not asks

    def request_errors(self, values: dict[str, str], query: str, body: Any) -> list[str]:
        """Return what is wrong with a request.

        Parameters
        ----------
        values : dict
            The values in the path.
        query : str
            What follows the question mark.
        body : object
            The parsed body; None if there is none.

        Returns
        -------
        list of str
        """
        errors = []
        given = [("path", *item) for item in values.items()]
        given += [("query", *item) for item in parse_qsl(query, keep_blank_values=True)]
        for place, name, text in given:
            if (place, name) not in self._parameters:
                errors.append(f"{place}: {name} is no parameter")
            elif not self._fits(place, name, text):
                errors.append(f"{place}: {name}={text} is not allowed")
        return errors + self._body_errors(body)

    def _fits(self, place: str, name: str, text: str) -> bool:
        validator = self._checker(place, name)
        return validator.is_valid(text) or validator.is_valid(_read_literal(text))

    def _body_errors(self, body: Any) -> list[str]:
        if "requestBody" not in self._description:
            return [] if body is None else ["body: none is expected"]
        if body is None:
            return ["body: it is missing"]
        errors = _messages(self._checker("body", "").iter_errors(body))
        return errors + list(_misplaced(body))

    def response_errors(self, status: int, kind: str, body: Any) -> list[str]:
        """Return what is wrong with an answer.

        Parameters
        ----------
        status : int
            The HTTP status.
        kind : str
            The content type.
        body : object
            The parsed body of JSON, or the text.

        Returns
        -------
        list of str
        """
        validator = self._checker(str(status), kind)
        return [] if validator is None else _messages(validator.iter_errors(body))

    @functools.cache  # noqa: B019 - operations live as long as the process
    def _checker(self, place: str, name: str) -> Any:
        """Return the validator of a parameter, of the body, or of an answer's content."""
        if place in ("path", "query"):
            schema = self._parameters[place, name]
        elif place == "body":
            schema = self._description["requestBody"]["content"]["application/json"]["schema"]
        else:
            schema = self._response_schema(int(place), name)
        if schema is None:
            return None
        return self._validator(_strict(schema), format_checker=OAS30Validator.FORMAT_CHECKER)

    def _response_schema(self, status: int, kind: str) -> dict | None:
        answers = self._description["responses"]
        names = (str(status), f"{status // 100}XX", "default")
        answer = next((answers[name] for name in names if name in answers), {})
        return answer.get("content", {}).get(kind, {}).get("schema")


def _strict(schema: dict) -> dict:
    """Return a schema that allows null where it says so, and only the keys that it lists."""
    if schema == {"nullable": True}:
        return _NULL
    strict = {keyword: schema[keyword] for keyword in _KEYWORDS if keyword in schema}
    if strict.get("format") == "date-time":
        # A server also reads times without a zone, and dates; the engine does as it does.
        del strict["format"]
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in strict:
            strict[keyword] = [_strict(one) for one in strict[keyword]]
    for keyword in ("items", "additionalProperties"):
        if isinstance(strict.get(keyword), dict):
            strict[keyword] = _strict(strict[keyword])
    if "properties" in strict:
        strict["properties"] = {name: _strict(one) for name, one in strict["properties"].items()}
        strict.setdefault("additionalProperties", False)
    return strict


def _validator_class(references: dict[str, dict]) -> type:
    """Return a validator that knows the named schemas, quick with vectors and filters."""

    def follow(validator: Any, reference: str, instance: Any, schema: dict) -> Iterator:
        return _errors(validator, references[reference], instance)

    keywords = {"$ref": follow, "type": _type, "anyOf": _any_of, "items": _items}
    return extend(OAS30Validator, keywords | {"properties": _properties})


def _errors(validator: Any, schema: dict, instance: Any, *place: Any) -> Iterator:
    """Apply a schema within another one.

    The library makes a validator for each, which takes most of its time; it would only matter to
    references that are relative.
    """
    for keyword, value in schema.items():
        check = validator.VALIDATORS.get(keyword)
        for error in (check and check(validator, value, instance, schema)) or ():
            error.path.extendleft(place)
            yield error


def _properties(validator: Any, properties: dict, instance: Any, schema: dict) -> Iterator:
    if isinstance(instance, dict):
        for name in properties.keys() & instance.keys():
            yield from _errors(validator, properties[name], instance[name], name)


def _type(validator: Any, name: str, instance: Any, schema: dict) -> Iterator:
    """Name the type only: the library would write out whole vectors."""
    if instance is None and schema.get("nullable"):
        return
    if not validator.is_type(instance, name):
        yield ValidationError(f"is not of type {name}")


def _any_of(validator: Any, alternatives: list, instance: Any, schema: dict) -> Iterator:
    """Stop at the first error of each alternative, and tell of those that fitted longest."""
    errors = []
    for alternative in alternatives:
        error = next(_errors(validator, alternative, instance), None)
        if error is None:
            return
        if alternative is not _NULL:
            errors.append(error)
    longest = max(len(error.path) for error in errors)
    told = [_placed(error) for error in errors if len(error.path) == longest]
    yield ValidationError(" or ".join(dict.fromkeys(told)))


def _placed(error: ValidationError) -> str:
    """Return what an error says, behind the place that it speaks of."""
    joint = "" if error.message.startswith((".", "[")) else " "
    return f"{error.json_path[1:]}{joint}{error.message}".lstrip()


def _items(validator: Any, items: dict, instance: Any, schema: dict) -> Iterator:
    """Check the numbers of a vector at once; infinity has no place in JSON."""
    if not isinstance(instance, list):
        return
    if items.get("type") == "number" and not items.keys() - {"type", "format"}:
        if set(map(type, instance)) - {float, int} or not all(map(math.isfinite, instance)):
            yield ValidationError("has items that are no finite numbers", path=["*"])
        return
    for index, item in enumerate(instance):
        yield from _errors(validator, items, item, index)


def _messages(errors: Iterator[ValidationError]) -> list[str]:
    return [f"body: {_placed(error)}"[:_LONGEST_MESSAGE] for error in errors]


def _misplaced(value: Any) -> Iterator[str]:
    """Find positions off the sphere, which a server stores without a word and never finds."""
    if isinstance(value, dict):
        is_position = {"lon", "lat"} <= value.keys()
        for name, limit in (("lon", 180), ("lat", 90)) if is_position else ():
            number = value[name]
            if isinstance(number, int | float) and abs(number) > limit:
                yield f"body: {name} {number} lies outside [-{limit}, {limit}]"
        for item in value.values():
            yield from _misplaced(item)
    elif isinstance(value, list) and not (value and isinstance(value[0], float)):
        for item in value:
            yield from _misplaced(item)


def _read_literal(text: str) -> Any:
    """Return the number or boolean that a parameter spells, or the text."""
    if re.fullmatch(r"true|false|-?\d+", text):
        return json.loads(text)
    return text
