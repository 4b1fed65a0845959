"""Every option is declared in full, once."""

from __future__ import annotations

import msgspec

from stathouse.config.fields import by_path, sections
from stathouse.config.options import HouseConfig


def test_every_option_and_section_says_what_it_is_for() -> None:
    for section in sections():
        assert section.description.endswith("."), section.path
        for option in section.options:
            if option.shape != "tables":
                assert option.description.endswith("."), option.path


def test_flags_and_variables_are_unique() -> None:
    options = list(by_path().values())
    assert len({option.flag for option in options}) == len(options)
    assert len({option.variable for option in options}) == len(options)


def test_every_scalar_of_the_config_has_a_flag() -> None:
    tree = msgspec.to_builtins(HouseConfig())
    for section, values in tree.items():
        for path in [f"{section}.{name}" for name in values] if isinstance(values, dict) else [section]:
            assert path in by_path() or path in ("http.tokens", "tags", "series"), path


def test_an_option_knows_its_limits_and_names() -> None:
    port = by_path()["statsd.port"]
    assert (port.flag, port.variable) == ("--statsd-port", "STATHOUSE_STATSD_PORT")
    assert port.allowed == "a whole number from 0 to 65,535"
    assert by_path()["statsd.idle_seconds"].allowed == "a number above 0 up to 86,400"
    assert by_path()["log.format"].choices == ("json", "text")
    assert "http.tokens.file" not in by_path()


def test_the_schema_is_a_closed_json_schema() -> None:
    schema = msgspec.json.schema(HouseConfig)
    statsd = schema["$defs"]["StatsdOptions"]
    assert statsd["additionalProperties"] is False
    assert statsd["properties"]["port"]["maximum"] == 65535
    assert statsd["properties"]["port"]["description"].startswith("Port of")
