"""Options of steps: retry policies, compensations, merge rules and durations, from keys to the graph's values."""

from typing import Final, final

from ruvon.ir._nodes import Compensation, Merge, MergeConflict, MergeStrategy, RetryPolicy
from ruvon.ir._paths import canonical_path
from ruvon.ir.types import class_path
from ruvon_dsl._link import Missing, compensation_of
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._check import Fields, check_fields, is_null
from ruvon_dsl.yaml._expressions import Expressions
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._keys_common import COMPENSATION, RETRY
from ruvon_dsl.yaml._lookup import Names
from ruvon_dsl.yaml._values import MappingNode, ScalarNode, YamlNode, kind_of

__all__ = ["OptionReader"]

_CONFLICTS: Final = {
    "PREFER_NEW": MergeConflict.PREFER_NEW,
    "PREFER_EXISTING": MergeConflict.PREFER_EXISTING,
    "PREFER_OLD": MergeConflict.PREFER_EXISTING,
    "RAISE_ERROR": MergeConflict.RAISE_ERROR,
}


@final
class OptionReader:
    """Reads the options of one file's steps."""

    def __init__(self, names: Names, exprs: Expressions, found: Findings) -> None:
        self._names = names
        self._exprs = exprs
        self._found = found

    def retry(self, node: YamlNode) -> RetryPolicy | None:
        """A retry policy: a mapping, or the number of attempts."""
        if isinstance(node, ScalarNode):
            return self._attempts(node)
        if not isinstance(node, MappingNode):
            message = f"a retry policy is a mapping, not {kind_of(node)}"
            self._found.error(codes.WRONG_KIND, message, node.span, "write `{max_attempts: 3, delay: 1s}`")
            return None
        fields = check_fields(node, RETRY, self._found)
        plain = RetryPolicy()
        delay, longest = fields.duration("delay"), fields.duration("max_delay")
        return RetryPolicy(
            max_attempts=fields.count("max_attempts") or plain.max_attempts,
            delay_us=plain.delay_us if delay is None else delay,
            backoff=self._number(fields, "backoff", plain.backoff, 1e-9, 1e9),
            max_delay_us=longest,
            jitter=self._number(fields, "jitter", plain.jitter, 0.0, 1.0),
            on=self.classes(fields, "on") or plain.on,
            never=self.classes(fields, "never"),
        )

    def _attempts(self, node: ScalarNode) -> RetryPolicy | None:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return RetryPolicy(max_attempts=value)
        message = f"a retry policy is a mapping or a number of attempts, not {kind_of(node)}"
        self._found.error(
            codes.WRONG_KIND, message, node.span, "write `{max_attempts: 3, delay: 1s}`, or `null` for none"
        )
        return None

    def _number(self, fields: Fields, name: str, otherwise: float, least: float, most: float) -> float:
        node = fields.node(name)
        if node is None:
            return otherwise
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            return float(value)
        bounds = f"a number from {least:g} to {most:g}" if name == "jitter" else "a number above 0"
        self._found.error(codes.WRONG_KIND, f"`{name}` is {kind_of(node)}, not {bounds}", node.span, f"write {bounds}")
        return otherwise

    def classes(self, fields: Fields, name: str) -> tuple[str, ...]:
        """The paths of error classes."""
        found = (self.error_class(node) for node in fields.texts(name))
        return tuple(path for path in found if path is not None)

    def error_class(self, node: ScalarNode, text: str | None = None) -> str | None:
        """The path of an exception class."""
        word = (node.text if text is None else text).strip()
        if self._names.opaque:
            return self._names.written(word)
        value = self._names.load(node, word)
        if value is Missing:
            return None
        if not (isinstance(value, type) and issubclass(value, Exception)):
            self._found.error(
                codes.WRONG_TARGET, f"`{word}` is no exception class", node.span, "name a class derived from Exception"
            )
            return None
        return canonical_path(value) or class_path(value)

    def compensation(self, node: YamlNode) -> Compensation | None:
        """A compensation: the function's path, or a mapping with options."""
        if isinstance(node, ScalarNode):
            return self._compensation(node)
        if not isinstance(node, MappingNode):
            self._found.error(
                codes.WRONG_KIND, f"a compensation is the path of a function, not {kind_of(node)}", node.span
            )
            return None
        fields = check_fields(node, COMPENSATION, self._found)
        function = fields.node("function")
        made = self._compensation(function) if isinstance(function, ScalarNode) else None
        if made is None:
            return None
        attempted = fields.flag("attempted")
        retry = fields.entry("retry")
        return Compensation(
            function=made.function,
            attempted=made.attempted if attempted is None else attempted,
            retry=made.retry if retry is None else None if is_null(retry.value) else self.retry(retry.value),
        )

    def _compensation(self, node: ScalarNode) -> Compensation | None:
        if self._names.opaque:
            return Compensation(function=self._names.written(node.text))
        value = self._names.load(node)
        if value is Missing:
            return None
        declared = compensation_of(getattr(value, "__ruvon_compensation__", None))
        if declared is not None:
            return declared
        if not callable(value) or isinstance(value, type):
            self._found.error(
                codes.WRONG_TARGET, f"`{node.text}` is no function", node.span, "name the function that undoes the step"
            )
            return None
        step = getattr(value, "__ruvon_step__", None)
        return Compensation(
            function=getattr(step, "path", None) or canonical_path(value) or self._names.written(node.text)
        )

    def merge(self, fields: Fields) -> Merge:
        """The merge rules of a step; YAML's default prefers the new value."""
        strategy = fields.choice("merge_strategy")
        conflict = fields.choice("merge_conflict_behavior")
        function = fields.node("merge_function_path")
        if strategy == "APPEND":
            message = "no strategy appends to lists: it would do so again whenever a step is repeated"
            help_ = (
                "append in an assignment of its own, `append: {state.items: =item}`, or name a `merge_function_path`"
            )
            self._found.error(codes.BAD_VALUE, message, fields.span_of("merge_strategy"), help_)
        old_wins = strategy == "PRESERVE_EXISTING" and conflict is None
        usual = MergeConflict.PREFER_EXISTING if old_wins else MergeConflict.PREFER_NEW
        return Merge(
            strategy=MergeStrategy.DEEP if strategy == "DEEP" else MergeStrategy.SHALLOW,
            conflict=usual if conflict is None else _CONFLICTS[conflict],
            function=self.function(function) if isinstance(function, ScalarNode) else None,
        )

    def function(self, node: ScalarNode) -> str | None:
        """The path of a function that the engine calls by itself (a merge function)."""
        if self._names.opaque:
            return self._names.written(node.text)
        value = self._names.load(node)
        if value is Missing:
            return None
        if not callable(value) or isinstance(value, type):
            self._found.error(codes.WRONG_TARGET, f"`{node.text}` is no function", node.span, "name a function")
            return None
        step = getattr(value, "__ruvon_step__", None)
        return getattr(step, "path", None) or canonical_path(value) or self._names.written(node.text)

    def duration(self, fields: Fields, name: str, declared: int | None = None) -> int | None:
        """A limit in microseconds: the key's, `null` for none, or the declared one; it must be greater than zero."""
        if fields.is_off(name):
            return None
        amount = fields.duration(name)
        if amount is None:
            return declared
        if amount == 0:
            self._found.error(
                codes.DURATION,
                f"`{name}` is 0, which would never let the step run",
                fields.span_of(name),
                "write a longer time, or `null` for no limit",
            )
            return None
        return amount
