"""The URL of the backend that keeps nothing."""

import pytest

from stathouse.backends import null
from stathouse.errors import ConfigError
from tests.backends.contract import numbered


def test_it_is_durable_at_once_so_that_the_spool_is_trimmed() -> None:
    writer = null.open("null:", None)
    writer.write(numbered(7))
    assert writer.durable_through() == numbered(7).name


@pytest.mark.parametrize("url", ["null:x", "null://host", "null", "memory:"])
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="null:"):
        null.open(url)
