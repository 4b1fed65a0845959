"""Where options come from, which one wins, and what is said about a wrong one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stathouse.config.load import load
from stathouse.config.options import BackendOptions, HouseConfig
from stathouse.config.sample import toml_value
from stathouse.errors import ConfigError

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a config file and return its path."""

    def file(text: str) -> str:
        path = tmp_path / "stathouse.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return file


def test_nothing_configured_is_the_defaults() -> None:
    assert load(None, {}) == HouseConfig()


def test_each_place_wins_over_the_one_before(write: Write) -> None:
    path = write("[statsd]\nport = 1\nmax_tags = 2\nthreads = 3\n")
    environ = {"STATHOUSE_STATSD_MAX_TAGS": "20", "STATHOUSE_STATSD_THREADS": "30"}
    config = load(path, environ, {"statsd.threads": "40"})
    assert (config.statsd.port, config.statsd.max_tags, config.statsd.threads) == (1, 20, 40)
    assert config.statsd.max_name_bytes == 512


def test_the_environment_names_the_file(write: Write) -> None:
    assert load(None, {"STATHOUSE_CONFIG": write("data = '/srv/stats'")}).data == "/srv/stats"


def test_a_later_list_or_table_replaces_the_earlier_one(write: Write) -> None:
    path = write("[tags]\nhost = 'a'\n[[backends]]\nurl = 'local:'\nname = 'mine'\n")
    config = load(path, {"STATHOUSE_TAGS": "environment=test, shop=eu"}, {"backends": ["null:", "jsonl:/tmp/out"]})
    assert config.tags == {"environment": "test", "shop": "eu"}
    assert config.backends == [BackendOptions(url="null:"), BackendOptions(url="jsonl:/tmp/out")]


def test_every_shape_of_value_from_the_environment() -> None:
    config = load(
        None,
        {
            "STATHOUSE_STATSD_TCP": "off",
            "STATHOUSE_STATSD_RECEIVE_BUFFER_BYTES": "1_048_576",
            "STATHOUSE_STATSD_FLUSH_EVERY_SECONDS": "2.5",
            "STATHOUSE_STATSD_ALLOW": "10.0.0.0/8, 192.168.1.0/24",
            "STATHOUSE_LOG_LEVEL": "debug",
            "STATHOUSE_STATSD_PORT": "",
        },
    )
    assert config.statsd.tcp is False
    assert config.statsd.receive_buffer_bytes == 1_048_576
    assert config.statsd.flush_every_seconds == 2.5
    assert config.statsd.allow == ["10.0.0.0/8", "192.168.1.0/24"]
    assert config.log.level == "debug"
    assert config.statsd.port == 8125  # an empty variable sets nothing


def test_what_kubernetes_and_other_commands_put_into_the_environment_is_no_option() -> None:
    environ = {
        "STATHOUSE_PORT": "tcp://10.0.0.1:8127",
        "STATHOUSE_PORT_8127_TCP_ADDR": "10.0.0.1",
        "STATHOUSE_SERVICE_HOST": "10.0.0.1",
        "STATHOUSE_URL": "http://elsewhere:8127",
        "STATHOUSE_DEBUG": "1",
    }
    assert load(None, environ) == HouseConfig()


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert load(None, {}, {"data": "~/stats"}).data == "/home/ada/stats"


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("[statsd]\nprot = 1", "statsd.prot", "Did you mean `port`?"),
        ("port = 1", "port", "Did you mean `statsd.port`?"),
        ("[stats]\nport = 1", "stats", "Did you mean `statsd`?"),
        ("[log]\nxyzzy = 1", "log.xyzzy", "The options here are `level`, `format`."),
        (
            "[statsd]\nport = 65536",
            "statsd.port",
            "65536 is not allowed; it has to be a whole number from 0 to 65,535.",
        ),
        ("[statsd]\nport = '8125'", "statsd.port", "'8125' is not allowed; it has to be a whole number"),
        ("[statsd]\nport = 1.5", "statsd.port", "a whole number"),
        ("[statsd]\ntcp = 1", "statsd.tcp", "1 is not allowed; it has to be true or false."),
        ("[statsd]\nport = true", "statsd.port", "true is not allowed"),
        ("[statsd]\ndialect = 'graphite'", "statsd.dialect", "one of `dogstatsd`, `statsd`"),
        ("[host]\nevery_seconds = nan", "host.every_seconds", "nan is not allowed"),
        ("[host]\nevery_seconds = inf", "host.every_seconds", "inf is not allowed"),
        ("[archive]\nmemory_limit = 'much'", "archive.memory_limit", "a size, as `256MB`"),
        ("[tags]\nhost = 1", "tags", "names with texts"),
        ("[tags]\n'' = 'x'", "tags", "a tag has no name"),
        ('[tags]\nhost = "a\\u001bb"', "tags.host", "control characters"),
        ("statsd = 1", "statsd", "a table, written under [statsd]"),
        ("backends = ['null:']", "backends", "a table, written under [[backends]]"),
        ("backends = []", "backends", "the list is empty"),
        ("[[backends]]\nname = 'x'", "backends[0]", "`url` is missing"),
        ("[[backends]]\nurl = 'lokal:'", "backends[0].url", "Did you mean local:?"),
        (
            "[[backends]]\nurl = 'null:'\n[[backends]]\nurl = 'null:'",
            "backends[1].name",
            "two backends are named 'null'",
        ),
        ("[series.orders]\nuint = 'ms'", 'series."orders".uint', "Did you mean `unit`?"),
        ("[series]\norders = 'ms'", "series", 'a table, written under [series."NAME"]'),
        ("[statsd]\nallow = ['10.0.0.0/33']", "statsd.allow[0]", "is no network"),
        ("[http]\ntls_cert = '/cert.pem'", "http.tls_key", "`http.tls_cert` needs `http.tls_key` too"),
        ("[[http.tokens]]\nscopes = ['read']", "http.tokens[0]", "neither `file` nor `environment` is set"),
        ("[[http.tokens]]\nfile = 'a'\nenvironment = 'B'", "http.tokens[0]", "are both set"),
        ("[[http.tokens]]\nfile = '/no/such/file'", "http.tokens[0].file", "cannot be read: No such file"),
        ("[[http.tokens]]\nenvironment = 'STATHOUSE_READ'", "http.tokens[0].environment", "holds no token"),
        ("[[http.tokens]]\nenvironment = 'B'\nscopes = ['write']", "http.tokens[0].scopes", "`ingest`"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(write: Write, text: str, where: str, said: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert (caught.value.source, caught.value.where) == (path, where)
    assert said in str(caught.value)


def test_no_toml_is_said_with_its_line(write: Write) -> None:
    path = write("[statsd]\nport = \n")
    with pytest.raises(ConfigError, match=r"is not TOML: .*line 2"):
        load(path, {})


def test_bytes_that_are_no_text_are_said_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "stathouse.toml"
    path.write_bytes(b"data = 'a'\n# \xff\n")
    with pytest.raises(ConfigError, match=r"not UTF-8 \(at line 2\)"):
        load(str(path), {})


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(str(tmp_path / "none.toml"), {})


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"STATHOUSE_STATSD_PROT": "1"},
            "STATHOUSE_STATSD_PROT: no option has this name. Did you mean STATHOUSE_STATSD_PORT?",
        ),
        ({"STATHOUSE_XYZZY": "1"}, "'stathouse sample-config' lists the options"),
        ({"STATHOUSE_STATSD_PORT": "http"}, "STATHOUSE_STATSD_PORT: statsd.port: 'http' is not allowed"),
        ({"STATHOUSE_STATSD_TCP": "perhaps"}, "'perhaps' is not allowed; it has to be true or false"),
        ({"STATHOUSE_TAGS": "host"}, "'host' is no tag. Write key=value."),
        ({"STATHOUSE_HTTP_TOKENS": "abc"}, "no option has this name"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(environ: Mapping[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, environ)
    assert said in str(caught.value)


def test_a_mistake_in_a_flag_names_the_flag() -> None:
    with pytest.raises(ConfigError, match=r"^--statsd-port: statsd\.port: '9e9' is not allowed"):
        load(None, {}, {"statsd.port": "9e9"})


def test_a_variable_with_a_token_is_no_unknown_option(write: Write) -> None:
    path = write("[[http.tokens]]\nenvironment = 'STATHOUSE_READ'\nscopes = ['read', 'ingest']\n")
    config = load(path, {"STATHOUSE_READ": "t" * 43})
    assert config.http.tokens[0].environment == "STATHOUSE_READ"
    assert "t" * 43 not in repr(config)


_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
_SECTIONS = st.sampled_from(["statsd", "http", "host", "archive", "spool", "log", "backends", "series", "tags", "data"])
_KEYS = st.sampled_from(["port", "host", "tokens", "url", "name", "level", "keep_days", "unit"])


@given(tree=st.dictionaries(_SECTIONS, st.dictionaries(_KEYS, _VALUES, max_size=3) | _VALUES, max_size=3))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_file_holds_it_is_a_config_or_a_config_error(tree: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "any.toml"
    text = "".join(f"{key} = {toml_value(value)}\n" for key, value in tree.items())
    path.write_text(text, encoding="utf-8", newline="")
    assert tomllib.loads(text).keys() == tree.keys()
    try:
        config = load(str(path), {})
    except ConfigError as error:
        assert str(error).startswith(str(path))
        assert "is not TOML" not in str(error)
    else:
        assert msgspec.convert(msgspec.to_builtins(config), HouseConfig) == config
