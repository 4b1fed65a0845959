//! `Aggregator` and `Flush`.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::aggregator::{Aggregator as Core, Options, Rows};
use crate::directory::SeriesLimits;
use crate::intake::{Dialect, Intake};
use crate::parser::Limits;
use crate::state::Lifetimes;
use crate::text;

/// Return the dialect of a name.
pub fn dialect_of(name: &str) -> PyResult<Dialect> {
    match name {
        "statsd" => Ok(Dialect::Statsd),
        "dogstatsd" => Ok(Dialect::Dogstatsd),
        _ => Err(PyValueError::new_err(format!("the dialect is 'statsd' or 'dogstatsd', not {name:?}"))),
    }
}

fn nanoseconds(seconds: f64, name: &str) -> PyResult<i64> {
    let time = std::time::Duration::try_from_secs_f64(seconds).ok();
    let time = time.and_then(|time| i64::try_from(time.as_nanos()).ok());
    time.ok_or_else(|| PyValueError::new_err(format!("{name} is no length of time: {seconds}")))
}

fn check_tags(tags: &[(String, String)]) -> PyResult<()> {
    match tags.iter().find(|(key, value)| key.is_empty() || text::has_control(key) || text::has_control(value)) {
        Some((key, value)) => Err(PyValueError::new_err(format!("no tag can be {key:?}: {value:?}"))),
        None => Ok(()),
    }
}

/// What a flush or a peek hands over.
#[pyclass(frozen, module = "stathouse._core")]
pub struct Flush {
    #[pyo3(get)]
    body: Py<PyBytes>,
    #[pyo3(get)]
    rows: usize,
    #[pyo3(get)]
    carried: usize,
}

impl Flush {
    fn of(py: Python<'_>, rows: &Rows) -> Self {
        Self { body: PyBytes::new(py, &rows.body).unbind(), rows: rows.rows, carried: rows.carried }
    }
}

#[pymethods]
impl Flush {
    fn __repr__(&self) -> String {
        format!("<Flush: {} rows, {} of them carried>", self.rows, self.carried)
    }
}

/// Folds samples into series. Safe for any number of threads.
#[pyclass(frozen, module = "stathouse._core")]
pub struct Aggregator(Arc<Core>);

impl Aggregator {
    /// What listeners hand their packets to.
    pub fn intake(&self) -> Arc<dyn Intake> {
        Arc::clone(&self.0) as Arc<dyn Intake>
    }
}

#[pymethods]
impl Aggregator {
    #[new]
    #[pyo3(signature = (
        *, max_series = 100_000, max_series_per_name = 2_000, max_line_bytes = 8_192, max_name_bytes = 512, max_tags = 32,
        gauge_ttl_seconds = 300.0, series_ttl_seconds = 600.0, global_tags = Vec::new()
    ), text_signature = "(*, max_series=100000, max_series_per_name=2000, max_line_bytes=8192, max_name_bytes=512, max_tags=32, gauge_ttl_seconds=300.0, series_ttl_seconds=600.0, global_tags=())")]
    #[expect(clippy::too_many_arguments, reason = "keywords of the Python constructor")]
    fn new(
        max_series: usize,
        max_series_per_name: usize,
        max_line_bytes: usize,
        max_name_bytes: usize,
        max_tags: usize,
        gauge_ttl_seconds: f64,
        series_ttl_seconds: f64,
        global_tags: Vec<(String, String)>,
    ) -> PyResult<Self> {
        check_tags(&global_tags)?;
        let lifetimes = Lifetimes {
            gauge_ns: nanoseconds(gauge_ttl_seconds, "gauge_ttl_seconds")?,
            series_ns: nanoseconds(series_ttl_seconds, "series_ttl_seconds")?,
        };
        Ok(Self(Arc::new(Core::new(Options {
            limits: Limits { max_line_bytes, max_name_bytes, max_tags },
            series: SeriesLimits { max_series, max_series_per_name, global_tags },
            lifetimes,
        }))))
    }

    #[pyo3(signature = (data, *, dialect = "statsd", now_ns = None))]
    fn feed(&self, py: Python<'_>, data: &[u8], dialect: &str, now_ns: Option<i64>) -> PyResult<()> {
        let dialect = dialect_of(dialect)?;
        py.detach(|| self.0.feed(data, dialect, now_ns));
        Ok(())
    }

    #[pyo3(signature = (*, start_ns, now_ns))]
    fn flush(&self, py: Python<'_>, start_ns: i64, now_ns: i64) -> PyResult<Flush> {
        let rows =
            py.detach(|| self.0.flush(start_ns, now_ns)).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(Flush::of(py, &rows))
    }

    #[pyo3(
        signature = (*, start_ns, names = Vec::new(), limit = 1_000),
        text_signature = "($self, *, start_ns, names=(), limit=1000)"
    )]
    fn peek(&self, py: Python<'_>, start_ns: i64, names: Vec<String>, limit: usize) -> PyResult<Flush> {
        let rows = py
            .detach(|| self.0.peek(start_ns, &names, limit))
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(Flush::of(py, &rows))
    }

    fn counters(&self, py: Python<'_>) -> BTreeMap<&'static str, u64> {
        py.detach(|| self.0.counters()).into_iter().collect()
    }

    fn rejections(&self, py: Python<'_>) -> BTreeMap<&'static str, u64> {
        py.detach(|| self.0.rejected()).into_iter().map(|(reason, count, _)| (reason.word(), count)).collect()
    }

    fn rejected_lines(&self, py: Python<'_>) -> BTreeMap<&'static str, Py<PyBytes>> {
        let rejected = py.detach(|| self.0.rejected());
        rejected.into_iter().map(|(reason, _, line)| (reason.word(), PyBytes::new(py, &line).unbind())).collect()
    }

    fn refused_prefixes(&self, py: Python<'_>) -> Vec<(String, u64)> {
        py.detach(|| self.0.refused_prefixes())
    }
}
