//! From the input to what the generator writes.

use std::env;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::LitStr;

use crate::input::Input;

/// Which part of the generator's output a macro gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Messages,
    Services,
    Both,
}

pub(crate) fn expand(input: TokenStream, part: Part) -> TokenStream {
    syn::parse2(input).and_then(|input| generate(&input, part)).unwrap_or_else(|error| error.into_compile_error())
}

fn generate(input: &Input, part: Part) -> syn::Result<TokenStream> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| {
        syn::Error::new(
            Span::call_site(),
            "CARGO_MANIFEST_DIR is not set: this macro needs cargo, or use cargo xtask gen",
        )
    })?);
    let at = |literal: Option<&LitStr>| literal.map_or_else(Span::call_site, LitStr::span);
    let mut builder = callwright_build::configure().emit_rerun_if_changed(false);
    if let Some(options) = &input.options {
        builder = builder.parameter(&options.value()).map_err(|error| syn::Error::new(options.span(), error))?;
    }
    builder = match (part, &input.protos) {
        (Part::Messages, None) => builder.build_client(false).build_server(false),
        (Part::Services, Some(path)) => builder.messages_at(path.to_token_stream().to_string().replace(' ', "")),
        (Part::Both, None) => builder,
        (Part::Services, None) => {
            let text = "say where the messages are: services!(.., protos = crate::proto), with protos!(..) called in \
                        that module; or use protos_and_services!(..), which gives both";
            return Err(syn::Error::new(at(input.files.first()), text));
        }
        (_, Some(path)) => {
            return Err(syn::Error::new_spanned(path, "`protos` is for services! alone"));
        }
    };
    let folders: Vec<_> = match input.includes.as_slice() {
        [] => vec![root.clone()],
        includes => includes.iter().map(|folder| root.join(folder.value())).collect(),
    };
    let files: Vec<_> = input.files.iter().map(|file| file_in(&root, &folders, &file.value())).collect();
    let generated = outside_the_compiler(|| builder.generate(&files, &folders)).map_err(|error| {
        // Named as the user wrote them: relative to the crate's root.
        let text = format!("{error:?}").replace(&format!("{}/", root.display()), "");
        let literal = input.files.iter().find(|file| text.contains(&file.value())).or(input.files.first());
        syn::Error::new(at(literal), text)
    })?;
    let code: TokenStream = allow_deprecated(&generated.nested())
        .map_err(|error| syn::Error::new(at(input.files.first()), format!("the generated code is no Rust: {error}")))?;
    // What is included is tracked: a change of any file that was read expands the macro anew.
    let tracked = generated.read().iter().map(|path| {
        let path = path.to_string_lossy();
        quote!(
            const _: &[u8] = ::core::include_bytes!(#path);
        )
    });
    Ok(quote!(#code #(#tracked)*))
}

/// The tokens of generated code, in which fields that are deprecated may be used: the compiler overlooks that in what
/// prost derives from code in a file, but not in what it derives from code that a macro made. What is derived does not
/// have the attributes of its struct, so that this helps in the modules of packages alone.
fn allow_deprecated(code: &str) -> syn::Result<TokenStream> {
    if !code.contains("#[deprecated]") {
        return syn::parse_str(code);
    }
    let items = syn::parse_file(code)?.items;
    Ok(quote!(#(#[allow(deprecated)] #items)*))
}

/// Runs the generator, which works on a thread of its own: the compiler's tokens exist on this one alone.
fn outside_the_compiler<T>(work: impl FnOnce() -> T) -> T {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            proc_macro2::fallback::unforce();
        }
    }
    proc_macro2::fallback::force();
    let _restore = Restore;
    work()
}

/// A file relative to the crate's root, or else to a folder that is searched.
fn file_in(root: &Path, folders: &[PathBuf], file: &str) -> PathBuf {
    let path = root.join(file);
    match path.is_file() || folders.iter().all(|folder| !folder.join(file).is_file()) {
        true if path.is_file() => path,
        _ => PathBuf::from(file),
    }
}
