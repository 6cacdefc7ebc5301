//! The code generated from the protos, for the rows and for the guide.

/// The greeter of the examples.
pub mod helloworld {
    callwright::include_proto!("helloworld");
}

/// A service with one method of each kind.
pub mod echo {
    callwright::include_proto!("callwright.tests");
}

/// The guide's programs, compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/http.md")]
struct Guide;
