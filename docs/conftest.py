"""What the examples of the pages run with."""

from collections.abc import Iterator

import pytest
import sklearn.ensemble  # noqa: F401 (only what is loaded is limited)
import threadpoolctl


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Libraries of others in one thread: of few events threads wait for each other, longer than they work."""
    with threadpoolctl.threadpool_limits(1):
        yield
