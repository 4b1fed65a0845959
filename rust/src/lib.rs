//! The Rust core of Stathouse. `lib.rs` and `bindings/` speak Python; the other modules know none.
//!
//! Bytes come in through [`datagram`], [`stream`] or [`aggregator::Aggregator::feed`], [`parser`] takes lines apart,
//! [`directory`] knows whose they are, [`state`] folds them into the running [`interval`], and a flush leaves as
//! [`arrow`]. [`sketch`] and [`distinct`] are the two structures that stay mergeable for ever.
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

pub mod aggregator;
#[cfg(unix)]
pub mod allow;
pub mod arrow;
pub mod bytes;
#[cfg(unix)]
pub mod connection;
#[cfg(unix)]
pub mod datagram;
pub mod directory;
pub mod distinct;
pub mod glob;
pub mod intake;
pub mod interval;
pub mod kind;
pub mod number;
#[cfg(unix)]
pub mod pacing;
pub mod parser;
pub mod reason;
pub mod refused;
pub mod sketch;
pub mod state;
#[cfg(unix)]
pub mod stream;
/// The one module that may use `unsafe`.
#[cfg(unix)]
#[allow(unsafe_code)]
pub mod sys;
pub mod tags;
pub mod text;

#[cfg(feature = "python")]
mod bindings;
