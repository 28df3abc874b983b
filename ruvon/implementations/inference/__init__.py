"""Models: ONNX files (extra `inference`), functions of the application, and several of these side by side."""

from ruvon.implementations.inference._callable import CallableInferenceProvider
from ruvon.implementations.inference._onnx import OnnxInferenceProvider
from ruvon.implementations.inference._routed import RoutedInferenceProvider

__all__ = ["CallableInferenceProvider", "OnnxInferenceProvider", "RoutedInferenceProvider"]
