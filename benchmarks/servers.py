"""The servers that are measured: the house, the limit, and the rivals that are installed. All on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import udp_drops, wait_until

__all__ = ["Running", "available", "free_port", "is_ready", "start"]

_ROOT = Path(__file__).parents[1]
_FLOOR = _ROOT / "target" / "release" / "examples" / "udp_floor"
_FLOORS = {
    "floor: receive": "--mode discard",
    "floor: receive, 1 ms wait": "--mode discard --wait-micros 1000",
    "floor: receive, parse, add, 1 ms wait": "--mode add --wait-micros 1000",
}
# What netdata collects by itself; switched off, so that only its statsd is measured.
_NETDATA_PLUGINS = "proc diskspace cgroups tc idlejitter checks apps ebpf slabinfo python.d go.d charts.d node.d timex"
_NODE_STATSD = _ROOT / "benchmarks" / "results" / "node" / "node_modules" / "statsd"


@dataclass
class Running:
    """A server that was started."""

    name: str
    pid: int
    port: int
    http_port: int = 0

    def status(self) -> dict[str, object]:
        """Return the house's status document."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/api/status", timeout=10) as answer:
            document: dict[str, object] = json.load(answer)
            return document


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    """Return a port that is free now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def available() -> list[str]:
    """Return the names of the servers that can be started here."""
    found = ["stathouse"]
    if _FLOOR.exists():
        found += list(_FLOORS)
    found += [name for name in ("collectd", "netdata") if shutil.which(name) or Path(f"/usr/sbin/{name}").exists()]
    if shutil.which("node") and _install_node_statsd():
        found.append("statsd (Node)")
    return found


@contextmanager
def start(name: str, *arguments: str) -> Iterator[Running]:
    """Run a server in a temporary folder and stop it by its pid.

    Args:
        name: one of :func:`available`.
        arguments: more arguments, for the house.
    """
    port, http_port = free_port(), free_port(socket.SOCK_STREAM)
    with TemporaryDirectory(prefix="bench-") as text:
        folder = Path(text)
        command = _command(name, port, http_port, folder) + list(arguments)
        log = (folder / "output").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "HOME": text})
        running = Running(name=name, pid=process.pid, port=port, http_port=http_port)
        try:
            wait_until(lambda: udp_drops(port) >= 0 or process.poll() is not None, 30, f"{name} opening its socket")
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended: {(folder / 'output').read_text(errors='replace')[-2000:]}")
            if name == "stathouse":
                wait_until(lambda: is_ready(http_port), 30, "the house being ready")
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def is_ready(http_port: int) -> bool:
    """Say whether a house answers that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _command(name: str, port: int, http_port: int, folder: Path) -> list[str]:
    match name:
        case "stathouse":
            return [
                *(sys.executable, "-m", "stathouse", "serve", "--data", str(folder / "data")),
                *("--runtime", str(folder / "run"), "--statsd-port", str(port), "--http-port", str(http_port)),
            ]
        case _ if name in _FLOORS:
            return [str(_FLOOR), "--port", str(port), *_FLOORS[name].split()]
        case "collectd":
            return [_path("collectd"), "-f", "-C", str(_collectd_config(port, folder))]
        case "netdata":
            return [_path("netdata"), "-D", "-c", str(_netdata_config(port, folder))]
        case "statsd (Node)":
            config = folder / "config.js"
            config.write_text(
                f"{{port: {port}, address: '127.0.0.1', mgmt_port: {free_port(socket.SOCK_STREAM)}, "
                f"mgmt_address: '127.0.0.1', backends: [], flushInterval: 10000}}"
            )
            return ["node", str(_NODE_STATSD / "stats.js"), str(config)]
    raise ValueError(name)


def _path(name: str) -> str:
    return shutil.which(name) or f"/usr/sbin/{name}"


def _collectd_config(port: int, folder: Path) -> Path:
    path = folder / "collectd.conf"
    path.write_text(
        f'BaseDir "{folder}"\nPIDFile "{folder}/pid"\nTypesDB "/usr/share/collectd/types.db"\nInterval 10\n'
        f'LoadPlugin statsd\n<Plugin statsd>\n  Host "127.0.0.1"\n  Port "{port}"\n'
        f"  DeleteSets true\n  TimerPercentile 90.0\n  TimerPercentile 99.0\n</Plugin>\n"
    )
    return path


def _netdata_config(port: int, folder: Path) -> Path:
    for name in ("cache", "lib", "log", "run"):
        (folder / name).mkdir()
    path = folder / "netdata.conf"
    off = "\n".join(
        f"  {plugin} = no"
        for plugin in [
            "proc",
            "diskspace",
            "cgroups",
            "tc",
            "idlejitter",
            "checks",
            "apps",
            "ebpf",
            "slabinfo",
            "python.d",
            "go.d",
            "charts.d",
            "node.d",
            "timex",
        ]
    )
    path.write_text(
        f"[global]\n  run as user = root\n[directories]\n  cache = {folder}/cache\n  lib = {folder}/lib\n"
        f"  log = {folder}/log\n[db]\n  mode = ram\n  update every = 10\n[web]\n  mode = none\n[ml]\n  enabled = no\n"
        f"[health]\n  enabled = no\n[plugins]\n{off}\n  statsd = yes\n[statsd]\n  enabled = yes\n"
        f"  default port = {port}\n  bind to = udp:127.0.0.1:{port}\n  update every (flushInterval) = 10\n"
        f"  create private charts for metrics matching = *\n  max private charts hard limit = 200000\n"
    )
    return path


def _install_node_statsd() -> bool:
    """Fetch statsd from npm once; what it is measured with is never in the repository."""
    if not (_NODE_STATSD / "stats.js").exists():
        folder = _NODE_STATSD.parents[1]
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--omit=optional",
            "--prefix",
            str(folder),
            "statsd",
        ]
        subprocess.run(command, check=False, capture_output=True, timeout=300)
    return (_NODE_STATSD / "stats.js").exists()
