"""The one table of backends."""

from __future__ import annotations

import importlib.util

import pytest

from stathouse.config.backends import BACKENDS, backend_names, open_backend, scheme_of
from stathouse.config.options import ArchiveOptions, BackendOptions
from stathouse.errors import ConfigError
from stathouse.model import Batch, BatchName


def test_every_scheme_names_a_room_that_is_there() -> None:
    for scheme, (module, _) in BACKENDS.items():
        assert importlib.util.find_spec(module) is not None, scheme


@pytest.mark.parametrize(
    ("url", "said"), [("lokal:", "Did you mean local:?"), ("xyzzy://a", "known ones are"), ("", "")]
)
def test_an_unknown_scheme_names_the_known_ones(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scheme_of(url)
    assert said in str(caught.value)
    with pytest.raises(ConfigError):
        open_backend(url, options=ArchiveOptions())


def test_a_backend_is_opened_by_its_url() -> None:
    writer = open_backend("null:", options=ArchiveOptions())
    try:
        name = BatchName(writer="0" * 32, epoch=1, sequence=1)
        assert writer.write(Batch(name=name, table="points", rows=0, body=b"")).keep == 0
    finally:
        writer.close()


def test_each_backend_has_a_name_of_its_own() -> None:
    backends = [
        BackendOptions(url="local:"),
        BackendOptions(url="jsonl:/a"),
        BackendOptions(url="jsonl:/b", name="copy"),
    ]
    assert backend_names(backends) == ("local", "jsonl", "copy")
    with pytest.raises(ConfigError, match=r"backends\[1\].name: two backends are named 'null'"):
        backend_names([BackendOptions(url="null:"), BackendOptions(url="null:")])
