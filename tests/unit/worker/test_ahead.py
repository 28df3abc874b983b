"""How many tasks a message of the broker brings along."""

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


def test_what_is_remembered_is_bounded() -> None:
    """Messages that never come do not fill the memory; the oldest are forgotten."""
    ahead = Ahead(8)
    ahead.took(["named", "oldest"], BRIEF_US)
    ahead.took(["named", *(f"t{number}" for number in range(10_000))], BRIEF_US)
    assert not ahead.is_done("oldest")
    assert ahead.is_done("t0")
