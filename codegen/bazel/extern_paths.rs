//! Tells protoc-gen-callwright where the types of a dependency are: reads the serialized `FileDescriptorSet` of one
//! `proto_library`, writes one `--callwright_opt=extern_path=.package.Type=::crate::package::Type` a line.
//!
//! `extern_paths CRATE DESCRIPTOR_SET OUT`. It is compiled by rustc alone, so it uses nothing but the standard library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, set, out] = arguments.as_slice() else {
        eprintln!("usage: extern_paths CRATE DESCRIPTOR_SET OUT");
        return ExitCode::FAILURE;
    };
    let written = std::fs::read(set).map_err(|error| format!("{set}: {error}")).and_then(|bytes| {
        let lines = lines(name, &bytes).ok_or_else(|| format!("{set}: no FileDescriptorSet"))?;
        std::fs::write(out, lines).map_err(|error| format!("{out}: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("extern_paths: {error}");
            ExitCode::FAILURE
        }
    }
}

fn lines(name: &str, set: &[u8]) -> Option<String> {
    let mut text = String::new();
    for file in fields(set, &[1])? {
        let package = match fields(file, &[2])?.pop() {
            Some(package) => std::str::from_utf8(package).ok()?,
            None => "",
        };
        let scope = if package.is_empty() { String::new() } else { format!(".{package}") };
        let modules: String = package.split('.').filter(|part| !part.is_empty()).map(module).collect();
        // Messages and enums. What is nested in a message is found through the message.
        for declared in fields(file, &[4, 5])? {
            let declared = std::str::from_utf8(fields(declared, &[1])?.pop()?).ok()?;
            let rust = type_name(declared);
            text.push_str(&format!("--callwright_opt=extern_path={scope}.{declared}=::{name}::{modules}{rust}\n"));
        }
    }
    Some(text)
}

/// The values of the length-delimited fields with these numbers; none if the bytes are no protobuf message.
fn fields<'a>(mut bytes: &'a [u8], numbers: &[u64]) -> Option<Vec<&'a [u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let length = match tag & 7 {
            0 => {
                varint(&mut bytes)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (value, rest) = bytes.split_at_checked(length)?;
        if numbers.contains(&(tag >> 3)) {
            found.push(value);
        }
        bytes = rest;
    }
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The words of a name, as heck (whose names prost uses) has them.
fn words(name: &str) -> Vec<String> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mode {
        Start,
        Lower,
        Upper,
    }
    let mut words = Vec::new();
    for part in name.split('_').filter(|part| !part.is_empty()) {
        let chars: Vec<char> = part.chars().collect();
        let (mut start, mut mode) = (0, Mode::Start);
        for (at, c) in chars.iter().enumerate() {
            let Some(next) = chars.get(at + 1) else { break };
            let now = match c {
                c if c.is_lowercase() => Mode::Lower,
                c if c.is_uppercase() => Mode::Upper,
                _ => mode,
            };
            let end = if now == Mode::Lower && next.is_uppercase() {
                at + 1
            } else if mode == Mode::Upper && c.is_uppercase() && next.is_lowercase() {
                at
            } else {
                mode = now;
                continue;
            };
            words.push(chars[start..end].iter().collect());
            (start, mode) = (end, Mode::Start);
        }
        words.push(chars[start..].iter().collect());
    }
    words
}

fn type_name(name: &str) -> String {
    let capital = |word: String| {
        let mut chars = word.to_lowercase().chars().collect::<Vec<_>>();
        chars[0].make_ascii_uppercase();
        chars.into_iter().collect::<String>()
    };
    match words(name).into_iter().map(capital).collect::<String>() {
        name if name == "Self" => "Self_".to_owned(),
        name if name.starts_with(|c: char| c.is_ascii_digit()) => format!("_{name}"),
        name => name,
    }
}

/// A package's part as a module, with the `::` after it.
fn module(part: &str) -> String {
    const KEYWORDS: &str = " abstract alignof as async await become box break const continue do dyn else enum extern false final fn for \
        gen if impl in let loop macro match mod move mut offsetof override priv proc pub pure ref return sizeof static \
        struct trait true try type typeof unsafe unsized use virtual where while yield ";
    let name = words(part).join("_").to_lowercase();
    match name.as_str() {
        "self" | "super" | "crate" => format!("{name}_::"),
        _ if name.starts_with(|c: char| c.is_ascii_digit()) => format!("_{name}::"),
        _ if KEYWORDS.contains(&format!(" {name} ")) => format!("r#{name}::"),
        _ => format!("{name}::"),
    }
}
