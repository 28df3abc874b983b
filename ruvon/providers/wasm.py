"""`WasmRuntime`: the seam for WebAssembly modules, and how a step names the module that it wants."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, final, runtime_checkable

from ruvon.providers._errors import MissingExtraError

__all__ = ["MissingExtraError", "ModuleRef", "WasmRuntime"]

_DIGEST: Final = re.compile(r"(?:sha256[:=])?([0-9a-fA-F]{64})")


@final
@dataclass(frozen=True, slots=True)
class ModuleRef:
    """A module as a step names it: by its digest, by name with the digest it must have, or by name alone."""

    text: str
    """What the author wrote."""
    name: str | None
    sha256: str | None
    """The digest that the module's bytes must have, 64 lower-case hexadecimal digits."""

    @classmethod
    def parse(cls, text: str) -> "ModuleRef":
        """Read `sha256:HEX`, `HEX`, `NAME#sha256=HEX` or `NAME`.

        Raises:
            ValueError: it is none of them.
        """
        name, mark, pin = text.partition("#")
        found = _DIGEST.fullmatch(pin if mark else name)
        if found is not None:
            return cls(text, name if mark and name else None, found[1].lower())
        if mark or not name or name.startswith(("sha256:", "sha256=")):
            raise ValueError(
                f"{text!r} names no module; write `sha256:` and the 64 digits of its digest, `NAME#sha256=DIGITS`, "
                "or the name of a module whose digest the runtime was told"
            )
        return cls(text, name, None)


@runtime_checkable
class WasmRuntime(Protocol):
    """Runs modules, each call in a sandbox of its own."""

    async def run(
        self, module: ModuleRef, data: Mapping[str, object], /, *, entry: str | None = None
    ) -> Mapping[str, object]:
        """Give a module one JSON object and take one from it.

        Cancelling the call stops the module.

        Args:
            module: the module; its bytes are held against the pinned digest before every run.
            data: the input, JSON values only.
            entry: the exported function; `execute`, or `_start`, where none is named.

        Raises:
            WasmError: (`ruvon.models`) it was refused, stopped, or gave no answer.
            MissingExtraError: the runtime's package is not installed.
        """
        ...

    async def close(self) -> None:
        """Stop threads; a second call is harmless."""
        ...
