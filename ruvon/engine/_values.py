"""The types of one definition: annotations by type text, codecs by annotation, the class table, the state's type."""

from collections.abc import Callable
from functools import cached_property
from typing import Final, final

from ruvon.engine._errors import ProgramError
from ruvon.engine._state import StateType, state_type
from ruvon.ir._canonical import walk_nodes
from ruvon.ir._errors import RuvonError
from ruvon.ir._nodes import Action, Call, Definition, HumanSource, SignalSource, Start, TypeText, Wait
from ruvon.ir.types import parse_type
from ruvon.ir.values import ClassTable, Codec, class_table, codec_for, copy_value, secret_names, validate
from ruvon.models import Batch, Elapsed, Failure, HttpResponse, Won

__all__ = ["NONE", "Types", "copy_value", "validate"]

_OWN: Final = (Batch, Elapsed, Failure, HttpResponse, Won)
NONE: Final = b"null"


@final
class Types:
    """Codecs and classes of one definition, resolved in this process."""

    def __init__(self, definition: Definition, load: Callable[[str], object]) -> None:
        self.definition = definition
        self.load = load
        self._annotations: dict[TypeText, object] = {}
        self._classes: dict[str, type | None] = {}
        self.table = self._class_table()
        self.dynamic: Codec = codec_for(object, self.table)
        self._variables: dict[str, Codec] = {}
        found = state_type(self.annotation(definition.state), self.table)
        if found is None:
            raise ProgramError(
                definition.workflow_type,
                [f"the state is declared as `{definition.state}`; it must be a model or a dict"],
            )
        self.state: StateType = found

    @cached_property
    def secret_names(self) -> frozenset[str]:
        """The names of the fields that hold secrets, in whichever class of the definition."""
        classes = (self.annotation(self.definition.state), *self.table.values())
        return frozenset(name for item in classes for name in secret_names(item))

    def _class_table(self) -> ClassTable:
        definition = self.definition
        texts = [definition.state, *definition.variables.values()]
        texts += [definition.result] if definition.result else []
        for contract in definition.contracts.values():
            texts += [text for _, text, _ in contract.parameters]
            texts.append(contract.result)
        for node in walk_nodes(definition.graph):
            texts += _texts_of(node.action)
        annotations = [self.annotation(text) for text in dict.fromkeys(texts)]
        named = [self.find_class(path) for path in definition.types]
        return class_table([*annotations, *(cls for cls in named if cls is not None), *_OWN])

    def annotation(self, text: TypeText) -> object:
        """The annotation that a type text stands for."""
        if text not in self._annotations:
            self._annotations[text] = parse_type(text, self.load)
        return self._annotations[text]

    def codec(self, text: TypeText | None) -> Codec:
        """The codec of a type text; None gives the self-describing one."""
        return codec_for(self.annotation(text), self.table) if text is not None else self.dynamic

    def variable(self, name: str) -> Codec:
        """The codec of a variable."""
        known = self._variables.get(name)
        if known is None:
            text = self.definition.variables.get(name)
            known = self._variables[name] = self.codec(text)
        return known

    def find_class(self, path: str) -> type | None:
        """The class of a path, or None where it cannot be loaded here."""
        if path not in self._classes:
            try:
                found = self.load(path)
            except RuvonError:
                found = None
            self._classes[path] = found if isinstance(found, type) else None
        return self._classes[path]


def _texts_of(action: Action) -> list[TypeText]:
    """The types that an action names."""
    match action:
        case Call(into=into, input_model=model):
            found = [into, model]
        case Wait(source=SignalSource(model=model)):
            found = [model]
        case Wait(source=HumanSource(form=form)):
            found = [form]
        case Start(result=result):
            found = [result]
        case _:
            found = []
    return [text for text in found if text is not None]
