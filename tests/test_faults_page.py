"""docs/nothing-lost.md shows every kind of fault, and counts that add up."""

from tests.fault_tally import FAULTS, MARKS, PAGE, markdown, written


def test_the_page_shows_every_fault_that_is_tried():
    counts = written()
    assert list(counts) == list(FAULTS), "WRITE_FAULTS=1 .venv/bin/python -m pytest tests/test_faults_*.py writes it"
    assert all(counts.values())
    table = PAGE.read_text().partition(MARKS[0])[2].partition(MARKS[1])[0]
    assert table == markdown(counts)


def test_enough_kills_are_tried():
    assert sum(count for fault, count in written().items() if fault.startswith("SIGKILL")) >= 100
