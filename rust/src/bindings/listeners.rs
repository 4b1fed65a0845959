//! `DatagramListener` and `StreamListener`: sockets read on threads that never take the interpreter lock.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::aggregator::{Aggregator, dialect_of};
use crate::allow::Allowed;
use crate::{datagram, stream, sys};

fn allowed_of(networks: &[String]) -> PyResult<Allowed> {
    Allowed::parse(networks).map_err(PyValueError::new_err)
}

fn seconds_of(value: f64, name: &str) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| PyValueError::new_err(format!("{name} is no time: {value}")))
}

/// Receives statsd datagrams (UDP or Unix).
#[pyclass(frozen, module = "stathouse._core")]
pub struct DatagramListener(datagram::DatagramListener);

#[pymethods]
impl DatagramListener {
    #[new]
    #[pyo3(signature = (
        aggregator, fd, *, dialect = "statsd", threads = 1, wait_micros = 1_000, max_datagram_bytes = 65_535,
        allow = Vec::new()
    ))]
    fn new(
        aggregator: &Aggregator,
        fd: RawFd,
        dialect: &str,
        threads: usize,
        wait_micros: u64,
        max_datagram_bytes: usize,
        allow: Vec<String>,
    ) -> PyResult<Self> {
        if !(1..=64).contains(&threads) {
            return Err(PyValueError::new_err("threads must be between 1 and 64"));
        }
        if !(1..=1 << 20).contains(&max_datagram_bytes) {
            return Err(PyValueError::new_err("max_datagram_bytes must be between 1 and 1048576"));
        }
        let options = datagram::Options {
            dialect: dialect_of(dialect)?,
            threads,
            wait: Duration::from_micros(wait_micros),
            max_datagram_bytes,
            allowed: allowed_of(&allow)?,
        };
        Ok(Self(datagram::DatagramListener::start(sys::duplicate(fd)?, aggregator.intake(), options)?))
    }

    fn stats(&self) -> BTreeMap<&'static str, u64> {
        let stats = self.0.stats();
        BTreeMap::from([
            ("datagrams", stats.datagrams),
            ("bytes", stats.bytes),
            ("truncated", stats.truncated),
            ("empty", stats.empty),
            ("refused_source", stats.refused_source),
            ("kernel_drops", stats.kernel_drops),
            ("errors", stats.errors),
        ])
    }

    #[pyo3(signature = (timeout_seconds = 2.0))]
    fn stop(&self, py: Python<'_>, timeout_seconds: f64) -> PyResult<bool> {
        let timeout = seconds_of(timeout_seconds, "timeout_seconds")?;
        Ok(py.detach(|| self.0.stop(timeout)))
    }
}

/// Receives statsd lines over TCP and Unix stream sockets.
#[pyclass(frozen, module = "stathouse._core")]
pub struct StreamListener(stream::StreamListener);

#[pymethods]
impl StreamListener {
    #[new]
    #[pyo3(signature = (
        aggregator, fds, *, dialect = "statsd", max_connections = 256, max_connections_per_peer = 32,
        max_line_bytes = 8_192, idle_seconds = 300.0, allow = Vec::new()
    ))]
    #[allow(clippy::too_many_arguments)] // keyword-only in Python
    fn new(
        aggregator: &Aggregator,
        fds: Vec<RawFd>,
        dialect: &str,
        max_connections: usize,
        max_connections_per_peer: usize,
        max_line_bytes: usize,
        idle_seconds: f64,
        allow: Vec<String>,
    ) -> PyResult<Self> {
        let options = stream::Options {
            dialect: dialect_of(dialect)?,
            max_connections,
            max_connections_per_peer,
            max_line_bytes,
            idle: seconds_of(idle_seconds, "idle_seconds")?,
            allowed: allowed_of(&allow)?,
        };
        let sockets = fds.into_iter().map(sys::duplicate).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(stream::StreamListener::start(sockets, aggregator.intake(), options)?))
    }

    fn stats(&self) -> BTreeMap<&'static str, u64> {
        let stats = self.0.stats();
        BTreeMap::from([
            ("bytes", stats.bytes),
            ("accepted", stats.accepted),
            ("refused_limit", stats.refused_limit),
            ("refused_peer", stats.refused_peer),
            ("refused_source", stats.refused_source),
            ("closed_idle", stats.closed_idle),
            ("closed_too_long", stats.closed_too_long),
            ("unterminated", stats.unterminated),
            ("errors", stats.errors),
            ("open", stats.open),
        ])
    }

    #[pyo3(signature = (timeout_seconds = 2.0))]
    fn stop(&self, py: Python<'_>, timeout_seconds: f64) -> PyResult<bool> {
        let timeout = seconds_of(timeout_seconds, "timeout_seconds")?;
        Ok(py.detach(|| self.0.stop(timeout)))
    }
}
