"""Binding: every wrong address or folder is one clear error, and nothing of anybody else is touched."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import pytest

from stathouse.errors import AddressTaken, ConfigError
from stathouse.statsd.sockets import (
    address_text,
    allowed_networks,
    bind_internet,
    bind_unix,
    refuse_new_datagrams,
)

MIB = 1 << 20


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that does not exist yet, in one that is ours."""
    return tmp_path / "runtime"


class TestInternet:
    def test_udp_and_tcp_get_the_same_free_port(self, closing: ExitStack) -> None:
        udp, tcp = bind_internet("127.0.0.1", 0, tcp=True, receive_buffer_bytes=MIB)
        for opened in (*udp, *tcp):
            closing.enter_context(opened)
        assert [opened.getsockname() for opened in udp] == [opened.getsockname() for opened in tcp]
        assert udp[0].getsockname()[1] > 0
        with socket.create_connection(tcp[0].getsockname()):
            pass

    def test_the_receive_buffer_is_what_was_asked_for(self, closing: ExitStack) -> None:
        (udp,), _ = bind_internet("127.0.0.1", 0, tcp=False, receive_buffer_bytes=MIB)
        closing.enter_context(udp)
        assert udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * MIB

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs CAP_NET_ADMIN")
    def test_a_privileged_house_gets_more_than_the_systems_limit(self, closing: ExitStack) -> None:
        limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
        (udp,), _ = bind_internet("127.0.0.1", 0, tcp=False, receive_buffer_bytes=limit + MIB)
        closing.enter_context(udp)
        assert udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * (limit + MIB)

    @pytest.mark.parametrize(("kind", "name"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
    def test_a_taken_port_names_the_option(self, closing: ExitStack, kind: socket.SocketKind, name: str) -> None:
        other = closing.enter_context(socket.socket(socket.AF_INET, kind))
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AddressTaken) as caught:
            bind_internet("127.0.0.1", port, tcp=True, receive_buffer_bytes=MIB)
        assert caught.value.option == "--statsd-port"
        assert caught.value.address == f"127.0.0.1:{port} ({name})"

    def test_a_second_house_cannot_bind_beside_the_first(self, closing: ExitStack) -> None:
        udp, _ = bind_internet("127.0.0.1", 0, tcp=False, receive_buffer_bytes=MIB)
        closing.enter_context(udp[0])
        with pytest.raises(AddressTaken):
            bind_internet("127.0.0.1", udp[0].getsockname()[1], tcp=False, receive_buffer_bytes=MIB)

    def test_after_an_error_nothing_stays_bound(self, closing: ExitStack) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(AddressTaken):
                bind_internet("127.0.0.1", port, tcp=True, receive_buffer_bytes=MIB)
        for opened in chain(*bind_internet("127.0.0.1", port, tcp=True, receive_buffer_bytes=MIB)):
            closing.enter_context(opened)

    def test_a_port_with_connections_in_time_wait_can_be_bound_again(self, closing: ExitStack) -> None:
        udp, tcp = bind_internet("127.0.0.1", 0, tcp=True, receive_buffer_bytes=MIB)
        address = tcp[0].getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = tcp[0].accept()
            accepted.close()
            assert client.recv(1) == b""
        for opened in (*udp, *tcp):
            opened.close()
        for opened in chain(*bind_internet(*address, tcp=True, receive_buffer_bytes=MIB)):
            closing.enter_context(opened)

    @pytest.mark.parametrize("host", ["", "no.such.host.invalid", "192.0.2.1"])
    def test_a_host_without_an_address_here_is_a_config_error(self, host: str) -> None:
        with pytest.raises(ConfigError) as caught:
            bind_internet(host, 0, tcp=True, receive_buffer_bytes=MIB)
        assert caught.value.where == "statsd.host"
        assert "127.0.0.1" in caught.value.advice

    def test_localhost_is_bound_wherever_it_is(self, closing: ExitStack) -> None:
        udp, tcp = bind_internet("localhost", 0, tcp=True, receive_buffer_bytes=MIB)
        for opened in (*udp, *tcp):
            closing.enter_context(opened)
        ports = {opened.getsockname()[1] for opened in (*udp, *tcp)}
        assert len(ports) == 1
        assert "127.0.0.1" in {opened.getsockname()[0] for opened in udp}

    def test_addresses_are_written_as_people_write_them(self) -> None:
        assert address_text(("127.0.0.1", 8125)) == "127.0.0.1:8125"
        assert address_text(("::1", 8125)) == "[::1]:8125"


class TestAllowed:
    def test_on_loopback_everyone_may_send(self) -> None:
        assert allowed_networks(["127.0.0.1", "::1", "127.3.2.1"], []) == ()
        assert allowed_networks(["127.0.0.1"], ["10.0.0.0/8"]) == ()

    @pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.1.2.3", "fe80::1%eth0"])
    def test_another_address_needs_a_list(self, address: str) -> None:
        with pytest.raises(ConfigError, match=r"statsd\.allow") as caught:
            allowed_networks(["127.0.0.1", address], [])
        assert caught.value.where == "statsd.host"
        assert allowed_networks([address], ["10.1.2.3/8"]) == ("127.0.0.0/8", "::1/128", "10.0.0.0/8")

    @pytest.mark.parametrize("text", ["", "host", "10.0.0.0/33", "10.0.0"])
    def test_what_is_no_network_is_named_with_its_place(self, text: str) -> None:
        with pytest.raises(ConfigError) as caught:
            allowed_networks(["127.0.0.1"], ["::1", text])
        assert caught.value.where == "statsd.allow[1]"
        assert repr(text) in caught.value.problem


class TestUnix:
    def test_the_folder_and_the_socket_are_ours_alone(self, folder: Path) -> None:
        bound = bind_unix(folder / "statsd.sock")
        try:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            found = (folder / "statsd.sock").stat()
            assert stat.S_ISSOCK(found.st_mode)
            assert stat.S_IMODE(found.st_mode) == 0o600
            assert found.st_uid == os.geteuid()
        finally:
            bound.close()
        assert not (folder / "statsd.sock").exists()

    def test_parents_are_made(self, folder: Path) -> None:
        bind_unix(folder / "deep" / "er" / "statsd.sock").close()
        assert (folder / "deep" / "er").is_dir()

    def test_a_long_path_is_no_obstacle(self, folder: Path, closing: ExitStack) -> None:
        bound = bind_unix(folder / ("n" * 120) / "statsd.sock")
        closing.callback(bound.close)
        assert bound.path.is_socket()

    @pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
    def test_a_folder_that_others_may_write_to_is_refused(self, folder: Path, mode: int) -> None:
        folder.mkdir()
        folder.chmod(mode)
        with pytest.raises(ConfigError, match="chmod 700") as caught:
            bind_unix(folder / "statsd.sock")
        assert caught.value.where == "runtime"
        assert list(folder.iterdir()) == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_a_folder_of_another_user_is_refused(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        os.chown(folder, 12345, -1)
        with pytest.raises(ConfigError, match="12345"):
            bind_unix(folder / "statsd.sock")

    def test_a_linked_folder_is_refused(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ConfigError, match="link"):
            bind_unix(folder / "statsd.sock")
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_a_file_in_place_of_the_folder_is_refused(self, folder: Path) -> None:
        folder.write_text("mine")
        with pytest.raises(ConfigError):
            bind_unix(folder / "statsd.sock")
        assert folder.read_text() == "mine"

    def test_a_socket_left_behind_is_replaced(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
            dead.bind(str(folder / "statsd.sock"))
        bound = bind_unix(folder / "statsd.sock")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.sendto(b"a:1|c", str(folder / "statsd.sock"))
            assert bound.opened.recv(100) == b"a:1|c"
        finally:
            bound.close()

    @pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
    def test_a_socket_that_answers_is_left_alone(self, folder: Path, kind: socket.SocketKind) -> None:
        folder.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX, kind) as living:
            living.bind(str(folder / "statsd.sock"))
            if kind == socket.SOCK_STREAM:
                living.listen()
            with pytest.raises(AddressTaken) as caught:
                bind_unix(folder / "statsd.sock")
            assert caught.value.option == "--runtime"
            assert (folder / "statsd.sock").is_socket()

    @pytest.mark.parametrize("make", ["file", "link", "folder", "fifo"])
    def test_what_is_no_socket_is_left_alone(self, folder: Path, make: str) -> None:
        folder.mkdir(mode=0o700)
        name = folder / "statsd.sock"
        match make:
            case "file":
                name.write_text("victim")
            case "link":
                name.symlink_to(folder / "victim")
            case "folder":
                name.mkdir()
            case _:
                os.mkfifo(name)
        before = name.lstat()
        with pytest.raises(ConfigError, match="no socket of ours"):
            bind_unix(name)
        assert name.lstat() == before

    def test_closing_leaves_a_name_that_somebody_else_has_taken(self, folder: Path) -> None:
        bound = bind_unix(folder / "statsd.sock")
        (folder / "statsd.sock").unlink()
        (folder / "statsd.sock").write_text("another's")
        bound.close()
        assert (folder / "statsd.sock").read_text() == "another's"


class TestRefusing:
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
    def test_udp_keeps_what_has_arrived_and_takes_nothing_more(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as door, socket.socket(family, socket.SOCK_DGRAM) as client:
            door.bind((host, 0))
            client.connect(("::1" if ":" in host else "127.0.0.1", door.getsockname()[1]))
            client.send(b"before")
            refuse_new_datagrams(door)
            client.send(b"after")
            with pytest.raises(ConnectionRefusedError):
                client.recv(100)
            door.setblocking(False)
            assert door.recv(100) == b"before"
            with pytest.raises(BlockingIOError):
                door.recv(100)

    def test_a_unix_socket_keeps_what_has_arrived_and_takes_nothing_more(self, folder: Path) -> None:
        bound = bind_unix(folder / "statsd.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(str(bound.path))
            client.send(b"before")
            refuse_new_datagrams(bound.opened)
            with pytest.raises(BrokenPipeError):
                client.send(b"after")
        bound.opened.setblocking(False)
        assert bound.opened.recv(100) == b"before"
        with pytest.raises(BlockingIOError):
            bound.opened.recv(100)
        bound.close()
