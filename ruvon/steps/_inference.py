"""CALL of the type AI_INFERENCE: prepare the data, ask a model, shape its answer, hold it against a threshold."""

import inspect
from collections.abc import Mapping
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Final, cast, final

from pydantic import BaseModel

from ruvon.engine import Compiler, ProgramError, Run
from ruvon.ir._nodes import Call, Node
from ruvon.ir.values import to_plain
from ruvon.models import InferenceError
from ruvon.providers import ModelRef
from ruvon.steps._attempt import Work
from ruvon.steps._service import ServiceOp, constant
from ruvon.steps._transforms import POSTPROCESSING, PREPROCESSING, Transform

__all__ = ["InferenceOp"]

_PAGING: Final = (
    "max_resident_shards",
    "prefetch_shards",
    "shard_urls",
    "shard_size_mb",
    "logic_gate_threshold",
)
_POSITIVE: Final = "positive"


@final
class InferenceOp(ServiceOp):
    """Asks the process's inference provider."""

    __slots__ = ("after", "before")

    recorded: ClassVar[tuple[str, ...]] = ("model", "data")

    def __init__(self, node: Node, call: Call, compiler: Compiler) -> None:
        super().__init__(node, call, compiler)
        self._refuse_paging(call, compiler)
        self.before = self._transform(call, compiler, "preprocessing", PREPROCESSING)
        self.after = self._transform(call, compiler, "postprocessing", POSTPROCESSING)

    def _refuse_paging(self, call: Call, compiler: Compiler) -> None:
        """Models are loaded whole; a definition that counts on anything else is not run."""
        if "paging_strategy" in call.config and constant(call, "paging_strategy") != "none":
            problem = "wants a model that is loaded in parts; here they are loaded whole: write paging_strategy: none"
            raise self.refuse(compiler, problem)
        found = [name for name in _PAGING if name in call.config]
        if found:
            problem = f"says `{found[0]}`, but models are loaded whole here, so it would mean nothing; remove it"
            raise self.refuse(compiler, problem)

    def _transform(
        self, call: Call, compiler: Compiler, field: str, known: Mapping[str, Transform]
    ) -> Transform | None:
        """The transformation that a field names: a built-in one, or a `@pure` function of the application."""
        if field not in call.config:
            return None
        name = constant(call, field)
        if not isinstance(name, str):
            raise self.refuse(compiler, f"computes its {field}; write the name of one")
        if name in known:
            return known[name]
        if ":" not in name:
            names = ", ".join(sorted(known))
            problem = f"names the {field} `{name}`; there is {names}, or the path of a @pure function, `module:name`"
            raise self.refuse(compiler, problem)
        function = compiler.types.load(name)
        if getattr(function, "__ruvon_pure__", False) is not True or not callable(function):
            raise self.refuse(compiler, f"names the {field} `{name}`, which is no @pure function")
        return cast("Transform", function)

    async def ask(self, run: Run, work: Work) -> Mapping[str, object]:
        """Ask the model."""
        provider = run.services.inference
        if provider is None:
            problem = f"the step `{self.id}` is of the type AI_INFERENCE; give the engine an inference_provider"
            raise ProgramError(run.record.workflow_type, [problem])
        fields = work.fields
        model = _model(fields)
        data = await self._transformed(run, model, "preprocessing", self.before, fields, plain(fields.get("data")))
        answer: Any = await provider.predict(model, _inputs(data), max_tokens=fields.get("max_tokens"))
        answer = await self._transformed(run, model, "postprocessing", self.after, fields, dict(answer))
        if not isinstance(answer, Mapping):
            message = f"the postprocessing of {model.title} returned a {type(answer).__name__}; return a mapping"
            raise InferenceError("transform", message, model.title)
        return _judged(model, dict(cast("Mapping[str, object]", answer)), fields)

    async def _transformed(
        self, run: Run, model: ModelRef, field: str, function: Transform | None, fields: Mapping[str, Any], value: Any
    ) -> Any:
        if function is None:
            return value
        params = cast("Mapping[str, Any]", plain(fields.get(f"{field}_params")) or {})
        try:
            inspect.signature(function).bind(value, **params)
            return await run.services.execution.call_blocking(lambda: function(value, **params))
        except Exception as exc:
            message = f"the {field} of {model.title} failed: {exc}"
            raise InferenceError("transform", message, model.title) from exc


def _model(fields: Mapping[str, Any]) -> ModelRef:
    name, mark, version = str(fields["model"]).partition("@")
    other = fields.get("model_version")
    if mark and other is not None and other != version:
        message = f"the model is named {name}@{version}, but its model_version is {other}; say one of them"
        raise InferenceError("model", message, name)
    return ModelRef(name, version if mark else other, fields.get("model_path"), fields.get("runtime"))


def _inputs(data: Any) -> Mapping[str, object]:
    if data is None:
        return {}
    return cast("Mapping[str, object]", data) if isinstance(data, Mapping) else {"": data}


def plain(value: object) -> Any:
    """Data for a model: mappings, lists, texts and numbers, decimals as floats."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields_of(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[object]", value)]
    return float(value) if isinstance(value, Decimal) else to_plain(value, reveal_secrets=True)


def _judged(model: ModelRef, answer: dict[str, object], fields: Mapping[str, Any]) -> dict[str, object]:
    """The answer, with `positive` where the step has a threshold."""
    threshold = fields.get("threshold")
    if threshold is None:
        return answer
    numbers = {name: number for name, value in answer.items() if (number := _only_number(value)) is not None}
    key = fields.get("threshold_key") or (next(iter(numbers)) if len(numbers) == 1 else None)
    if key is None or key not in numbers:
        which = "has not exactly one number; say which with threshold_key" if key is None else f"has no number `{key}`"
        raise InferenceError("output", f"the answer of {model.title} {which}", model.title)
    if _POSITIVE in answer:
        raise InferenceError("output", f"the answer of {model.title} has a field `{_POSITIVE}` already", model.title)
    return {**answer, _POSITIVE: numbers[key] >= threshold}


def _only_number(value: object) -> float | None:
    """A number, or that in lists of one element: what a model answers about one row."""
    while isinstance(value, list) and len(cast("list[object]", value)) == 1:
        value = cast("list[object]", value)[0]
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
