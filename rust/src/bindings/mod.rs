//! The Python module `stathouse._core`: thin bindings, the interpreter lock released around real work.
// PyO3 hands arguments over as owned values; a slice would need another conversion.
#![allow(clippy::needless_pass_by_value)]

mod aggregator;
#[cfg(unix)]
mod listeners;
mod parse;
mod sketches;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
#[pyo3(name = "_core")]
fn core_module(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<aggregator::Aggregator>()?;
    module.add_class::<aggregator::Flush>()?;
    module.add_class::<sketches::Sketch>()?;
    module.add_class::<sketches::Distinct>()?;
    module.add_function(wrap_pyfunction!(parse::parse, module)?)?;
    #[cfg(unix)]
    {
        module.add_class::<listeners::DatagramListener>()?;
        module.add_class::<listeners::StreamListener>()?;
    }
    Ok(())
}
