//! What the emitter writes: services with all names and types decided.

use proc_macro2::TokenStream;
use prost_build::{Method, Service};
use quote::ToTokens;
use syn::Ident;
use syn::parse::Parser;

use crate::docs::Docs;
use crate::embed::{Descriptors, Embedded};
use crate::error::Error;
use crate::name;
use crate::settings::{Settings, covers};

/// One service.
#[derive(Debug)]
pub(crate) struct ServiceModel {
    pub(crate) stub: Ident,
    pub(crate) servicer: Ident,
    pub(crate) server: Ident,
    /// The type parameter of the server: `S`, unless a message is called so.
    pub(crate) parameter: Ident,
    /// As it goes over the wire: `helloworld.Greeter`.
    pub(crate) full_name: String,
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
    pub(crate) client_attributes: TokenStream,
    pub(crate) server_attributes: TokenStream,
    pub(crate) methods: Vec<MethodModel>,
    pub(crate) descriptors: Descriptors,
}

/// One rpc.
#[derive(Debug)]
pub(crate) struct MethodModel {
    pub(crate) name: Ident,
    /// As it goes over the wire: `/helloworld.Greeter/SayHello`.
    pub(crate) path: String,
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
    pub(crate) shape: Shape,
    pub(crate) request: TokenStream,
    pub(crate) response: TokenStream,
}

/// Which of the two sides sends more than one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Unary,
    ServerStreaming,
    ClientStreaming,
    Bidi,
}

impl ServiceModel {
    pub(crate) fn new(
        service: &Service,
        docs: &Docs,
        embedded: &mut Embedded<'_>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let full_name = match service.package.as_str() {
            package if package.is_empty() || settings.disable_package_emission => service.proto_name.clone(),
            package => format!("{package}.{}", service.proto_name),
        };
        let proto_name = match service.package.as_str() {
            "" => format!(".{}", service.proto_name),
            package => format!(".{package}.{}", service.proto_name),
        };
        let methods = service.methods.iter().map(|method| MethodModel::new(method, &full_name, docs));
        let methods = methods.collect::<Result<Vec<_>, _>>()?;
        let server = ident(&name::of_service(&service.proto_name, "Server"))?;
        Ok(Self {
            descriptors: embedded.take(service, &server)?,
            stub: ident(&name::of_service(&service.proto_name, "Stub"))?,
            servicer: ident(&name::of_service(&service.proto_name, "Servicer"))?,
            server,
            docs: lines(&service.comments.leading, docs),
            deprecated: service.options.deprecated(),
            client_attributes: attributes(&settings.client_attribute, &proto_name)?,
            server_attributes: attributes(&settings.server_attribute, &proto_name)?,
            parameter: ident(&parameter(service))?,
            methods,
            full_name,
        })
    }
}

impl MethodModel {
    fn new(method: &Method, service: &str, docs: &Docs) -> Result<Self, Error> {
        Ok(Self {
            name: ident(&name::of_method(&method.proto_name))?,
            path: format!("/{service}/{}", method.proto_name),
            docs: lines(&method.comments.leading, docs),
            deprecated: method.options.deprecated(),
            shape: match (method.client_streaming, method.server_streaming) {
                (false, false) => Shape::Unary,
                (false, true) => Shape::ServerStreaming,
                (true, false) => Shape::ClientStreaming,
                (true, true) => Shape::Bidi,
            },
            request: rust_type(&method.input_type)?,
            response: rust_type(&method.output_type)?,
        })
    }
}

fn parameter(service: &Service) -> String {
    let uses = |name: &str| {
        let mut methods = service.methods.iter();
        methods.any(|method| method.input_type == name || method.output_type == name)
    };
    let mut name = "S".to_owned();
    while uses(&name) {
        name.push('S');
    }
    name
}

fn lines(tokens: &[String], docs: &Docs) -> Vec<String> {
    tokens.iter().flat_map(|token| docs.lines(token)).cloned().collect()
}

fn ident(name: &str) -> Result<Ident, Error> {
    syn::parse_str(name).map_err(|_| Error::Backend(format!("`{name}` cannot be a name in Rust")))
}

fn rust_type(path: &str) -> Result<TokenStream, Error> {
    let path: Result<syn::Type, _> =
        syn::parse_str(path).map_err(|error| Error::Setting(format!("`{path}` is no Rust type: {error}")));
    Ok(path?.into_token_stream())
}

fn attributes(settings: &[(String, String)], element: &str) -> Result<TokenStream, Error> {
    let mut attributes = TokenStream::new();
    for (_, attribute) in settings.iter().filter(|(path, _)| covers([path], element)) {
        let parsed = syn::Attribute::parse_outer.parse_str(attribute);
        let parsed = parsed.map_err(|error| Error::Setting(format!("`{attribute}` is no Rust attribute: {error}")))?;
        attributes.extend(parsed.into_iter().map(ToTokens::into_token_stream));
    }
    Ok(attributes)
}
