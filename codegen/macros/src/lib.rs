//! `protos!`, `services!` and `protos_and_services!`: what the generator writes, without a build script.
//!
//! Use them through `callwright`, with its feature `macros`.

mod expand;
mod input;

use expand::Part;
use proc_macro::TokenStream;

/// The messages of `.proto` files, in modules named as their packages are.
///
/// ```ignore
/// callwright::protos!("proto/helloworld.proto");
/// let request = helloworld::HelloRequest::default();
/// ```
#[proc_macro]
pub fn protos(input: TokenStream) -> TokenStream {
    expand::expand(input.into(), Part::Messages).into()
}

/// The stubs and servicer traits of `.proto` files; `protos = PATH` says in which module `protos!` was called for them.
#[proc_macro]
pub fn services(input: TokenStream) -> TokenStream {
    expand::expand(input.into(), Part::Services).into()
}

/// The messages, stubs and servicer traits of `.proto` files, in modules named as their packages are.
#[proc_macro]
pub fn protos_and_services(input: TokenStream) -> TokenStream {
    expand::expand(input.into(), Part::Both).into()
}
