//! The Rust of services, token by token. It is thin: names, types and one call into the runtime per rpc.

mod server;
mod servicer;
mod stub;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::ServiceModel;
use crate::settings::Settings;

/// Everything that one service becomes.
pub(crate) fn service(service: &ServiceModel, settings: &Settings) -> TokenStream {
    let mut tokens = TokenStream::new();
    if settings.build_client {
        tokens.extend(stub::emit(service));
    }
    if settings.build_server {
        tokens.extend(servicer::emit(service));
        tokens.extend(server::emit(service));
    }
    tokens
}

fn docs(lines: &[String]) -> TokenStream {
    // A doc comment holds its text without the blank that `///` is followed by.
    let lines = lines.iter().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

fn deprecated(deprecated: bool) -> TokenStream {
    if deprecated { quote!(#[deprecated]) } else { TokenStream::new() }
}

/// Generated code calls what is deprecated without meaning to.
fn allow_deprecated(service: &ServiceModel) -> TokenStream {
    if service.deprecated || service.methods.iter().any(|method| method.deprecated) {
        quote!(#[allow(deprecated)])
    } else {
        TokenStream::new()
    }
}
