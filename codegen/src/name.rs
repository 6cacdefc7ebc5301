//! Rust names for what a `.proto` names, by prost's rules, so that both halves of a file agree.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// A module or function name: `SayHello` is `say_hello`, `Match` is `r#match`, `Self` is `self_`.
pub(crate) fn snake(name: &str) -> String {
    sanitize(name.to_snake_case())
}

/// A type or variant name: `say_hello` is `SayHello`.
pub(crate) fn upper_camel(name: &str) -> String {
    sanitize(name.to_upper_camel_case())
}

/// The name of a generated type that belongs to a service: `FooStub`.
pub(crate) fn of_service(service: &str, suffix: &str) -> String {
    sanitize(service.to_upper_camel_case() + suffix)
}

/// The name of an rpc's method, which must not be one that every stub has.
pub(crate) fn of_method(rpc: &str) -> String {
    match snake(rpc) {
        name if matches!(name.as_str(), "new" | "clone") => name + "_",
        name => name,
    }
}

/// The variant of an enum's value, without the enum's own name before it unless `retain`.
pub(crate) fn of_value(enumeration: &str, value: &str, retain: bool) -> String {
    let name = upper_camel(value);
    if retain {
        return name;
    }
    let stripped = name.strip_prefix(&upper_camel(enumeration)).filter(|rest| rest.starts_with(char::is_uppercase));
    stripped.map_or_else(|| name.clone(), |rest| sanitize(rest.to_owned()))
}

/// prost-build's rule, which it does not publish.
fn sanitize(name: String) -> String {
    match name.as_str() {
        "as" | "break" | "const" | "continue" | "else" | "enum" | "false" | "fn" | "for" | "if" | "impl" | "in"
        | "let" | "loop" | "match" | "mod" | "move" | "mut" | "pub" | "ref" | "return" | "static" | "struct"
        | "trait" | "true" | "type" | "unsafe" | "use" | "where" | "while" | "dyn" | "abstract" | "become" | "box"
        | "do" | "final" | "macro" | "override" | "priv" | "typeof" | "unsized" | "virtual" | "yield" | "async"
        | "await" | "try" | "gen" => format!("r#{name}"),
        "_" | "super" | "self" | "Self" | "extern" | "crate" => name + "_",
        _ if name.starts_with(char::is_numeric) => format!("_{name}"),
        _ => name,
    }
}
