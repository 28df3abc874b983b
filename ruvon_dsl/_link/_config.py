"""The fields of the built-in step types that are no functions: their names in the graph, and the types they want.

Both front ends write exactly these names into `Call.config`, in this order, whatever they are called in the source; the
linker holds each value against its type. `None` as a type takes anything.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["CONFIG_TYPES"]

_FALLBACK: Final[object] = Literal["fail", "skip", "default"]

CONFIG_TYPES: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "HTTP": MappingProxyType(
            {
                "method": str,
                "url": str,
                "headers": dict[str, str],
                "query": None,
                "json": None,
                "body": None,
                "expect": tuple[int, ...],
                "includes": tuple[Literal["status", "headers", "body", "text"], ...],
                "max_bytes": int,
            }
        ),
        "AI_INFERENCE": MappingProxyType(
            {
                "model": str,
                "data": None,
                "model_version": str,
                "model_path": str,
                "runtime": Literal["tflite", "onnx", "custom"],
                "preprocessing": str,
                "preprocessing_params": None,
                "postprocessing": str,
                "postprocessing_params": None,
                "threshold": float,
                "threshold_key": str,
                "fallback_on_error": _FALLBACK,
                "default": None,
                "max_tokens": int,
                "paging_strategy": Literal["none", "shard", "layer"],
                "max_resident_shards": int,
                "prefetch_shards": int,
                "shard_urls": list[str],
                "shard_size_mb": int,
                "logic_gate_threshold": float,
            }
        ),
        "WASM": MappingProxyType(
            {
                "module": str,
                "data": None,
                "entry": str,
                "state_mapping": dict[str, str],
                "fallback_on_error": _FALLBACK,
                "default": None,
            }
        ),
    }
)
"""By step type, the fields in order with their types. `default` is of the result's type."""
