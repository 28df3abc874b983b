"""Where modules come from: the memory of the application, or a folder. What is read is held against its digest."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, final

from ruvon.models import WasmError
from ruvon.providers import ModuleRef

__all__ = ["ModuleSource"]

_MAGIC: Final = b"\0asm\x01\0\0\0"
_COMPONENT: Final = b"\0asm\x0d\0\x01\0"


@final
class ModuleSource:
    """Reads modules by digest or name.

    Args:
        folder: holds `<digest>.wasm` and `<name>.wasm`.
        modules: modules by name, in memory; their digests are those of these bytes.
        pins: digests of modules in the folder that steps may name without one.
        max_bytes: size of the largest module that is read.
    """

    def __init__(
        self, folder: Path | None, modules: Mapping[str, bytes], pins: Mapping[str, str], max_bytes: int
    ) -> None:
        self._folder = folder.resolve() if folder is not None else None
        self._modules = dict(modules)
        self._by_digest = {sha256(data).hexdigest(): data for data in modules.values()}
        self._pins = {name: pin.lower() for name, pin in pins.items()}
        self._max_bytes = max_bytes

    def read(self, module: ModuleRef) -> tuple[str, bytes]:
        """The digest and the bytes of a module; called in a thread, before every run.

        Raises:
            WasmError: it is not there, is too large, is no module, or its digest is another one.
        """
        name = module.name
        if name is not None and name in self._modules:
            data = self._modules[name]
            pin = module.sha256 or sha256(data).hexdigest()
        else:
            pin = self._pin(module)
            data = self._by_digest[pin] if name is None and pin in self._by_digest else self._file(module, name or pin)
        found = sha256(data).hexdigest()
        if found != pin:
            raise WasmError("hash", f"the module {module.text} has the digest {found}, not {pin}", module.text)
        if not data.startswith(_MAGIC):
            kind = "a component; build a core module (wasm32-wasip1)" if data.startswith(_COMPONENT) else "no module"
            raise WasmError("module", f"{module.text} is {kind}", module.text)
        return found, data

    def _pin(self, module: ModuleRef) -> str:
        pin = module.sha256 or self._pins.get(module.name or "")
        if pin is None:
            message = (
                f"nobody pinned the digest of the module `{module.text}`; write `{module.text}#sha256=DIGITS`, "
                "or give the runtime pins="
            )
            raise WasmError("hash", message, module.text)
        return pin

    def _file(self, module: ModuleRef, name: str) -> bytes:
        if self._folder is None:
            message = f"there is no module {module.text}: the runtime has no folder; set RUVON_WASM_DIR or give folder="
            raise WasmError("module", message, module.text)
        try:
            file = (self._folder / (name if name.endswith(".wasm") else f"{name}.wasm")).resolve()
            if not file.is_relative_to(self._folder):
                raise WasmError("module", f"the module {module.text} lies outside the runtime's folder", module.text)
            with file.open("rb") as stream:
                data = stream.read(self._max_bytes + 1)
        except (OSError, ValueError) as exc:
            raise WasmError("module", f"the module {module.text} cannot be read: {exc}", module.text) from None
        if len(data) > self._max_bytes:
            message = f"the module {module.text} has more than the {self._max_bytes} bytes it may have"
            raise WasmError("module", message, module.text)
        return data
