//! `FooServer`: a servicer under the names that the wire knows, for `Server::add_service`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{allow_deprecated, deprecated};
use crate::embed::Descriptors;
use crate::model::{MethodModel, ServiceModel, Shape};

pub(super) fn emit(service: &ServiceModel) -> TokenStream {
    let ServiceModel { server, servicer, parameter, full_name, server_attributes, .. } = service;
    let deprecated = deprecated(service.deprecated);
    let allow = allow_deprecated(service);
    let methods = service.methods.iter().map(|method| register(service, method));
    let (held, descriptors) = descriptors(service);
    let summary = format!(" Serves a [`{servicer}`] as `{full_name}`.");
    quote! {
        #[doc = #summary]
        #deprecated
        #server_attributes
        #[derive(Debug)]
        pub struct #server<#parameter> {
            servicer: ::std::sync::Arc<#parameter>,
        }
        #allow
        impl<#parameter> ::core::clone::Clone for #server<#parameter> {
            fn clone(&self) -> Self {
                Self { servicer: ::std::sync::Arc::clone(&self.servicer) }
            }
        }
        #allow
        impl<#parameter: #servicer> #server<#parameter> {
            /// The full name of the service.
            pub const SERVICE_NAME: &'static str = #full_name;

            /// A service that answers with `servicer`.
            pub fn new(servicer: #parameter) -> Self {
                Self::from_arc(::std::sync::Arc::new(servicer))
            }

            /// A service that answers with a `servicer` that others hold too.
            pub fn from_arc(servicer: ::std::sync::Arc<#parameter>) -> Self {
                Self { servicer }
            }
        }
        #held
        #allow
        impl<#parameter> ::callwright::server::NamedService for #server<#parameter> {
            const NAME: &'static str = #full_name;
        }
        #allow
        impl<#parameter: #servicer> ::callwright::server::Service for #server<#parameter> {
            fn register(self, methods: &mut ::callwright::server::Methods) {
                methods.service(Self::SERVICE_NAME, self.servicer) #(#methods)*;
            }
            #descriptors
        }
    }
}

/// The constant with the descriptors, where they are this server's, and the method that gives them.
fn descriptors(service: &ServiceModel) -> (TokenStream, TokenStream) {
    let server = &service.server;
    let allow = allow_deprecated(service);
    let mut allow_at = TokenStream::new();
    let (holder, held) = match &service.descriptors {
        Descriptors::None => return Default::default(),
        Descriptors::At(holder) => {
            // The other one may be deprecated.
            allow_at = quote!(#[allow(deprecated)]);
            (holder, TokenStream::new())
        }
        Descriptors::Own(bytes) => {
            let bytes = Literal::byte_string(bytes);
            // Of one type, so that there is one of it however many servicers there are.
            let held = quote! {
                #allow
                impl #server<()> {
                    const FILE_DESCRIPTOR_SET: &'static [u8] = #bytes;
                }
            };
            (server, held)
        }
    };
    let method = quote! {
        #allow_at
        fn file_descriptor_set(&self) -> ::callwright::codegen::Bytes {
            ::callwright::codegen::Bytes::from_static(#holder::<()>::FILE_DESCRIPTOR_SET)
        }
    };
    (held, method)
}

fn register(service: &ServiceModel, method: &MethodModel) -> TokenStream {
    let ServiceModel { servicer, parameter, .. } = service;
    let MethodModel { name, path, request, response, .. } = method;
    let (kind, arguments) = match method.shape {
        Shape::Unary => (quote!(unary), quote!(request, context)),
        Shape::ServerStreaming => (quote!(server_streaming), quote!(request, responses, context)),
        Shape::ClientStreaming => (quote!(client_streaming), quote!(requests, context)),
        Shape::Bidi => (quote!(bidi), quote!(requests, responses, context)),
    };
    quote! {
        .#kind(
            ::callwright::Method::<#request, #response>::new(#path),
            |servicer, #arguments| ::std::boxed::Box::pin(<#parameter as #servicer>::#name(servicer, #arguments)),
        )
    }
}
