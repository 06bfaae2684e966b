"""JSON Schema (draft-07) of the expectation file, for editors.

Generated from the models, the measures and the comparisons: ``python -m harness.schema`` prints
it, ``python -m harness.schema FILE`` writes it. A file that the schema accepts can still be wrong
in what a schema cannot say (references, display filters, fields): :func:`harness.expectation.load`
decides.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

TITLE = "Replicap expectation file"
_REFERENCE = "#/definitions/{model}"
_MEASURE = {"$ref": "#/definitions/measure"}


def schema() -> Schema:
    """The schema as plain data."""
    from harness.comparisons import COMPARISONS
    from harness.expectation import ClaimEntry, FileEntry
    from harness.measures import MEASURES

    definitions: Schema = {}
    file = _model(FileEntry, definitions)
    file["properties"]["claims"]["items"] = {"$ref": "#/definitions/claim"}
    claim = _model(ClaimEntry, definitions)
    claim["properties"]["measure"] = {
        "allOf": [_MEASURE],
        "description": _doc_of_key(claim, "measure"),
    }
    for name, comparison in COMPARISONS.items():
        claim["properties"][name] = _comparison(comparison, definitions)
    definitions["claim"] = claim | _alternatives(COMPARISONS)
    definitions["measure"] = _measures(MEASURES, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **file,
        "title": TITLE,
        "definitions": dict(sorted(definitions.items())),
    }


def text() -> str:
    """The schema as it stands in ``expectations/schema.json``."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _alternatives(comparisons: Iterable[str]) -> Schema:
    """A claim has a measure, with one comparison at most, or is not testable, with none."""
    none = {"not": {"anyOf": [{"required": [name]} for name in comparisons]}}
    one = [{"required": [name]} for name in comparisons]
    return {
        "oneOf": [
            {
                "required": ["measure"],
                "not": {"anyOf": [{"required": ["not_testable"]}, {"required": ["published"]}]},
                "oneOf": [none, *one],
            },
            {
                "required": ["not_testable"],
                "not": {
                    "anyOf": [
                        {"required": ["measure"]},
                        {"required": ["where"]},
                        {"required": ["measured"]},
                        *one,
                    ]
                },
            },
        ]
    }


def _measures(measures: Mapping[str, Any], definitions: Schema) -> Schema:
    """Each notation of each measure: its name, its main parameter, all its parameters."""
    alone: list[Schema] = []
    named: list[Schema] = []
    for name, kind in measures.items():
        parameters = _model(kind, definitions)
        description = parameters.get("description", "")
        properties = parameters.get("properties", {})
        if name == "difference":
            properties["measure"] = {"allOf": [_MEASURE]}
        if name == "total":
            properties["of"]["items"] = _MEASURE
        if not parameters.get("required"):
            alone.append({"const": name, "description": description})
        values = [parameters]
        if kind.main and set(parameters.get("required", ())) <= {kind.main}:
            values.append(properties[kind.main])
        named.append(
            {
                "type": "object",
                "description": description,
                "properties": {name: {"description": description, "anyOf": values}},
                "required": [name],
                "additionalProperties": False,
            }
        )
    return {"description": "What is measured.", "anyOf": [*alone, *named]}


def _comparison(comparison: Any, definitions: Schema) -> Schema:
    """What may stand under a comparison's key."""
    parameters = _model(comparison, definitions)
    if not comparison.main:
        return parameters
    value: Schema = parameters["properties"][comparison.main]
    return {**value, "description": parameters.get("description", "")}


def _model(model: type[BaseModel], definitions: Schema) -> Schema:
    """A model's schema; the models inside it go to ``definitions``."""
    made: Schema = _draft07(model.model_json_schema(ref_template=_REFERENCE))
    definitions.update(made.pop("$defs", {}))
    if "description" in made:
        made["description"] = " ".join(made["description"].split("\n\n")[0].split())
    made.pop("title", None)
    return made


def _draft07(node: Any) -> Any:
    """The same in the words of draft-07, without what only a program sees: titles, null."""
    if isinstance(node, list):
        return [_draft07(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _draft07(value) for key, value in node.items()}
    for names in ("properties", "$defs"):
        for inner in made.get(names, {}).values():
            inner.pop("title", None)
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")
        made["additionalItems"] = False
    if "anyOf" in made and (left := [one for one in made["anyOf"] if one != {"type": "null"}]):
        made["anyOf"] = left
        if len(left) == 1:
            del made["anyOf"]
            made |= left[0]
    if made.get("default", 0) is None:
        del made["default"]
    if "$ref" in made and len(made) > 1:  # draft-07 ignores what stands beside $ref
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _doc_of_key(owner: Schema, key: str) -> str:
    return str(owner["properties"][key].get("description", ""))


def main(arguments: list[str]) -> int:
    """Print the schema, or write it to the file named."""
    if not arguments:
        sys.stdout.write(text())
        return 0
    with open(arguments[0], "w", encoding="utf-8") as file:
        file.write(text())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
