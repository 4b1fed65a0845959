//! `parse`, for tests and tools.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::aggregator::dialect_of;
use crate::parser::{Limits, Line, Now, Op, Sample, lines};

/// Parse lines: a tuple for each sample, or the reason why there is none.
#[pyfunction]
#[pyo3(signature = (data, *, dialect = "statsd", max_line_bytes = 8_192, max_name_bytes = 512, max_tags = 32, now_ns = None))]
pub fn parse<'py>(
    py: Python<'py>,
    data: &[u8],
    dialect: &str,
    max_line_bytes: usize,
    max_name_bytes: usize,
    max_tags: usize,
    now_ns: Option<i64>,
) -> PyResult<Bound<'py, PyList>> {
    let dialect = dialect_of(dialect)?;
    let limits = Limits { max_line_bytes, max_name_bytes, max_tags };
    let mut now = Now(now_ns);
    let mut identity = String::new();
    let mut out: Vec<Py<PyAny>> = Vec::new();
    for text in lines(data) {
        let split = Line::split(text, &limits).and_then(|line| Ok((line, line.identity(&limits, &[], &mut identity)?)));
        let (line, name_bytes) = match split {
            Ok(split) => split,
            Err(reason) => {
                out.push(reason.word().into_py_any(py)?);
                continue;
            }
        };
        let name = identity.get(..name_bytes).unwrap_or_default();
        let tags = identity.get(name_bytes + 1..).unwrap_or_default();
        let mut samples = Vec::new();
        line.samples(dialect, &mut now, &mut |sample| samples.push(sample));
        for sample in samples {
            out.push(match sample {
                Ok(sample) => row(py, name, tags, sample)?,
                Err(reason) => reason.word().into_py_any(py)?,
            });
        }
    }
    PyList::new(py, out)
}

fn row(py: Python<'_>, name: &str, tags: &str, sample: Sample<'_>) -> PyResult<Py<PyAny>> {
    let (op, value) = match sample.op {
        Op::Counter(number) => ("counter", number.into_py_any(py)?),
        Op::Gauge(number) => ("gauge", number.into_py_any(py)?),
        Op::GaugeDelta(number) => ("gauge_delta", number.into_py_any(py)?),
        Op::Timer(number) => ("timer", number.into_py_any(py)?),
        Op::Set(member) => ("set", member.into_py_any(py)?),
    };
    (name, tags, op, value, sample.rate, sample.time_ns).into_py_any(py)
}
