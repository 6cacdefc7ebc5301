//! What generated code asks a user's lints to overlook.
//!
//! The file is included into a module that belongs to the user, so it cannot open with `#![allow(..)]`; each item at its
//! top says it instead.

use syn::{Attribute, Item, parse_quote};

/// - `dead_code`: a binary that uses the stub leaves the server unused, and the other way round.
/// - `unreachable_pub`: the module that includes the file may be private.
/// - `let_underscore_drop`, `unit_bindings`, `unused_results`: the default body of a method takes what it is given.
/// - `clippy::all`, `clippy::pedantic`: names and sizes are the `.proto` author's choice.
pub(crate) fn allow(file: &mut syn::File) {
    for item in &mut file.items {
        if let Some(attributes) = attributes(item) {
            // After the doc comment, before the derives.
            let docs = attributes.iter().take_while(|attribute| attribute.path().is_ident("doc")).count();
            attributes.insert(
                docs,
                parse_quote!(#[allow(
                    dead_code,
                    let_underscore_drop,
                    unit_bindings,
                    unreachable_pub,
                    unused_results,
                    clippy::all,
                    clippy::pedantic
                )]),
            );
        }
    }
}

fn attributes(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Const(item) => Some(&mut item.attrs),
        Item::Enum(item) => Some(&mut item.attrs),
        Item::Impl(item) => Some(&mut item.attrs),
        Item::Mod(item) => Some(&mut item.attrs),
        Item::Struct(item) => Some(&mut item.attrs),
        Item::Trait(item) => Some(&mut item.attrs),
        _ => None,
    }
}
