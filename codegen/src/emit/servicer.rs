//! `FooServicer`: the trait that a server implements. Every method has a body, so that a method left out answers
//! UNIMPLEMENTED.

use proc_macro2::TokenStream;
use quote::quote;

use super::{deprecated, docs};
use crate::model::{MethodModel, ServiceModel, Shape};

pub(super) fn emit(service: &ServiceModel) -> TokenStream {
    let servicer = &service.servicer;
    let docs = docs(&service.docs);
    let deprecated = deprecated(service.deprecated);
    let methods = service.methods.iter().map(method);
    quote! {
        #docs
        #deprecated
        pub trait #servicer: ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

fn method(method: &MethodModel) -> TokenStream {
    let MethodModel { name, request, response, .. } = method;
    let docs = docs(&method.docs);
    let deprecated = deprecated(method.deprecated);
    let one = quote!(request: #request);
    let many = quote!(requests: ::callwright::Requests<#request>);
    let responses = quote!(responses: &mut ::callwright::Responses<#response>);
    let (parameters, unused, output) = match method.shape {
        Shape::Unary => (one, quote!(request), quote!(#response)),
        Shape::ServerStreaming => (quote!(#one, #responses), quote!((request, responses)), quote!(())),
        Shape::ClientStreaming => (many, quote!(requests), quote!(#response)),
        Shape::Bidi => (quote!(#many, #responses), quote!((requests, responses)), quote!(())),
    };
    quote! {
        #docs
        #deprecated
        fn #name(
            &self,
            #parameters,
            context: &mut ::callwright::ServerContext,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<#output, ::callwright::Status>,
        > + ::core::marker::Send {
            let _ = #unused;
            ::core::future::ready(::core::result::Result::Err(
                ::callwright::Status::method_not_implemented(context.method()),
            ))
        }
    }
}
