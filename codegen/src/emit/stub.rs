//! `FooStub`: what a client calls.

use proc_macro2::TokenStream;
use quote::quote;

use super::{allow_deprecated, deprecated, docs};
use crate::model::{MethodModel, ServiceModel, Shape};

pub(super) fn emit(service: &ServiceModel) -> TokenStream {
    let ServiceModel { stub, full_name, client_attributes, .. } = service;
    let docs = docs(&service.docs);
    let deprecated = deprecated(service.deprecated);
    let allow = allow_deprecated(service);
    let methods = service.methods.iter().map(method);
    quote! {
        #docs
        #deprecated
        #client_attributes
        #[derive(Clone, Debug)]
        pub struct #stub {
            channel: ::callwright::Channel,
        }
        #allow
        impl #stub {
            /// The full name of the service.
            pub const SERVICE_NAME: &'static str = #full_name;

            /// A stub whose calls go out on `channel`; cheap to clone.
            pub fn new(channel: ::callwright::Channel) -> Self {
                Self { channel }
            }

            #(#methods)*
        }
    }
}

fn method(method: &MethodModel) -> TokenStream {
    let MethodModel { name, path, request, response, .. } = method;
    let docs = docs(&method.docs);
    let deprecated = deprecated(method.deprecated);
    let (marker, call, argument) = match method.shape {
        Shape::Unary => (quote!(Unary), quote!(unary), true),
        Shape::ServerStreaming => (quote!(ServerStreaming), quote!(server_streaming), true),
        Shape::ClientStreaming => (quote!(ClientStreaming), quote!(client_streaming), false),
        Shape::Bidi => (quote!(Bidi), quote!(bidi), false),
    };
    let (parameter, argument) =
        if argument { (quote!(, request: #request), quote!(, request)) } else { Default::default() };
    quote! {
        #docs
        #deprecated
        pub fn #name(&self #parameter) -> ::callwright::Call<::callwright::#marker, #request, #response> {
            ::callwright::Call::#call(&self.channel, ::callwright::Method::new(#path) #argument)
        }
    }
}
