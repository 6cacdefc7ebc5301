//! One `.proto` file as text, and what must be known of it before a parser sees it.

use std::fs;
use std::path::Path;

use crate::error::{Error, Problem};
use crate::load::include::display;

/// How deep brackets may nest. protoc stops at 32 messages; options may add a few levels of their own. Parsers that
/// recurse must never see more than this.
const MAX_DEPTH: usize = 200;

/// Reads a file for the protox engine: without its byte order mark, valid UTF-8, brackets within bounds, and not
/// written in an edition, which protox cannot read.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let file = display(path);
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        Error::at(Problem::new(&file, Some(position(&before, before.len())), "not valid UTF-8"))
    })?;
    text_of(&file, &text)
}

/// The same of a text in memory: `file` is what an error calls it.
pub(crate) fn text_of(file: &str, text: &str) -> Result<String, Error> {
    // protoc accepts a byte order mark, protox calls it an invalid token.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check(file, text)?;
    Ok(text.to_owned())
}

fn check(file: &str, source: &str) -> Result<(), Error> {
    let mut depth = 0_usize;
    let mut first = true;
    for token in Tokens::new(source) {
        if first && token.text == "edition" {
            let edition = Tokens::new(&source[token.at..]).nth(2).map_or("", |token| token.text);
            let edition = edition.trim_matches(['"', '\'']);
            return Err(Error::at(Problem::new(
                file,
                Some(position(source, token.at)),
                format!(
                    "edition {edition} is read by protoc alone: set PROTOC to the path of protoc 27 or newer (32 for \
                     edition 2024), or give a descriptor set"
                ),
            )));
        }
        first = false;
        match token.text {
            "{" | "[" | "(" | "<" => depth += 1,
            "}" | "]" | ")" | ">" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(Error::at(Problem::new(file, Some(position(source, token.at)), message)));
        }
    }
    Ok(())
}

/// What protox leaves open about a syntax error: where the end of the file is, which of two packages is the second, and
/// that it was an import it called a group.
pub(crate) fn place_of_syntax_error(mut problem: Problem, source: &str) -> Problem {
    match problem.position {
        None => {
            let packages = Tokens::new(source).filter(|token| token.text == "package").map(|token| token.at);
            let at = match problem.text.contains("multiple package") {
                true => packages.last(),
                false => None,
            };
            problem.position = Some(position(source, at.unwrap_or(source.trim_end().len())));
        }
        Some(place) if problem.text == "invalid group name" => {
            let mut tokens = Tokens::new(source);
            if tokens.any(|token| token.text.starts_with(['"', '\'']) && position(source, token.at) == place) {
                problem.text = "an import is a path below an include path, with `/`, without `.` and `..`".to_owned();
            }
        }
        Some(_) => {}
    }
    problem
}

/// Line and column of a byte offset, both counted from 1.
pub(crate) fn position(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

struct Token<'a> {
    text: &'a str,
    at: usize,
}

/// Words, string literals and single characters; comments and blanks are left out.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn skip(&mut self, length: usize) {
        self.at = (self.at + length).min(self.text.len());
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let first = rest.chars().next()?;
            if first.is_whitespace() {
                self.skip(first.len_utf8());
            } else if rest.starts_with("//") {
                self.skip(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.skip(rest.find("*/").map_or(rest.len(), |end| end + 2));
            } else {
                let length = match first {
                    '"' | '\'' => literal(rest, first),
                    _ if first.is_alphanumeric() || first == '_' => {
                        rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len())
                    }
                    _ => first.len_utf8(),
                };
                let token = Token { text: &rest[..length], at: self.at };
                self.skip(length);
                return Some(token);
            }
        }
    }
}

/// The length of the string literal that `text` begins with; one that is never closed ends with its line.
fn literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
