"""The benchmarks of the server still measure something: they speak HTTP themselves, so nothing else notices."""

from benchmarks import server, streams


def test_workflows_over_http_are_measured() -> None:
    """Every request is answered, and every figure is one."""
    figures = server.turn(64)

    assert len(figures) == 7
    assert all(figure > 0 for figure in figures)


def test_open_streams_are_measured() -> None:
    """All of them hear of every workflow, else it would wait until its patience is over."""
    found = streams.measure(10)

    assert found.rows[0].value > 0
    assert all(row.kept for row in found.rows)
