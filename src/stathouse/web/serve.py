"""Serves the application on bound sockets with uvicorn, with limits that slow or many clients cannot get around.

The HTTP parser is h11: it is strict about what a message is (no request smuggling by two lengths), it needs no
compiled package, and what it costs more than httptools does not show beside what a question costs.

Each connection has a deadline for its head, for its body, and for reading the answer. When all places are taken, a new
connection takes that of the one that has kept the house waiting longest; only when none is waiting it is refused.
So many slow connections cannot shut out a quick one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from stathouse.config.options import HttpOptions
from stathouse.errors import ConfigError
from stathouse.web.app import WebApp
from stathouse.web.guard import check_exposure

__all__ = ["run_server", "tls_context"]

_REFUSAL_BODY: Final = (
    b'{"error":{"reason":"overloaded","problem":"too many connections","where":"","advice":"Try again later."}}'
)
_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_REFUSAL_BODY), _REFUSAL_BODY)
)
_BACKLOG: Final = 1_024

# What a connection is doing: waiting for a (further) request, receiving a head or a body, being answered, or sending
# the rest of a body that nobody reads any more.
_Phase: TypeAlias = Literal["idle", "head", "body", "answer", "rest"]


def run_server(
    app: WebApp,
    sockets: Sequence[socket.socket],
    options: HttpOptions,
    *,
    stop: threading.Event,
    on_ready: Callable[[], None] | None = None,
    deadline_seconds: float = 3.0,
) -> None:
    """Serve until ``stop`` is set; to be called on a thread of its own or the main thread.

    Signals stay with the caller. The sockets are closed at the end.

    Args:
        app: the application.
        sockets: bound sockets; the server listens on them.
        options: the HTTP options; the door must not be open to others without a token.
        stop: ends the service; it is looked at ten times a second.
        on_ready: called once, when requests are answered.
        deadline_seconds: how long requests may take to finish at the end; then they are cut.

    Raises:
        ConfigError: the door would be open to others, or a TLS file cannot be used.
    """
    check_exposure(options)
    config = Config(
        app,
        http=H11Protocol,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(options.idle_seconds)),
        timeout_graceful_shutdown=max(1, round(deadline_seconds)),
        h11_max_incomplete_event_size=options.max_header_bytes,
    )
    server = _WebServer(config, app, options, stop, on_ready)
    with asyncio.Runner() as runner:
        runner.run(server.serve(sockets=list(sockets)))


def tls_context(options: HttpOptions) -> ssl.SSLContext | None:
    """Return the TLS setting, None when the options name no certificate.

    Raises:
        ConfigError: a file cannot be read, or key and certificate do not fit.
    """
    if not options.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError) as error:
        problem = f"the certificate or its key cannot be used: {error}."
        raise ConfigError(problem, where="http.tls_cert", advice="Both are PEM files.") from error
    return context


class _WebServer(Server):
    """uvicorn's server with this house's connections, end and TLS."""

    def __init__(
        self,
        config: Config,
        app: WebApp,
        options: HttpOptions,
        stop: threading.Event,
        on_ready: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self._app = app
        self._options = options
        self._stop = stop
        self._on_ready = on_ready
        self._tls = tls_context(options)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the house."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise ConfigError("the web did not start; the log says why.")
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            return _Connection(self, self._app, self._options)

        # uvicorn's own start would leave a TLS handshake a whole minute.
        seconds = self._options.header_seconds
        handshake: dict[str, Any] = {"ssl": self._tls, "ssl_handshake_timeout": seconds} if self._tls else {}
        self.servers = [
            await loop.create_server(connection, sock=sock, backlog=_BACKLOG, **handshake) for sock in sockets or []
        ]
        self.started = True
        if self._on_ready is not None:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Look whether to stop."""
        return await super().on_tick(counter) or self._stop.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first, so that nothing but true work is waited for; then cut what is left."""
        self._app.close_streams()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Connection):
                connection.cut()


class _Connection(H11Protocol):
    """One connection with its deadlines."""

    def __init__(self, server: _WebServer, app: WebApp, options: HttpOptions) -> None:
        super().__init__(server.config, server.server_state, server.lifespan.state)
        self._counters = app.room.counters
        self._options = options
        self._phase: _Phase = "idle"
        self._since = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._rest_bytes = 0
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self.connections) >= self._options.max_connections and not self._make_room():
            self._counters.add("refused_connections")
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            transport.write(_REFUSAL)
            transport.close()
            return
        super().connection_made(transport)  # type: ignore[arg-type]
        self._counted = True
        self._counters.add("connections")
        self._enter("head")

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._deadline, self._stalled):
            if timer is not None:
                timer.cancel()
        if self._counted:
            self._counters.add("connections", -1)
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._counted or self.transport.is_closing():
            return
        if self._phase == "rest":
            self._rest_bytes += len(data)
            if self._rest_bytes > self._options.max_body_bytes:
                self.cut()
                return
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if not self.transport.is_closing():
            self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self._options.idle_seconds, self._too_slow)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def cut(self) -> None:
        """Close at once, whatever is under way."""
        self.transport.abort()

    def waiting_since(self) -> float | None:
        """Return since when the house waits for this client; None when it is the client who waits."""
        return None if self._phase == "answer" else self._since

    def _make_room(self) -> bool:
        """Close the connection that has kept the house waiting longest, if any does."""
        waiting = [
            (since, connection)
            for connection in self.connections
            if isinstance(connection, _Connection) and (since := connection.waiting_since()) is not None
        ]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda pair: pair[0])
        # Its place is free now; connection_lost comes in a later turn of the loop.
        self.connections.discard(longest)
        longest.cut()
        self._counters.add("evicted_connections")
        return True

    def _look(self) -> None:
        """See what the connection is doing now and set the deadline for it."""
        phase = self._phase_now()
        if phase != self._phase:
            self._enter(phase)

    def _phase_now(self) -> _Phase:
        if self.cycle is None:
            return "head"
        if self.cycle.response_complete:
            if self.conn.their_state is h11.SEND_BODY:
                return "rest"
            return "head" if self.conn.trailing_data[0] else "idle"
        return "body" if self.cycle.more_body else "answer"

    def _enter(self, phase: _Phase) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._phase = phase
        self._since = self.loop.time()
        self._rest_bytes = 0
        options = self._options
        # An idle connection is closed by uvicorn's own timer, an answer by pause_writing's.
        if phase == "head":
            self._deadline = self.loop.call_later(options.header_seconds, self._too_slow)
        elif phase in ("body", "rest"):
            self._deadline = self.loop.call_later(options.body_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._counters.add("timed_out_connections")
        self.cut()
