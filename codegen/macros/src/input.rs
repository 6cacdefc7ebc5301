//! What is written between the parentheses: files, then settings.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Path, Token, bracketed};

/// `"a.proto", "b.proto", include = "proto", options = "bytes=.", protos = crate::proto`
pub(crate) struct Input {
    pub(crate) files: Vec<LitStr>,
    pub(crate) includes: Vec<LitStr>,
    pub(crate) options: Option<LitStr>,
    pub(crate) protos: Option<Path>,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Input> {
        let mut parsed = Input { files: Vec::new(), includes: Vec::new(), options: None, protos: None };
        while !input.is_empty() {
            if input.peek(LitStr) {
                parsed.files.push(input.parse()?);
            } else {
                parsed.setting(input)?;
            }
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        if parsed.files.is_empty() {
            return Err(input.error("name a .proto file, relative to the crate's root: \"proto/helloworld.proto\""));
        }
        Ok(parsed)
    }
}

impl Input {
    fn setting(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let name: Ident = input.parse().map_err(|error| {
            syn::Error::new(error.span(), "expected a .proto file as a string, or one of include, options, protos")
        })?;
        input.parse::<Token![=]>()?;
        match name.to_string().as_str() {
            "include" if input.peek(LitStr) => self.includes.push(input.parse()?),
            "include" => {
                let list;
                bracketed!(list in input);
                self.includes.extend(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?);
            }
            "options" => self.options = Some(input.parse()?),
            "protos" => self.protos = Some(input.parse()?),
            _ => return Err(syn::Error::new(name.span(), "unknown setting: there are include, options and protos")),
        }
        Ok(())
    }
}
