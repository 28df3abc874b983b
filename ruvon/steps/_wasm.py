"""CALL of the type WASM: give a WebAssembly module one JSON object, and take one from it."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast, final

from pydantic import BaseModel

from ruvon.engine import Compiler, ProgramError, Run
from ruvon.ir._nodes import Call, Node
from ruvon.ir.values import Json, to_plain
from ruvon.models import WasmError
from ruvon.providers import ModuleRef
from ruvon.steps._attempt import Work
from ruvon.steps._service import ServiceOp, constant

__all__ = ["WasmOp"]


@final
class WasmOp(ServiceOp):
    """Runs a module in the sandbox of the process's runtime."""

    __slots__ = ()

    recorded: ClassVar[tuple[str, ...]] = ("module", "entry", "data")

    def __init__(self, node: Node, call: Call, compiler: Compiler) -> None:
        super().__init__(node, call, compiler)
        self.takes_state = "state_mapping" in call.config
        text = constant(call, "module")
        if isinstance(text, str):
            try:
                ModuleRef.parse(text)
            except ValueError as exc:
                raise self.refuse(compiler, f"names a module that cannot be: {exc}") from None

    async def ask(self, run: Run, work: Work) -> Mapping[str, object]:
        """Run the module."""
        fields = work.fields
        runtime = run.services.wasm
        if runtime is None:
            problem = f"the step `{self.id}` is of the type WASM; give the engine a wasm_runtime"
            raise ProgramError(run.record.workflow_type, [problem])
        module = _module(str(fields["module"]))
        entry = fields.get("entry")
        return await runtime.run(module, _input(module, work), entry=None if entry is None else str(entry))


def _module(text: str) -> ModuleRef:
    try:
        return ModuleRef.parse(text)
    except ValueError as exc:
        raise WasmError("module", str(exc), text) from None


def _input(module: ModuleRef, work: Work) -> dict[str, Json]:
    """The data, and beside it the fields of the state that are mapped."""
    plain = to_plain(work.fields.get("data"), reveal_secrets=True)
    if plain is not None and not isinstance(plain, dict):
        raise WasmError("input", f"the data of {module.text} is no model and no mapping", module.text)
    found = dict(plain or {})
    mapped = cast("Mapping[str, str]", work.fields.get("state_mapping") or {})
    for name, path in mapped.items():
        if name in found:
            message = f"both data and state_mapping of {module.text} give `{name}`; rename one of them"
            raise WasmError("input", message, module.text)
        found[name] = to_plain(_at(work.view, path, module), reveal_secrets=True)
    return found


def _at(state: Any, path: str, module: ModuleRef) -> object:
    """The value at a path of the state, such as `order.total`."""
    value = state
    for name in path.removeprefix("state.").split("."):
        if isinstance(value, Mapping) and name in value:
            value = cast("Mapping[str, Any]", value)[name]
        elif isinstance(value, BaseModel) and (name in type(value).model_fields or name in (value.model_extra or {})):
            value = getattr(value, name)
        else:
            message = f"state_mapping of {module.text} names `{path}`, which the state does not have"
            raise WasmError("input", message, module.text)
    return value
