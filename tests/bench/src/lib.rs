//! What the servers and clients under test have in common: flags, the load, and what is measured. No library under test
//! is used here, so that all of them are measured by the same code.

pub mod accounting;
pub mod client;
pub mod control;
pub mod flags;
pub mod load;
pub mod measures;
pub mod report;
pub mod rt;
pub mod server;

/// Why a binary cannot go on; it is printed as it is.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
