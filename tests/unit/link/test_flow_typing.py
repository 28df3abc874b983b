"""Flow typing: the types of variables, narrowing, results and what places expect."""

import pytest

from ruvon.ir import Branch, Call, Graph, Loop, OnFailure, Parallel, Start, StartMode
from tests.unit.link.drafts import (
    at,
    branch,
    call,
    chain,
    codes,
    each,
    findings,
    give,
    graph,
    guard,
    linked,
    node,
    on,
    put,
    race,
    receive,
    sleep,
    when,
    x,
)


def variables(inner: Graph, **header: object) -> dict[str, str]:
    """The variables of a flow that links without errors."""
    result = linked(inner, **header)
    assert result.ok, result.diagnostics
    assert result.definition is not None
    return dict(result.definition.variables)


def test_result_of_a_step_is_what_its_function_says() -> None:
    """A variable has the annotated result type of the step that sets it."""
    assert variables(chain(("a", call("quote", "total", items="state.items")))) == {"total": "Decimal"}


def test_joined_types_are_a_union_in_one_order() -> None:
    """A variable that two paths set differently has the union, whatever the order of the paths."""
    one = graph(node("d", when(("state.paid", "a"), default="b")), node("a", put("v", "1")), node("b", put("v", "'t'")))
    other = graph(
        node("d", when(("state.paid", "a"), default="b")), node("a", put("v", "'t'")), node("b", put("v", "1"))
    )
    assert variables(one) == variables(other) == {"v": "int | str"}


def test_literals_are_not_kept_in_the_type_of_a_variable() -> None:
    """`paid = False` makes a bool, not the literal."""
    assert variables(chain(("a", put("v", "False")), ("b", put("w", "None")))) == {"v": "bool", "w": "None"}


def test_empty_list_takes_the_type_of_what_is_appended() -> None:
    """A list that starts empty is a list of what is appended later."""
    inner = chain(("a", put("v", "[]")), ("b", each_append()))
    assert variables(inner) == {"item": at("Item"), "v": "list[str]"}


def each_append() -> Loop:
    """Appends the sku of every item."""
    from ruvon.ir import AssignOperation

    return each("item", "state.items", chain(("add", put("v", "item.sku", AssignOperation.APPEND))))


def test_declared_type_stands_against_the_value() -> None:
    """A value that does not fit the declared type of its variable is a finding."""
    assert codes(chain(("a", put("v", "'text'"))), variables={"v": "int"}) == ["RV0365"]


def test_union_of_a_race_is_decided_by_class_tests() -> None:
    """After class tests of all winners but one, the fields of the last one can be read."""
    inner = graph(
        node("r", race("won", branch("a", chain(("ack", receive("Ack")))), branch("b", chain(("z", sleep())))), "d"),
        node("d", when(("isinstance(won, Ack)", "t"), default="e")),
        node("t", put("v", "won.who"), "e"),
        node("e", put("w", "1")),
    )
    assert variables(inner)["v"] == "str"


def test_exhaustive_class_tests_leave_no_default_path() -> None:
    """A variable that every member of the union sets is set after the tests of all members."""
    inner = graph(
        node(
            "r",
            race("won", branch("a", chain(("ack", receive("Ack")))), branch("b", chain(("s", receive("Stop"))))),
            "d",
        ),
        node("d", when(("isinstance(won, Ack)", "t"), ("isinstance(won, Stop)", "u"), default="e")),
        node("t", put("v", "won.who"), "e"),
        node("u", put("v", "won.why"), "e"),
        node("e", put("w", "v")),
    )
    assert variables(inner)["w"] == "str"


def test_narrowing_holds_behind_a_condition() -> None:
    """A tested optional may be used as what is left of it."""
    inner = graph(
        node("d", when(("state.owner is not None", "t"), default="e")),
        node("t", put("v", "state.owner.upper()"), "e"),
        node("e", put("w", "1")),
    )
    assert variables(inner)["v"] == "str"


def test_narrowing_of_the_state_is_dropped_after_a_state_call() -> None:
    """A state step may have changed what a condition showed of the state (SEMANTICS 12.2)."""
    inner = graph(
        node("d", when(("state.owner is not None", "t"), default="e")),
        node("t", call("pay", state="state"), "u"),
        node("u", put("v", "state.owner.upper()"), "e"),
        node("e", put("w", "1")),
    )
    assert codes(inner) == ["RV0502"]


def test_narrowing_of_a_variable_survives_a_state_call() -> None:
    """A state step cannot change a variable."""
    inner = graph(
        node("a", call("owner_of", "who", order_id="state.order_id"), "d"),
        node("d", when(("who is not None", "t"), default="e")),
        node("t", call("pay", state="state"), "u"),
        node("u", put("v", "who.upper()"), "e"),
        node("e", put("w", "1")),
    )
    assert variables(inner)["v"] == "str"


def test_assignment_narrows_a_state_field() -> None:
    """A field that was just set is what was assigned."""
    assert variables(chain(("a", put("state.owner", "'me'")), ("b", put("v", "state.owner.upper()"))))["v"] == "str"


def test_optional_result_where_a_value_is_expected() -> None:
    """An argument that may be None is named as such."""
    inner = chain(("a", call("owner_of", "who", order_id="state.order_id")), ("b", call("ship", sku="who")))
    (found,) = findings(inner)
    assert (found.code, "may be None" in found.message) == ("RV0502", True)


def test_argument_of_a_wrong_type() -> None:
    """An argument that does not fit its parameter names both types."""
    (found,) = findings(chain(("b", call("ship", sku="state.items"))))
    assert found.code == "RV0367"
    assert found.message == "the argument `sku` of `ship` must be `str`, and this is `list[Item]`"


def test_unknown_field_of_the_state() -> None:
    """Reading a field that is not there is found with a suggestion."""
    (found,) = findings(chain(("a", put("v", "state.amonut"))))
    assert (found.code, "amount" in found.help) == ("RV0504", True)


def test_assignment_to_an_unknown_field() -> None:
    """Setting a field that is not there is found too."""
    assert codes(chain(("a", put("state.amonut", "1")))) == ["RV0504"]


def test_assignment_of_a_wrong_type_to_a_field() -> None:
    """A field takes values of its type only."""
    assert codes(chain(("a", put("state.status", "'gone'")))) == ["RV0365"]


def test_result_of_a_wrong_type() -> None:
    """A returned value must fit the declared result."""
    assert codes(chain(("r", give("state.order_id"))), result=at("Receipt")) == ["RV0363"]


def test_result_where_none_is_declared() -> None:
    """A workflow that says it gives None returns nothing else."""
    assert codes(chain(("r", give("state.order_id"))), result="None") == ["RV0363"]
    assert codes(chain(("r", give("None"))), result="None") == []


def test_items_of_a_tuple_are_widened_too() -> None:
    """What a variable without a declaration holds is said without literals, also inside containers."""
    assert variables(chain(("a", put("v", "(1, 'a', (True, None))")))) == {"v": "tuple[int, str, tuple[bool, None]]"}


def test_text_is_not_taken_apart() -> None:
    """A text that happens to have the right length is no pair."""
    assert codes(chain(("a", put("(v, w)", "state.order_id")))) == ["RV0365"]


def test_end_without_a_result() -> None:
    """A workflow with a result may not end without one."""
    inner = graph(node("d", when(("state.paid", "r"))), node("r", give("Receipt(order_id='a', total=state.amount)")))
    assert codes(inner, result=at("Receipt")) == ["RV0364"]


def test_result_that_may_be_none_needs_no_return() -> None:
    """A workflow whose result may be None may end without one."""
    assert codes(chain(("a", sleep())), result="str | None") == []


def test_static_branches_give_a_tuple() -> None:
    """The output of a gather of two steps is the tuple of their results."""
    both = Parallel(
        branches=(
            branch("a", chain(("q", call("quote", items="state.items")))),
            branch("b", chain(("o", call("owner_of", order_id="state.order_id")))),
        ),
        output=x("(total, who)"),
    )
    assert variables(chain(("p", both))) == {"total": "Decimal", "who": "str | None"}


def test_mapped_branches_give_a_list() -> None:
    """The output of a mapped gather is a list of the branch's results."""
    mapped = Parallel(
        over=x("state.items"), item=x("item"), body=chain(("s", call("ship", sku="item.sku"))), output=x("done")
    )
    assert variables(chain(("p", mapped))) == {"done": "list[bool]", "item": at("Item")}


def test_collected_failures_give_a_batch() -> None:
    """With partial success the output is a `Batch` of the results."""
    mapped = Parallel(
        over=x("state.items"),
        item=x("item"),
        body=chain(("s", call("ship", sku="item.sku"))),
        on_failure=OnFailure.COLLECT,
        output=x("done"),
    )
    assert variables(graph(node("p", mapped, "a"), node("a", put("n", "len(done.ok)"))))["n"] == "int"


def test_branch_of_several_nodes_gives_what_it_returns() -> None:
    """A nested branch's result is the union of its returned values; without a return it is None."""
    nested = graph(node("q", call("quote", "v", items="state.items"), "r"), node("r", give("v")))
    silent = chain(("s", call("quote", "u", items="state.items")), ("t", sleep()))
    both = Parallel(branches=(branch("a", nested, "one"), branch("b", silent, "two")))
    assert variables(chain(("p", both))) == {"one": "Decimal", "two": "None", "u": "Decimal", "v": "Decimal"}


def test_branch_variables_are_not_seen_after_the_join() -> None:
    """Only outputs leave a branch."""
    nested = chain(("q", call("quote", "v", items="state.items")), ("t", sleep()))
    inner = graph(node("p", Parallel(branches=(branch("a", nested),)), "u"), node("u", put("w", "v")))
    assert codes(inner) == ["RV0302"]


def test_branch_sees_the_outputs_of_those_it_comes_after() -> None:
    """A branch after another one reads that one's output."""
    first = branch("a", chain(("q", call("quote", items="state.items"))), "total")
    second = branch("b", chain(("c", call("charge", state="state", amount="total"))), "paid", after=("a",))
    assert variables(chain(("p", Parallel(branches=(first, second)))))["paid"] == at("Receipt")


def test_collecting_loop_gives_a_list() -> None:
    """A comprehension with await gives a list of its element's type."""
    loop = Loop(
        over=x("state.items"), item=x("i"), body=chain(("s", call("ship", sku="i.sku"))), collect=True, output=x("sent")
    )
    assert variables(chain(("l", loop)))["sent"] == "list[bool]"


def test_started_child_gives_its_result() -> None:
    """An awaited child gives its declared result, a detached one its id."""
    awaited = Start(child="Child", data=x("Ack(who='me')"), result=at("Receipt"), output=x("receipt"))
    detached = Start(child="Child", data=x("Ack(who='me')"), mode=StartMode.DETACH, output=x("key"))
    assert variables(chain(("a", awaited), ("b", detached))) == {"key": "str", "receipt": at("Receipt")}


def test_handler_variable_has_the_union_of_its_classes() -> None:
    """What a handler catches can be read as its class says."""
    body = chain(("c", call("quote", "v", items="state.items")))
    handler = on("builtins:ValueError", chain(("s", put("text", "str(err)"))), "err")
    assert variables(chain(("t", guard(body, handler))))["err"] == "builtins:ValueError"


@pytest.mark.parametrize(("duration", "expected"), [("timedelta(days=1)", []), ("5", ["RV0368"])])
def test_timer_takes_a_duration(duration: str, expected: list[str]) -> None:
    """A sleep's duration is a timedelta."""
    assert codes(chain(("a", sleep(duration)))) == expected


def test_loop_over_what_has_no_items() -> None:
    """A number cannot be looped over."""
    assert codes(chain(("l", each("i", "state.amount", chain(("s", sleep())))))) == ["RV0525"]


def test_unpacking_of_a_wrong_number() -> None:
    """A pair cannot be set from three values."""
    assert codes(chain(("a", put("(v, w)", "(1, 2, 3)")))) == ["RV0365"]


def test_types_that_grow_for_ever_settle() -> None:
    """A variable that is wrapped in a list at each turn does not keep the analysis busy."""
    loop = each("i", "state.items", chain(("w", put("v", "[v]")), ("s", sleep())))
    assert linked(chain(("a", put("v", "1")), ("l", loop))).definition is not None


def test_http_gives_a_response_or_the_class_it_is_read_into() -> None:
    """Without `into` an HTTP call gives the response itself."""
    plain = Call(type="HTTP", config={"method": x("'GET'"), "url": x("'https://x'")}, output=x("r"))
    read = Call(type="HTTP", config={"method": x("'GET'"), "url": x("'https://x'")}, into=at("Ack"), output=x("s"))
    found = variables(chain(("a", plain), ("b", read), ("c", put("n", "r.status"))))
    assert (found["n"], found["s"]) == ("int", at("Ack"))


def test_url_must_be_text() -> None:
    """The fields of a built-in step type have types."""
    wrong = Call(type="HTTP", config={"method": x("'GET'"), "url": x("5")})
    assert codes(chain(("a", wrong))) == ["RV0368"]


def test_result_of_a_named_branch_says_who_won() -> None:
    """`named` wraps the winner's value with its name."""
    inner = graph(
        node(
            "r",
            race(
                "won",
                branch("a", chain(("x1", receive("Ack"))), won=True),
                branch("b", chain(("x2", receive("Ack"))), won=True),
            ),
            "s",
        ),
        node("s", put("v", "won.value.who")),
    )
    assert variables(inner)["v"] == "str"


def test_two_branches_of_one_type_need_names() -> None:
    """Without names nobody can tell which of two equal types won."""
    branches: tuple[Branch, ...] = (
        branch("a", chain(("x1", receive("Ack")))),
        branch("b", chain(("x2", receive("Ack")))),
    )
    assert codes(chain(("r", race("won", *branches)))) == ["RV0450"]
    assert codes(chain(("r", race(None, *branches)))) == []
