"""
Everything that is not generated: the list of models, embeddings, health and version.
"""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING

from upstream_simulator import words
from upstream_simulator.asks import read_model, read_texts
from upstream_simulator.error_bodies import ApiError
from upstream_simulator.generation import CREATED
from upstream_simulator.options import DEFAULT_MODELS

if TYPE_CHECKING:
    from upstream_simulator.asks import Body
    from upstream_simulator.flavours import Flavour
    from upstream_simulator.options import Options

_DIMENSIONS = 64
_MAX_DIMENSIONS = 8192


def models(options: Options, flavour: Flavour) -> dict[str, object]:
    """
    Make the answer of GET /v1/models.

    Spec: SIM-04
    """
    if flavour.models_list == "empty":
        return {"object": "list", "data": []}
    names = options.models or DEFAULT_MODELS
    answer: dict[str, object] = {"object": "list", "data": [_model(name, flavour) for name in names]}
    if flavour.models_list == "with_models":
        answer["models"] = [{"name": name, "model": name, "type": "model"} for name in names]
    return answer


def model(name: str, options: Options, flavour: Flavour) -> dict[str, object]:
    """
    Make the answer of GET /v1/models/{name}.

    Raises:
        ApiError: 404, no such model.

    Spec: SIM-04
    """
    if name not in (options.models or DEFAULT_MODELS):
        raise unknown_model(name)
    return _model(name, flavour)


def require_model(name: str, options: Options) -> None:
    """
    Check that a model may be used; without a list every name may.

    Raises:
        ApiError: 404, no such model.
    """
    if options.models and name not in options.models:
        raise unknown_model(name)


def unknown_model(name: str) -> ApiError:
    """
    Make the error for a model that is not served.
    """
    message = f"The model `{name[:128]}` does not exist or you do not have access to it."
    return ApiError(message, 404, code="model_not_found", param="model")


def embeddings(body: Body) -> dict[str, object]:
    """
    Make the answer of POST /v1/embeddings; the same text has the same vector.

    Raises:
        ApiError: A field is missing or wrong.

    Spec: SIM-04
    """
    texts = read_texts(body)
    dimensions = body.get("dimensions") or _DIMENSIONS
    if not isinstance(dimensions, int) or not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise ApiError(f"Invalid 'dimensions': expected 1 to {_MAX_DIMENSIONS}.", param="dimensions")
    form = body.get("encoding_format", "float")
    if form not in {"float", "base64"}:
        raise ApiError("Invalid 'encoding_format': expected 'float' or 'base64'.", param="encoding_format")
    prompt_tokens = sum(words.count_tokens(text) for text in texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _written(words.vector(text, dimensions), str(form))}
            for index, text in enumerate(texts)
        ],
        "model": read_model(body),
        "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens},
    }


def properties(options: Options) -> dict[str, object]:
    """
    Make the answer of GET /props, which llama.cpp's server has.
    """
    name = (options.models or DEFAULT_MODELS)[0]
    return {"total_slots": 4, "model_path": name, "default_generation_settings": {"n_ctx": options.context or 8192}}


def _model(name: str, flavour: Flavour) -> dict[str, object]:
    created = {} if flavour.models_list == "no_created" else {"created": CREATED}
    return {"id": name, "object": "model", **created, "owned_by": flavour.owned_by}


def _written(values: list[float], form: str) -> list[float] | str:
    if form == "float":
        return values
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
