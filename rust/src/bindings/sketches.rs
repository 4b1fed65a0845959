//! `Sketch` and `Distinct`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::distinct::Distinct as CoreDistinct;
use crate::sketch::{Damage, MAX_WEIGHT, Sketch as CoreSketch};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse(what: &str, damage: Damage) -> PyErr {
    PyValueError::new_err(format!("no {what}: {damage}"))
}

/// A `DDSketch`.
#[pyclass(frozen, module = "stathouse._core")]
pub struct Sketch(Mutex<CoreSketch>);

#[pymethods]
impl Sketch {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    #[pyo3(signature = (value, weight = 1.0))]
    fn add(&self, value: f64, weight: f64) -> PyResult<()> {
        if !value.is_finite() || !(f64::MIN_POSITIVE..=MAX_WEIGHT).contains(&weight) {
            return Err(PyValueError::new_err("the value has to be finite, the weight finite and above 0"));
        }
        lock(&self.0).add(value, weight);
        Ok(())
    }

    fn merge(&self, other: &Self) {
        // A copy first: the other one may be this one.
        let other = lock(&other.0).clone();
        lock(&self.0).merge(&other);
    }

    #[getter]
    fn count(&self) -> f64 {
        lock(&self.0).count()
    }

    #[getter]
    fn sum(&self) -> f64 {
        lock(&self.0).sum()
    }

    #[getter]
    fn min(&self) -> f64 {
        lock(&self.0).min()
    }

    #[getter]
    fn max(&self) -> f64 {
        lock(&self.0).max()
    }

    fn quantile(&self, fraction: f64) -> PyResult<Option<f64>> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(PyValueError::new_err(format!("a fraction is between 0 and 1, not {fraction}")));
        }
        Ok(lock(&self.0).quantile(fraction))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &lock(&self.0).to_bytes())
    }

    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        CoreSketch::from_bytes(data).map(|sketch| Self(Mutex::new(sketch))).map_err(|damage| refuse("sketch", damage))
    }

    #[staticmethod]
    fn merge_bytes(py: Python<'_>, bodies: Vec<PyBackedBytes>) -> PyResult<Self> {
        let merged = py.detach(|| {
            bodies.iter().try_fold(CoreSketch::default(), |mut merged, body| {
                merged.merge(&CoreSketch::from_bytes(body)?);
                Ok(merged)
            })
        });
        merged.map(|sketch| Self(Mutex::new(sketch))).map_err(|damage| refuse("sketch", damage))
    }
}

/// A `HyperLogLog`.
#[pyclass(frozen, module = "stathouse._core")]
pub struct Distinct(Mutex<CoreDistinct>);

#[pymethods]
impl Distinct {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn add(&self, member: &str) {
        lock(&self.0).add(member.as_bytes());
    }

    fn merge(&self, other: &Self) {
        // A copy first: the other one may be this one.
        let other = lock(&other.0).clone();
        lock(&self.0).merge(&other);
    }

    fn estimate(&self) -> f64 {
        lock(&self.0).estimate()
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &lock(&self.0).to_bytes())
    }

    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        CoreDistinct::from_bytes(data).map(|set| Self(Mutex::new(set))).map_err(|damage| refuse("HyperLogLog", damage))
    }

    #[staticmethod]
    fn merge_bytes(py: Python<'_>, bodies: Vec<PyBackedBytes>) -> PyResult<Self> {
        let merged = py.detach(|| {
            bodies.iter().try_fold(CoreDistinct::default(), |mut merged, body| {
                merged.merge(&CoreDistinct::from_bytes(body)?);
                Ok(merged)
            })
        });
        merged.map(|set| Self(Mutex::new(set))).map_err(|damage| refuse("HyperLogLog", damage))
    }
}
