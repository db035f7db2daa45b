"""Work in the background: progress, an end on demand, errors in a sentence."""

import threading

import pytest

from characterize.errors import InvalidValueError
from dashboard import jobs


@pytest.fixture
def key(request):
    yield request.node.name
    jobs.forget(request.node.name)


def test_a_job_says_how_far_it_is_and_keeps_its_result(key):
    half, go = threading.Event(), threading.Event()

    def work(report):
        report(0.5, "half")
        half.set()
        go.wait(10)
        return 7

    job = jobs.begin(key, "seven", work)
    assert half.wait(10)
    assert (job.share, job.text, job.done) == (0.5, "half", False)
    assert jobs.begin(key, "seven", work) is job  # who asks meanwhile watches the same one
    go.set()
    job.wait(10)
    assert (job.result, job.share, job.done, job.error) == (7, 1.0, True, "")
    assert jobs.find(key) is job


def test_a_job_ends_at_the_report_after_it_was_asked_to(key):
    begun, asked = threading.Event(), threading.Event()
    steps = []

    def work(report):
        for step in range(100):
            report(step / 100, "")
            steps.append(step)
            begun.set()
            asked.wait(10)

    job = jobs.begin(key, "long", work)
    begun.wait(10)
    job.stop()
    asked.set()
    job.wait(10)
    assert job.done
    assert job.stopped
    assert steps == [0]


@pytest.mark.parametrize(("error", "said"), [
    (InvalidValueError("The depth is negative."), "The depth is negative."),
    (RuntimeError("out of paper"), "It ended unexpectedly: RuntimeError: out of paper"),
])  # fmt: skip
def test_what_goes_wrong_is_a_sentence(key, error, said):
    def work(_report):
        raise error

    job = jobs.begin(key, "fails", work)
    job.wait(10)
    assert job.error == said
    jobs.forget(key)
    assert jobs.find(key) is None
