"""AI_INFERENCE steps in the engine, in both forms."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import ProgramError
from ruvon.implementations.inference import (
    CallableInferenceProvider,
    OnnxInferenceProvider,
    RoutedInferenceProvider,
)
from tests.support import service_flows as flows
from tests.support.engine_world import JumpingClock
from tests.support.onnx_models import endless, linear

DOUBLE = linear([[2.0, 0.0], [0.0, 2.0]], [0.0, 1.0])
MODELS = {"double@1": DOUBLE, "endless": endless()}


async def play(flow: Any, data: Mapping[str, Any] | None = None, *, provider: Any = None, **options: Any) -> Any:
    """Run a workflow to its end."""
    builder = WorkflowBuilder(
        plugins=False,
        import_roots=["tests"],
        inference_provider=provider or OnnxInferenceProvider(models=MODELS),
        **options,
    )
    builder.register(flow)
    workflow = await builder.create_workflow(builder.registered_types()[0], data or {})
    await workflow.run()
    await builder.close()
    return workflow


def result_of(flow: Any, **data: Any) -> Any:
    """The result of a workflow that completes."""
    workflow = asyncio.run(play(flow, data))
    assert workflow.status == "COMPLETED", workflow.error
    return workflow.result


def run_yaml(folder: Path, keys: str, *, provider: Any = None, **data: Any) -> Any:
    """A finished YAML workflow with one AI_INFERENCE step."""
    file = folder / "flow.yaml"
    file.write_text(f"""
workflow_type: Ask
initial_state_model: tests.support.service_flows:Order
steps:
  - name: ask
    type: AI_INFERENCE
    output_key: seen
    automate_next: true
{keys}""")
    return asyncio.run(play(file, data, provider=provider))


def test_an_answer_as_a_class() -> None:
    """The model's outputs are validated as the class of `into`."""
    assert result_of(flows.doubled) == flows.Row(y=[[6.0, 3.0]])


def test_transformations_of_the_application_and_a_threshold() -> None:
    """`@pure` functions by path around the model; `positive` says whether the threshold is reached."""
    assert result_of(flows.shaped) == flows.Score(label="big", confidence=3.0, positive=True)


def test_a_body_catches_what_went_wrong() -> None:
    """`InferenceError` is caught as itself, with its fault."""
    assert result_of(flows.caught_model) == "model"


def test_a_default_after_the_last_attempt() -> None:
    """A model that is not there is asked for again, then the default is taken."""
    workflow = asyncio.run(play(flows.default_model, clock=JumpingClock()))
    assert workflow.result == flows.Score(label="?")
    log = asyncio.run(workflow.history())
    assert [entry["kind"] for entry in log if entry["step"] == "infer"] == ["retry", "step"]


def test_an_answer_that_does_not_fit_is_a_failure() -> None:
    """What is no `Score` has the fallback of a failure."""
    assert result_of(flows.unshaped) == "none"


def test_a_timeout_stops_the_model() -> None:
    """The step's timeout takes the default, and the model's thread is free again."""
    provider = OnnxInferenceProvider(models=MODELS, threads=1)
    workflow = asyncio.run(play(flows.slow_model, provider=provider, clock=JumpingClock()))
    assert workflow.result == flows.Score(label="late")


def test_yaml_in_the_documented_words(tmp_path: Path) -> None:
    """Model, version, path, source, transformations and threshold as YAML keys."""
    (tmp_path / "risk.onnx").write_bytes(DOUBLE)
    keys = """
    model_name: risk
    model_version: 1.0.0
    model_path: risk.onnx
    runtime: onnx
    data: {amount: =state.amount, other: 2.5}
    preprocessing: vector
    preprocessing_params: {fields: [amount, other]}
    postprocessing: argmax
    postprocessing_params: {labels: [low, high]}
    threshold: 6
    threshold_key: confidence
"""
    workflow = run_yaml(tmp_path, keys, provider=OnnxInferenceProvider(tmp_path), amount=1)
    assert workflow.status == "COMPLETED", workflow.error
    assert workflow.state.seen == {"index": 1, "confidence": 6.0, "label": "high", "positive": True}


def test_a_state_field_as_source(tmp_path: Path) -> None:
    """`input_source` names a field of the state; a model reads decimals as floats."""
    provider = CallableInferenceProvider({"look": lambda data: {"got": data}})
    workflow = run_yaml(tmp_path, "    model: look\n    input_source: inner\n", provider=provider)
    assert workflow.state.seen == {"got": {"total": 1.5}}


def test_a_function_beside_a_model(tmp_path: Path) -> None:
    """`runtime: custom` and `max_tokens` reach a function of the application."""
    provider = RoutedInferenceProvider(
        {"custom": CallableInferenceProvider({"say": lambda data, max_tokens: {"n": max_tokens}})}
    )
    keys = "    model: say\n    runtime: custom\n    max_tokens: 7\n    data: [1]\n"
    assert run_yaml(tmp_path, keys, provider=provider).state.seen == {"n": 7}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("paging_strategy: shard", "write paging_strategy: none"),
        ("paging_strategy: layer", "write paging_strategy: none"),
        ("max_resident_shards: 2", "says `max_resident_shards`"),
        ("prefetch_shards: 1", "says `prefetch_shards`"),
        ("shard_urls: [a]", "says `shard_urls`"),
        ("shard_size_mb: 120", "says `shard_size_mb`"),
        ("logic_gate_threshold: 0.5", "says `logic_gate_threshold`"),
        ("preprocessing: normalise", "there is flatten, normalize, resize, vector"),
        ("postprocessing: 'tests.support.service_flows:Order'", "no @pure function"),
        ("preprocessing: '=state.label'", "write the name of one"),
    ],
)
def test_what_cannot_run_is_refused_early(tmp_path: Path, keys: str, words: str) -> None:
    """A definition that wants what is not there is refused when it is loaded; nothing is ignored."""
    with pytest.raises(ProgramError) as caught:
        run_yaml(tmp_path, f"    model: m\n    data: [1]\n    {keys}\n")
    assert words in str(caught.value)


def test_a_model_that_is_not_paged(tmp_path: Path) -> None:
    """`paging_strategy: none` is what is done."""
    keys = "    model: double@1\n    data: [[1, 1]]\n    paging_strategy: none\n"
    assert run_yaml(tmp_path, keys).state.seen == {"y": [[2.0, 3.0]]}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("threshold: 1\n    threshold_key: z", "has no number `z`"),
        ("threshold: 1", "has not exactly one number"),
        ("postprocessing: argmax\n    postprocessing_params: {labels: [a]}", "1 labels for 2 numbers"),
        ("postprocessing: argmax\n    postprocessing_params: {odd: 1}", "the postprocessing of double@1 failed"),
        ("preprocessing: normalize\n    preprocessing_params: {std: 0}", "cannot divide by 0"),
        ("model_version: '2'", "its model_version is 2"),
    ],
)
def test_what_fails_in_the_step(tmp_path: Path, keys: str, words: str) -> None:
    """What only the data tells is an `InferenceError` of the step."""
    workflow = run_yaml(tmp_path, f"    model: double@1\n    data: [[1, 1]]\n    {keys}\n")
    assert workflow.status == "FAILED"
    assert words in str(workflow.error)
