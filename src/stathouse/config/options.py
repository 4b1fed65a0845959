"""Every option of the house, once: its type, limits, default and meaning.

The command line, the environment, the sample config, the JSON Schema and the reference page follow from these
structs (:mod:`stathouse.config.fields` reads them), so a new option is one field here.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

__all__ = [
    "ArchiveOptions",
    "BackendOptions",
    "HostOptions",
    "HouseConfig",
    "HttpOptions",
    "LogOptions",
    "Scope",
    "SeriesOptions",
    "SpoolOptions",
    "StatsdOptions",
    "TokenOptions",
]

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_GIB: Final = 1024 * _MIB

Scope = Literal["read", "ingest", "admin"]
"""What a token may do: ask questions, send data, or change the house."""


class StatsdOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The statsd door: lines by UDP, TCP and a Unix datagram socket.

    What comes in here is counted, not acknowledged: a line may be lost, and then it is counted with a reason.
    """

    host: Annotated[str, Meta(min_length=1, description="Address of the UDP and TCP sockets.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="Port of the UDP and TCP sockets; 0 lets the system choose a free one.")
    ] = 8125
    tcp: Annotated[bool, Meta(description="Listen on TCP too, at the same address.")] = True
    unix: Annotated[
        bool, Meta(description="Listen on the Unix datagram socket `statsd.sock` in the runtime folder.")
    ] = True
    dialect: Annotated[
        Literal["statsd", "dogstatsd"],
        Meta(description="What a signed gauge means: a change in `statsd`, the value itself in `dogstatsd`."),
    ] = "statsd"
    allow: Annotated[
        list[str],
        Meta(
            description="Networks that may send here. Needed when `host` is not a loopback address.",
            examples=[["10.0.0.0/8", "2001:db8::/32"]],
        ),
    ] = []
    flush_every_seconds: Annotated[
        float, Meta(ge=0.1, le=3600, description="Length of an interval; the rows of an interval are kept at its end.")
    ] = 10.0
    max_series: Annotated[
        int, Meta(ge=1, le=100_000_000, description="Live series in all; what is over goes to an overflow series.")
    ] = 100_000
    max_series_per_name: Annotated[
        int, Meta(ge=1, le=100_000_000, description="Live series (combinations of tags) of one name.")
    ] = 2_000
    max_name_bytes: Annotated[int, Meta(ge=1, le=4096, description="Longest name of a series.")] = 512
    max_line_bytes: Annotated[int, Meta(ge=64, le=65_535, description="Longest line.")] = 8_192
    max_tags: Annotated[int, Meta(ge=0, le=256, description="Most tags of one sample.")] = 32
    gauge_ttl_seconds: Annotated[
        float, Meta(ge=0, le=31_536_000, description="How long a gauge keeps its value when nothing comes for it.")
    ] = 300.0
    series_ttl_seconds: Annotated[
        float, Meta(ge=0, le=31_536_000, description="When a series without samples stops being live.")
    ] = 600.0
    threads: Annotated[int, Meta(ge=1, le=64, description="Threads that read datagrams from each socket.")] = 1
    receive_buffer_bytes: Annotated[
        int,
        Meta(
            ge=4 * _KIB,
            le=_GIB,
            description="Receive buffer; the kernel caps it at `net.core.rmem_max` (see `stathouse doctor`).",
        ),
    ] = 8 * _MIB
    wait_micros: Annotated[
        int,
        Meta(ge=0, le=100_000, description="Wait after a datagram, so that one wake-up serves many; microseconds."),
    ] = 1_000
    max_connections: Annotated[int, Meta(ge=1, le=65_535, description="TCP connections in all.")] = 256
    max_connections_per_peer: Annotated[int, Meta(ge=1, le=65_535, description="TCP connections of one address.")] = 32
    idle_seconds: Annotated[
        float, Meta(gt=0, le=86_400, description="A TCP connection that sends nothing for so long is closed.")
    ] = 300.0


class TokenOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token that opens the HTTP door. The token itself stands in a file or in an environment variable, never here."""

    file: Annotated[
        str,
        Meta(
            description="File with the token in its first line; only its owner may read it (`chmod 600`).",
            examples=["/etc/stathouse/read.token"],
        ),
    ] = ""
    environment: Annotated[str, Meta(description="Name of the environment variable that holds the token.")] = ""
    scopes: Annotated[
        list[Scope], Meta(min_length=1, description="What the token may do: `read`, `ingest`, `admin`.")
    ] = msgspec.field(default_factory=lambda: ["read"])


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP door: the page, the API, and durable ingest."""

    host: Annotated[str, Meta(min_length=1, description="Address of the page and the API.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="Port of the page and the API; 0 lets the system choose a free one.")
    ] = 8127
    allowed_hosts: Annotated[
        list[str],
        Meta(
            description="Names, besides the loopback ones, under which the house may be asked (the Host header).",
            examples=[["stats.example.org"]],
        ),
    ] = []
    tokens: Annotated[
        list[TokenOptions],
        Meta(description="Tokens that open this door. Without any, only loopback addresses are served."),
    ] = []
    tls_cert: Annotated[str, Meta(description="File with the TLS certificate chain (PEM). Needs `tls_key`.")] = ""
    tls_key: Annotated[str, Meta(description="File with the private key of the certificate (PEM).")] = ""
    max_body_bytes: Annotated[int, Meta(ge=1 * _KIB, le=_GIB, description="Largest body of a request.")] = 1 * _MIB
    max_header_bytes: Annotated[int, Meta(ge=1 * _KIB, le=_MIB, description="Largest head of a request.")] = 16_384
    max_connections: Annotated[int, Meta(ge=1, le=65_535, description="Connections in all.")] = 256
    header_seconds: Annotated[float, Meta(gt=0, le=3600, description="Time for the head of a request.")] = 5.0
    body_seconds: Annotated[float, Meta(gt=0, le=3600, description="Time for the body of a request.")] = 10.0
    idle_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="A connection without a request for so long is closed.")
    ] = 30.0
    max_points_per_answer: Annotated[
        int, Meta(ge=1, le=1_000_000_000, description="Most values in one answer; a larger question is refused.")
    ] = 1_000_000
    query_seconds: Annotated[float, Meta(gt=0, le=3600, description="Time for one question.")] = 30.0


class HostOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The readings of this host: processor, memory, disks, network, and what the kernel says of pressure."""

    enabled: Annotated[bool, Meta(description="Read this host.")] = True
    every_seconds: Annotated[float, Meta(ge=0.1, le=3600, description="Time between two readings.")] = 1.0
    processes_every_seconds: Annotated[
        float, Meta(ge=0.5, le=3600, description="Time between two looks at the processes.")
    ] = 5.0
    top_processes: Annotated[
        int, Meta(ge=0, le=1000, description="How many processes to keep by processor time and by memory.")
    ] = 10


class ArchiveOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The local archive: when recent rows become sealed files, and how long these are kept."""

    seal_rows: Annotated[int, Meta(ge=1, le=100_000_000, description="Seal when so many rows wait.")] = 1_000_000
    seal_bytes: Annotated[int, Meta(ge=_KIB, le=16 * _GIB, description="Seal when rows of so many bytes wait.")] = (
        64 * _MIB
    )
    seal_seconds: Annotated[float, Meta(gt=0, le=86_400, description="Seal when the oldest row waits so long.")] = 60.0
    keep_days: Annotated[float, Meta(gt=0, le=36_500, description="Age at which rows are removed.")] = 90.0
    min_free_percent: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="Free share of the disk below which the house sheds, counted; the smaller of this and "
            "`min_free_bytes` holds.",
        ),
    ] = 10.0
    min_free_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=1024 * _GIB,
            description="Free bytes below which the house sheds, counted; the smaller of this and "
            "`min_free_percent` holds.",
        ),
    ] = _GIB
    replaced_minutes: Annotated[
        float, Meta(ge=0, le=1440, description="How long a merged file stays for readers that still have it open.")
    ] = 10.0
    memory_limit: Annotated[
        str, Meta(pattern=r"^[0-9]+(\.[0-9]+)? ?(KB|MB|GB|KiB|MiB|GiB)$", description="Memory for answering questions.")
    ] = "256MB"


class SpoolOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The spool: every batch is committed here before it is acknowledged, and stays until every backend has it."""

    max_bytes: Annotated[
        int, Meta(ge=_MIB, le=1024 * _GIB, description="Largest spool; past it new rows are shed, counted.")
    ] = _GIB
    max_rows: Annotated[
        int,
        Meta(ge=1_000, le=100_000_000_000, description="Most rows in the spool; past it new rows are shed, counted."),
    ] = 50_000_000
    group_commit_millis: Annotated[
        float, Meta(ge=0, le=1_000, description="How long a commit waits for company; milliseconds.")
    ] = 5.0
    queue_bytes: Annotated[
        int, Meta(ge=64 * _KIB, le=16 * _GIB, description="Largest queue in memory before the spool.")
    ] = 64 * _MIB
    key_days: Annotated[float, Meta(ge=0, le=3650, description="How long an idempotency key is remembered.")] = 7.0


class BackendOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store that the house writes to. Each has its own place in the spool; a slow one does not hold up another.

    Naming any replaces the default, which is one: ``local:``. Only a local archive can answer questions.
    """

    url: Annotated[
        str,
        Meta(
            min_length=1,
            description="Where to write: `local:`, `memory:`, `null:` or `jsonl:FOLDER`.",
            examples=["jsonl:/var/log/stathouse"],
        ),
    ]
    name: Annotated[
        str, Meta(max_length=64, description="Name in status and metrics; the scheme of the URL when empty.")
    ] = ""


class SeriesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a series means, for the page and the answers."""

    unit: Annotated[str, Meta(max_length=64, description="Unit of its values.", examples=["ms"])] = ""
    description: Annotated[str, Meta(max_length=1000, description="One sentence that says what it counts.")] = ""


class LogOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the house says on stderr."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least important kind of message to write.")
    ] = "info"
    format: Annotated[Literal["text", "json"], Meta(description="Lines for people, or one JSON object a line.")] = (
        "text"
    )


class HouseConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole house."""

    data: Annotated[
        str,
        Meta(
            description="Folder of spool and archive. Empty: `$XDG_STATE_HOME/stathouse`, else "
            "`~/.local/state/stathouse`."
        ),
    ] = ""
    runtime: Annotated[
        str,
        Meta(
            description="Folder of sockets. Empty: `$XDG_RUNTIME_DIR/stathouse`, else `/run/stathouse` for root, else "
            "`/dev/shm/stathouse-UID`."
        ),
    ] = ""
    tags: Annotated[
        dict[str, str],
        Meta(
            description="Tags added to every point; a tag that a point brings itself wins.",
            examples=[{"host": "web-1", "environment": "production"}],
        ),
    ] = {}
    statsd: StatsdOptions = StatsdOptions()
    http: HttpOptions = HttpOptions()
    host: HostOptions = HostOptions()
    archive: ArchiveOptions = ArchiveOptions()
    spool: SpoolOptions = SpoolOptions()
    backends: Annotated[list[BackendOptions], Meta(min_length=1, description="Stores that the house writes to.")] = (
        msgspec.field(default_factory=lambda: [BackendOptions(url="local:")])
    )
    series: Annotated[dict[str, SeriesOptions], Meta(description="Units and descriptions of series, by name.")] = {}
    log: LogOptions = LogOptions()
