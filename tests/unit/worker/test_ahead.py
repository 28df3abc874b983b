"""How many tasks a message of the broker brings along."""

from hypothesis import given
from hypothesis import strategies as st

from ruvon.implementations.execution._ahead import Ahead

BRIEF_US = 1_000
LONG_US = 2_000_000


def test_brief_tasks_bring_more_along_up_to_the_limit() -> None:
    """Each brief batch about doubles the next one."""
    ahead = Ahead(8)
    seen = [ahead.more]
    for _ in range(5):
        ahead.took(["named", *(f"t{number}" for number in range(ahead.more))], BRIEF_US)
        seen.append(ahead.more)
    assert seen == [0, 1, 3, 7, 7, 7]


def test_a_long_task_leaves_the_others_to_other_processes() -> None:
    """After it a message brings nothing along."""
    ahead = Ahead(8)
    ahead.took(["a"], BRIEF_US)
    ahead.took(["b", "c"], LONG_US)
    assert ahead.more == 0


def test_one_at_a_time_stays_one() -> None:
    """The limit holds for the named task, too."""
    ahead = Ahead(1)
    ahead.took(["a"], BRIEF_US)
    assert ahead.more == 0


def test_the_message_of_a_task_that_was_done_is_let_go_once() -> None:
    """A further message with the same id is looked up; one of the named task is not expected."""
    ahead = Ahead(8)
    ahead.took(["named", "beside"], BRIEF_US)
    assert [ahead.is_done(name) for name in ("named", "beside", "beside")] == [False, True, False]


def test_a_message_is_shared_out_while_tasks_may_be_long() -> None:
    """One is done here; the others go on in two messages, so that each reaches an idle process in a few hops."""
    assert Ahead(8).share(["a", "b", "c", "d"]) == (["a"], [["b", "c"], ["d"]])


def test_all_of_a_message_is_done_here_while_tasks_are_brief() -> None:
    """Nothing is passed on; what was done before is left out."""
    ahead = Ahead(8)
    for _ in range(4):
        ahead.took(["named", "beside"], BRIEF_US)
    assert ahead.share(["a", "beside", "b"]) == (["a", "b"], [])


@given(st.lists(st.text("0123456789abcdef", min_size=1), unique=True), st.integers(1, 40), st.integers(0, 6))
def test_each_task_of_a_message_is_in_exactly_one_place(names: list[str], most: int, brief: int) -> None:
    """However many are done at a time, none is lost and none is doubled; no message is empty."""
    ahead = Ahead(most)
    for _ in range(brief):
        ahead.took(["named"], BRIEF_US)
    own, others = ahead.share(names)
    assert [*own, *(name for part in others for name in part)] == names
    assert len(own) <= ahead.more + 1
    assert all(others)


def test_what_is_remembered_is_bounded() -> None:
    """Messages that never come do not fill the memory; the oldest are forgotten."""
    ahead = Ahead(8)
    ahead.took(["named", "oldest"], BRIEF_US)
    ahead.took(["named", *(f"t{number}" for number in range(10_000))], BRIEF_US)
    assert not ahead.is_done("oldest")
    assert ahead.is_done("t0")
