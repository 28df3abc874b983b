"""The documented features of the engine's areas: what each says, and the tests that prove it here and now.

The ids are those of the checklist of documented features; the texts are in our own words. A feature that no test proves
yet names the milestone that it belongs to, and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["FEATURES", "Feature", "Later", "Proven"]


@dataclass(frozen=True)
class Proven:
    """A feature that works."""

    text: str
    tests: tuple[str, ...]
    """Files with the name of a test in each, as pytest writes them, without parameters; `tests/` is left out."""


@dataclass(frozen=True)
class Later:
    """A feature of a later milestone, or one that was ruled out."""

    text: str
    milestone: str
    reason: str


Feature = Proven | Later


def _by(text: str, *tests: str) -> Proven:
    return Proven(text, tests)


_BY_HAND = "unit/engine/test_by_hand.py::test_"
_FLOW = "unit/engine/test_control_flow.py::test_"
_ROLL = "unit/engine/test_rollback.py::test_"
_WAITS = "unit/engine/test_waits.py::test_"
_MORE = "unit/engine/test_more.py::test_"
_OBSERVE = "features/test_observers.py::test_"
_RETRY = "features/test_retryable.py::test_"
_HERE = "features/test_engine.py::test_"
_YAML = "unit/yaml_front_end/test_lowering.py::test_"
_STATE = "unit/values/test_state.py::test_"
_HTTP = "integration/http/test_steps.py::test_"
_CONTRACT = "contract/test_sqlite_persistence.py::TestSQLiteFile::test_"

_WORKERS = "workers and distributed execution"
_TRACED = "unit/observability/test_otel.py::test_"
_WORKER = "unit/worker/test_worker.py::test_"
_ZOMBIE = "unit/worker/test_zombies.py::test_"
_CELERY = "acceptance/test_celery.py::test_"
_BRIDGE = "unit/test_bridge.py::test_"
_SYNC = "contract/test_execution.py::TestSync::test_"
_THREADS = "contract/test_execution.py::TestThreadPool::test_"
_BY_POSTGRES = "contract/test_execution_workers.py::TestPostgresExecutor::test_"
_BY_CELERY = "contract/test_execution_workers.py::TestCeleryWithRedis::test_"
_SERVER = "server and control plane"
_EDGE = "edge agent"

STEP_TYPES: Final[Mapping[str, Feature]] = {
    "S1-023": _by(
        "STANDARD, ASYNC and DECISION are step types; an unknown one gets a suggestion",
        _YAML + "a_step_without_type_is_standard",
        _YAML + "unknown_custom_type_gets_a_suggestion",
    ),
    "S1-024": _by("new step types can be added", _BY_HAND + "a_custom_step_type_has_fields_and_executes"),
    "S1-025": _by(
        "a custom step is a typed model; a wrong field is refused",
        "unit/models/test_models.py::test_a_custom_step_type_has_typed_fields",
        _YAML + "custom_type_refuses_unknown_fields",
    ),
    "S1-026": _by(
        "a custom type runs its own code around the function", _BY_HAND + "a_custom_step_type_has_fields_and_executes"
    ),
    "S1-027": _by("RETRYABLE has the documented defaults", _RETRY + "defaults_are_the_documented_ones"),
    "S1-028": _by("RETRYABLE makes max_retries + 1 attempts", _RETRY + "it_makes_one_attempt_more_than_retries"),
    "S1-029": _by("its waits are multiplied each time", _RETRY + "waits_grow_by_the_factor"),
    "S1-030": _by("its waits hold up nobody else", _RETRY + "a_hundred_wait_at_once"),
    "S1-031": _by("it repeats the listed classes of errors only", _RETRY + "only_listed_classes_are_repeated"),
    "S1-032": _by(
        "count and last error are known to the step, and reset by a success",
        _RETRY + "the_step_sees_count_and_last_error",
    ),
    "S1-033": _by("each retry is a WARNING in the execution log", _RETRY + "waits_grow_by_the_factor"),
    "S1-034": _by(
        "the last failure names the count and the last error", _RETRY + "it_makes_one_attempt_more_than_retries"
    ),
    "S1-035": _by(
        "the documented example of RETRYABLE loads and runs", _RETRY + "the_example_of_the_document_loads_and_runs"
    ),
    "S2-075": _by(
        "templates feed HTTP steps",
        _HTTP + "every_key_of_yaml_runs",
        "unit/yaml_front_end/test_golden.py::test_construct",
    ),
    "S2-077": _by(
        "every named kind of step runs", "simulation/test_crashes.py::test_without_faults_it_ends_as_it_says"
    ),
    "S4-062": _by("HTTP steps do not block each other", _HTTP + "a_hundred_at_once"),
}


OBSERVERS: Final[Mapping[str, Feature]] = {
    "S1-036": _by(
        "a plain class with the hooks it wants is an observer", _OBSERVE + "a_class_with_one_hook_is_an_observer"
    ),
    "S1-037": _by("started: id, type, initial state", _OBSERVE + "started_tells_id_type_and_initial_state"),
    "S1-038": _by("step executed: id, step, result, time", _OBSERVE + "step_executed_tells_step_result_and_duration"),
    "S1-039": _by(
        "completed: id, final state, total time", _OBSERVE + "completed_tells_final_state_and_total_time_once"
    ),
    "S1-040": _by("failed: id, error, step", _OBSERVE + "failed_tells_error_and_step_once"),
    "S1-041": _by("status changes are a walk of the table", _OBSERVE + "status_changes_are_a_walk_of_the_status_table"),
    "S1-042": _by("a tracing observer", _TRACED + "a_workflow_is_one_trace"),
    "S1-043": _by("the service's name is a resource", _TRACED + "the_resource_names_the_service"),
    "S1-044": _by("exporters can be chosen", _TRACED + "the_resource_names_the_service"),
    "S1-045": _by("a span for each workflow", _TRACED + "a_workflow_is_one_trace"),
    "S1-046": _by("a child span for each step", _TRACED + "a_workflow_is_one_trace"),
    "S1-047": _by("completion ends the span", _TRACED + "completion_ends_the_root"),
    "S1-048": _by("failure ends the span", _TRACED + "failure_marks_the_root"),
    "S1-049": _by("status changes are span events", _TRACED + "completion_ends_the_root"),
    "S1-050": _by("no open spans are left", _TRACED + "no_workflow_stays_open"),
    "S2-046": _by("the base class has a no-op for every hook", _OBSERVE + "a_subclass_overrides_what_it_wants"),
    "S2-047": _by("inheriting and duck-typed observers both work", _OBSERVE + "a_subclass_overrides_what_it_wants"),
    "S2-048": _by("on_workflow_started(id, type)", _OBSERVE + "started_tells_id_type_and_initial_state"),
    "S2-049": _by("on_step_executed with an optional time", _OBSERVE + "step_executed_tells_step_result_and_duration"),
    "S2-050": _by(
        "the time is the worker's where a worker measures it, and nothing is told of a step that is only dispatched",
        _WORKER + "observers_are_told_of_a_queued_step_when_its_result_is_recorded",
    ),
    "S2-051": _by("on_workflow_completed once", _OBSERVE + "completed_tells_final_state_and_total_time_once"),
    "S2-052": _by("on_workflow_failed once", _OBSERVE + "failed_tells_error_and_step_once"),
    "S2-053": _by(
        "on_workflow_status_changed(id, old, new)", _OBSERVE + "status_changes_are_a_walk_of_the_status_table"
    ),
    "S2-054": _by("on_workflow_paused(id, step, reason)", _OBSERVE + "paused_tells_the_step_and_why"),
    "S2-055": _by("on_workflow_resumed(id, step, data)", _OBSERVE + "resumed_tells_what_arrived"),
    "S2-056": _by("on_compensation_started in reverse order", _OBSERVE + "compensations_are_told_in_reverse"),
    "S2-057": _by(
        "on_compensation_completed, also after a failure", _OBSERVE + "a_compensation_that_fails_is_told_too"
    ),
    "S2-058": _by("on_child_workflow_started(parent, child, type)", _OBSERVE + "a_child_is_told_with_its_parent"),
    "S2-059": _by("an observer that raises harms nothing", _OBSERVE + "an_observer_that_raises_harms_nothing"),
    "S2-060": _by("a tracing observer with parent and child spans", _TRACED + "a_workflow_is_one_trace"),
    "S2-061": _by("the global tracer where none is given", _TRACED + "the_global_provider_is_used_where_none_is_given"),
    "S2-062": _by("an extra for tracing", "unit/observability/test_configured.py::test_each_observer_has_its_extra"),
    "S2-063": _by("tracing does nothing where its package is missing", _TRACED + "without_the_package_nothing_happens"),
    "S2-065": _by("events in Redis streams", "unit/observability/test_events.py::test_every_event_is_an_entry"),
    "S2-064": _by(
        "the logging observer writes structured lines", _OBSERVE + "the_logging_observer_writes_one_json_object_a_line"
    ),
    "S2-066": _by("the no-op observer is the default", _OBSERVE + "nobody_listens_by_default"),
}

SAGA: Final[Mapping[str, Feature]] = {
    "S1-067": _by(
        "a compensation makes a step one that can be undone",
        _YAML + "compensation_inherits_and_switches_off",
        _ROLL + "completed_steps_are_undone_in_reverse",
    ),
    "S2-068": _by("a failure sets the compensations off", _ROLL + "completed_steps_are_undone_in_reverse"),
    "S3-049": _by(
        "compensation instead of two-phase commit",
        "differential/test_undoing.py::test_branches_that_are_stopped_are_undone_too",
        _ROLL + "a_saga_scope_undoes_only_its_inside",
    ),
    "S3-050": _by(
        "it works with systems that know nothing of it", "examples/test_examples.py::test_a_path_ends_as_promised"
    ),
    "S3-051": _by(
        "compensations are the application's own functions",
        "unit/authoring/test_local_saga.py::test_a_compensation_sees_the_current_state_and_its_writes_merge",
    ),
    "S3-052": _by(
        "a rollback survives crashes and says what it could not undo",
        _ROLL + "a_failing_compensation_is_recorded_and_the_others_go_on",
        "simulation/test_crashes.py::test_every_single_fault_on_a_file",
    ),
    "S3-053": _by(
        "flight, hotel, payment: undone in reverse, each once", _ROLL + "completed_steps_are_undone_in_reverse"
    ),
    "S4-027": _by("compensation belongs to the engine", _ROLL + "completion_order_is_total_over_branches_and_turns"),
    "S5-011": Later("the same rollback for one device and for 10,000", _EDGE, "there are no devices yet"),
    "S5-021": Later("a rollout that fails is withdrawn", _SERVER, "there are no rollouts yet"),
}

VERSIONING: Final[Mapping[str, Feature]] = {
    "S3-028": _by("a run keeps the definition that it began with", _HERE + "two_versions_live_side_by_side"),
    "S3-029": _by(
        "later changes do not touch it",
        _BY_HAND + "a_running_instance_keeps_its_definition",
        _HERE + "two_versions_live_side_by_side",
    ),
    "S3-030": _by("old runs drain while new ones take the new version", _HERE + "two_versions_live_side_by_side"),
    "S3-031": _by("a run that stands at a removed step ends on it", _HERE + "two_versions_live_side_by_side"),
    "S3-032": _by("the definition costs a run next to nothing", _HERE + "a_definition_is_stored_once_for_all_its_runs"),
    "S5-013": Later("the same protection in every role", _EDGE, "only one role exists; each store is proven"),
}


def _on_all(text: str, test: str) -> Proven:
    """Proven by the contract on every executor."""
    return _by(text, *(executor + test for executor in (_SYNC, _THREADS, _BY_POSTGRES, _BY_CELERY)))


def _on_background(text: str, test: str) -> Proven:
    """Proven by the contract where functions run beside their caller."""
    return _by(text, *(executor + test for executor in (_THREADS, _BY_POSTGRES, _BY_CELERY)))


_TRAVELS = "the_execution_context_travels_to_where_the_body_runs"
_SAME = "a_workflow_of_queued_steps_ends_the_same_everywhere"

EXECUTION: Final[Mapping[str, Feature]] = {
    "S2-033": _on_all("the execution context travels", _TRAVELS),
    "S2-034": _on_all("both kinds of dispatch take one", _TRAVELS),
    "S2-035": _on_all("dispatch_async_task", "a_dispatched_function_runs_and_is_done"),
    "S2-036": _on_all("dispatch_parallel_tasks keeps the order", "parallel_tasks_give_their_results_in_order"),
    "S2-037": _on_all("dispatch_sub_workflow", "a_sub_workflow_has_owner_region_and_parent"),
    "S2-038": _on_all("a parent hears of each end", "a_parent_leaves_its_wait_on_each_end_of_its_child"),
    "S2-039": _on_all("execute_sync_step_function", "a_step_function_is_called_and_its_result_is_a_dict"),
    "S2-040": _on_background("every status", "pending_and_running_are_told_apart_and_what_is_pending_can_be_cancelled"),
    "S2-041": _on_background("cancel_task", "pending_and_running_are_told_apart_and_what_is_pending_can_be_cancelled"),
    "S2-042": _by("SyncExecutionProvider", _SYNC + _SAME),
    "S2-043": _by("threads really overlap", _THREADS + "two_functions_really_overlap"),
    "S2-044": _by(
        "Celery, with a real broker",
        _BY_CELERY + _SAME,
        _CELERY + "the_death_of_a_worker_loses_nothing_and_repeats_nothing_under_another_key",
    ),
    "S2-045": _by("PostgreSQL is the queue", _BY_POSTGRES + _SAME),
    "S4-007": _by("Celery workers over PostgreSQL and Redis", _CELERY + "the_example_of_the_cloud_runs_as_written"),
    "S4-008": _by(
        "more workers take from one queue, none of them what another one has",
        "acceptance/test_workers.py::test_killed_workers_lose_nothing_and_record_nothing_twice",
        _CONTRACT + "a_thousand_tasks_are_claimed_once_each",
    ),
    "S4-032": _on_all("sync, thread pool, PostgreSQL, Celery", "it_satisfies_the_protocol"),
    "S4-033": _by(
        "dispatch, parallel, children, their reports, cancelling",
        *(
            _BY_POSTGRES + test
            for test in (
                "a_dispatched_function_runs_and_is_done",
                "parallel_tasks_give_their_results_in_order",
                "a_sub_workflow_has_owner_region_and_parent",
                "a_parent_leaves_its_wait_on_each_end_of_its_child",
                "pending_and_running_are_told_apart_and_what_is_pending_can_be_cancelled",
            )
        ),
    ),
    "S4-034": _on_all("only the configuration differs", _SAME),
    "S4-050": _by(
        "one loop in a daemon thread",
        _BRIDGE + "coroutines_of_many_threads_run_on_one_loop_in_a_daemon_thread",
        _BRIDGE + "a_time_out_raises_and_cancels_the_coroutine",
        _BRIDGE + "on_the_loop_itself_it_raises_instead_of_waiting_for_itself",
    ),
}

ZOMBIES: Final[Mapping[str, Feature]] = {
    "S2-015": _by("a heartbeat is written and moved on", _CONTRACT + "old_heartbeats_are_found"),
    "S2-016": _by("stale heartbeats are found, fresh ones are not", _CONTRACT + "old_heartbeats_are_found"),
    "S3-033": _by(
        "workers give signs of life, and what a dead one held is found",
        "acceptance/test_workers.py::test_killed_workers_lose_nothing_and_record_nothing_twice",
        _ZOMBIE + "an_expired_lease_is_queued_again_within_the_crash_budget",
        _ZOMBIE + "a_stale_heartbeat_hands_its_workflow_over",
    ),
    "S3-034": _by("a heartbeat manager with an interval", _ZOMBIE + "a_step_that_blocks_the_loop_still_beats"),
    "S3-035": _by(
        "a crash is noticed within 60 seconds", _ZOMBIE + "with_default_settings_a_death_is_noticed_within_a_minute"
    ),
    "S3-036": _by("long steps are no zombies", _ZOMBIE + "a_step_that_blocks_the_loop_still_beats"),
    "S3-037": _by("a step that blocks still beats", _ZOMBIE + "a_body_that_blocks_the_loop_keeps_its_lease"),
    "S3-039": _by("what heartbeats cost", _ZOMBIE + "signs_of_life_cost_two_writes_in_ten_seconds"),
    "S3-038": _by(
        "a kill in the middle of a step is recovered from",
        "acceptance/test_kill.py::test_a_run_survives_being_killed_again_and_again",
    ),
    "S5-012": Later("the same detection in every role", _WORKERS, "there are no devices and no control plane yet"),
}

ENGINE: Final[Mapping[str, Feature]] = {
    "S1-051": _by("a builder takes a folder and lists its types", _HERE + "a_builder_lists_the_types_of_its_folder"),
    "S1-062": _by(
        "step functions take state and context, and give a dict; sync or async",
        _FLOW + "steps_run_in_order_and_merge",
        _BY_HAND + "a_function_that_wants_a_dict_gets_one",
    ),
    "S1-063": _by("the state is the typed model", _STATE + "a_view_passes_for_an_instance"),
    "S1-064": _by(
        "the context knows the workflow",
        "unit/models/test_models.py::test_a_context_made_by_hand_has_what_it_was_given",
    ),
    "S1-065": _by("the documented keys of YAML", "unit/yaml_front_end/test_golden.py::test_construct"),
    "S1-066": _by(
        "`automate_next` runs the next step too",
        _YAML + "automate_next_of_the_file",
        _WAITS + "manual_steps_run_one_at_a_time",
    ),
    "S2-067": _by(
        "a human step pauses, and goes on after a restart",
        _BY_HAND + "a_pause_waits_for_an_answer_that_the_next_step_takes",
        "simulation/test_saved_runs.py::test_a_saved_run_is_finished",
    ),
    "S2-069": _by("the evaluator gives a bool", _HERE + "the_evaluator_gives_a_bool"),
    "S2-070": _by(
        "the documented condition",
        _HERE + "the_evaluator_gives_a_bool",
        "unit/expr/test_compile.py::test_the_documented_condition",
    ),
    "S2-071": _by(
        "one grammar for decisions and injection",
        "unit/expr/test_against_python.py::test_value_type_and_error_are_those_of_cpython",
        _YAML + "injection_is_a_decision",
    ),
    "S2-072": _by(
        "the evaluator reads data and cannot get out", "unit/expr/test_escapes.py::test_hostile_text_is_refused_in_time"
    ),
    "S2-073": _by("a template engine gives text", _HERE + "the_greeting_of_the_document"),
    "S2-074": _by("`Hello Alice!`", _HERE + "the_greeting_of_the_document"),
    "S2-076": _by(
        "templates are sandboxed",
        _HERE + "templates_do_not_get_out",
        "attack/test_templates.py::test_what_grows_is_refused_before_it_is_built",
    ),
    "S3-007": _by("a library without effects at import", "unit/test_public_names.py::test_import_ruvon_is_lean"),
    "S3-008": Later(
        "a number of lines", "ruled out", "the size is no target; modules and functions have limits of their own"
    ),
    "S3-009": _by("only what is needed is loaded", "unit/test_house_rules.py::test_imports_are_light"),
    "S3-010": _by("nothing runs between calls", _WAITS + "manual_steps_run_one_at_a_time"),
    "S3-011": _by("what is not done for the application is said", "docs/test_docs.py::test_every_page_is_reached"),
    "S3-012": _by("the example of the builder runs", "examples/test_examples.py::test_a_path_ends_as_promised"),
    "S3-013": _by("structure in YAML, logic in Python", _YAML + "list_order_can_be_changed_in_yaml_alone"),
    "S3-014": _by(
        "what the tools write has a stable order",
        "unit/printing/test_golden.py::test_a_program_prints_as_it_is_read",
        "roundtrip/test_generated.py::test_python_to_yaml_and_back",
    ),
    "S3-015": _by(
        "findings have a place, a reason and a help",
        "cli/test_definitions.py::test_a_file_with_mistakes_fails_with_findings",
    ),
    "S3-016": _by("a JSON Schema for editors", "unit/yaml_front_end/test_json_schema.py::test_files_that_compile_fit"),
    "S3-017": _by("the documented two-step file", "unit/yaml_front_end/test_golden.py::test_construct"),
    "S3-018": _by("a step without type is STANDARD", _YAML + "a_step_without_type_is_standard"),
    "S3-020": _by(
        "workflows change without code",
        _YAML + "list_order_can_be_changed_in_yaml_alone",
        "unit/link/test_registries.py::test_a_registry_is_seen_anew",
    ),
    "S3-023": _by(
        "coroutines and plain functions",
        _MORE + "blocking_bodies_run_in_a_thread",
        _FLOW + "steps_run_in_order_and_merge",
    ),
    "S3-024": _by(
        "initial data of a wrong type is refused",
        _BY_HAND + "initial_data_that_does_not_fit_names_the_field_and_stores_nothing",
    ),
    "S3-025": _by(
        "the model's own validators run",
        _STATE + "model_validators_run_on_the_write_set",
        _FLOW + "a_result_that_does_not_fit_fails_the_step",
    ),
    "S3-026": _by(
        "values come back as they were", "unit/values/test_codec.py::test_every_storable_value_comes_back_exactly"
    ),
    "S3-027": _by("the state has a JSON Schema", "cli/test_definitions.py::test_schema"),
    "S3-061": _by(
        "steps run in the order of the list",
        "unit/yaml_front_end/test_dependencies.py::test_a_plain_list_is_a_chain",
        _FLOW + "steps_run_in_order_and_merge",
    ),
    "S3-062": _by(
        "dependencies are kept; an unknown one and a cycle are refused",
        "unit/yaml_front_end/test_dependencies.py::test_the_partial_order_is_kept",
        "unit/yaml_front_end/test_golden.py::test_wrong_file_has_errors",
    ),
    "S3-063": _by(
        "what depends on the same runs together",
        "unit/yaml_front_end/test_dependencies.py::test_cuts_are_nodes_of_the_graph",
        _FLOW + "a_branch_sees_what_it_comes_after",
    ),
    "S3-064": _by("a simple workflow is short", _YAML + "a_step_without_type_is_standard"),
    "S4-001": _by("layers", _HERE + "the_layers_hold"),
    "S4-002": Later("three roles on one runtime", _SERVER, "only the library and the command line exist"),
    "S4-016": _by("API, engine, persistence, execution are apart", _HERE + "the_layers_hold"),
    "S4-022": _by("documented import paths", _HERE + "documented_import_paths_work"),
    "S4-023": _by(
        "create, start, pause, resume, cancel",
        _HERE + "the_life_cycle_and_what_is_illegal_in_it",
        "unit/models/test_models.py::test_an_end_is_left_only_to_be_undone_or_to_go_on",
    ),
    "S4-024": _by(
        "jumps, loops, branches",
        _BY_HAND + "a_jump_goes_on_at_its_target_with_a_new_visit",
        _FLOW + "loops_break_continue_and_else",
        _FLOW + "a_decision_takes_the_first_true_route",
    ),
    "S4-025": _by(
        "merging",
        _BY_HAND + "merge_conflicts_of_one_result",
        "differential/test_joins.py::test_deep_merges_what_each_branch_changed",
    ),
    "S4-026": _by(
        "children: result, failure, pause",
        _ROLL + "a_child_gives_its_result_or_its_own_error",
        _ROLL + "an_uncaught_error_of_a_child_has_its_own_status",
        "cli/test_runs.py::test_a_child_that_waits_is_pointed_at",
    ),
    "S4-028": _by("the engine knows no driver", _HERE + "the_layers_hold"),
    "S4-035": _by("next_step finds the step", _WAITS + "manual_steps_run_one_at_a_time"),
    "S4-036": _by("input is checked before anything runs", _WAITS + "an_answer_that_does_not_fit_changes_nothing"),
    "S4-037": _by("bodies run through the execution provider", _MORE + "blocking_bodies_run_in_a_thread"),
    "S4-038": _by("results merge", _FLOW + "steps_run_in_order_and_merge"),
    "S4-039": _by("one durable write a step", _MORE + "exactly_one_commit_a_step"),
    "S4-040": _by("observers see what is stored", _BY_HAND + "observers_are_told_after_the_commit_and_cannot_harm"),
    "S4-041": _by(
        "the result goes to the caller",
        "unit/models/test_models.py::test_a_step_result_unpacks",
        _WAITS + "manual_steps_run_one_at_a_time",
    ),
    "S4-047": _by(
        "all state can be stored",
        _STATE + "what_cannot_be_stored_is_named",
        "unit/values/test_codec.py::test_what_cannot_be_stored_is_named_with_its_path",
    ),
    "S5-004": _by("providers to the builder's constructor", _HERE + "a_builder_lists_the_types_of_its_folder"),
    "S5-005": _by("the device's example", _HERE + "the_device_example_runs_as_written"),
    "S5-006": _by("the cloud's example", _CELERY + "the_example_of_the_cloud_runs_as_written"),
    "S5-007": _by("one definition on every store", _HERE + "one_definition_runs_on_every_store_that_there_is"),
    "S5-008": Later(
        "everything is the same in all roles", _SERVER, "only one role exists; both stores run the same suites"
    ),
    "S5-032": _by(
        "errors are handled without work-arounds",
        "simulation/test_crashes.py::test_every_single_fault_on_memory",
        "simulation/test_mutants.py::test_a_broken_engine_is_caught",
    ),
}

COMMANDS: Final[Mapping[str, Feature]] = {
    "S3-019": _by("drawn without running", "cli/test_definitions.py::test_validate_draws_without_running"),
    "S3-054": Later("a command line and a REST server", _SERVER, "only the command line exists"),
    "S3-055": _by(
        "made for scripts: exit codes, JSON, nobody asked",
        "cli/test_mistakes.py::test_random_arguments_never_give_a_traceback",
        "cli/test_look.py::test_the_keys_of_a_listed_run_are_documented",
    ),
    "S3-056": _by("list --status ACTIVE", "cli/test_look.py::test_list_by_status"),
    "S3-057": _by("retry --from-step", "cli/test_runs.py::test_retry_from_a_step"),
    "S4-018": _by("the core runs without the command line", "unit/test_public_names.py::test_import_ruvon_is_lean"),
}

FEATURES: Final[Mapping[str, Feature]] = {
    **STEP_TYPES,
    **OBSERVERS,
    **SAGA,
    **VERSIONING,
    **ZOMBIES,
    **EXECUTION,
    **ENGINE,
    **COMMANDS,
}
