//! Command line flags as gRPC's interop programs take them: `--flag=value`, `--flag value`, and with one dash.
//!
//! A bool may stand alone: `--use_tls` is `--use_tls=true`.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// One flag that a program takes.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The name, without dashes.
    pub name: &'static str,
    /// The value if it is not given.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
}

/// The flags that were given.
#[derive(Clone, Debug)]
pub struct Flags {
    values: BTreeMap<&'static str, String>,
}

/// Why flags cannot be used; shown with the program's usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagError(pub(super) String);

impl std::fmt::Display for FlagError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FlagError {}

impl Flags {
    /// Reads the flags in `arguments`, which are without the program's name.
    ///
    /// # Errors
    /// [`FlagError`] for a flag that is not `known`, a value that is missing, or an argument that is no flag.
    pub fn parse(known: &[Flag], arguments: impl IntoIterator<Item = String>) -> Result<Flags, FlagError> {
        let mut values: BTreeMap<_, _> = known.iter().map(|flag| (flag.name, flag.default.to_owned())).collect();
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let text = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
            let text = text.ok_or_else(|| FlagError(format!("unexpected argument {argument:?}")))?;
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (text, None),
            };
            let flag = known.iter().find(|flag| flag.name == name);
            let flag = flag.ok_or_else(|| FlagError(format!("unknown flag --{name}")))?;
            let value = match value {
                Some(value) => value,
                None if is_bool(flag.default) => {
                    arguments.next_if(|next| is_bool(next)).unwrap_or_else(|| "true".to_owned())
                }
                None => arguments.next().ok_or_else(|| FlagError(format!("--{name} needs a value")))?,
            };
            values.insert(flag.name, value);
        }
        Ok(Flags { values })
    }

    /// The value of a flag; empty for one that the program does not have.
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// The value of a flag that is a bool.
    ///
    /// # Errors
    /// [`FlagError`] for a value that is none.
    pub fn bool(&self, name: &str) -> Result<bool, FlagError> {
        match self.text(name) {
            "true" | "True" | "1" => Ok(true),
            "false" | "False" | "0" | "" => Ok(false),
            other => Err(FlagError(format!("--{name}={other}: true or false is needed"))),
        }
    }

    /// The value of a flag that is a number within these bounds.
    ///
    /// # Errors
    /// [`FlagError`] for a value that is none.
    pub fn number(&self, name: &str, bounds: impl RangeBounds<u32>) -> Result<u32, FlagError> {
        let text = self.text(name);
        match text.parse() {
            Ok(number) if bounds.contains(&number) => Ok(number),
            Ok(number) => Err(FlagError(format!("--{name}={number}: it is too small, or too large"))),
            Err(_) => Err(FlagError(format!("--{name}={text}: a whole number is needed, and no negative one"))),
        }
    }

    /// The value of a flag that is a port.
    ///
    /// # Errors
    /// [`FlagError`] for a value that is none.
    pub fn port(&self, name: &str) -> Result<u16, FlagError> {
        let text = self.text(name);
        text.parse().map_err(|_| FlagError(format!("--{name}={text}: a port from 0 to 65535 is needed")))
    }
}

/// The usage of a program with these flags.
pub fn usage(program: &str, about: &str, known: &[Flag]) -> String {
    let mut text = format!("{about}\n\nUsage: {program} [--flag=value ..]\n\nFlags:\n");
    for Flag { name, default, help } in known {
        text.push_str(&format!("  --{name}={default}\n      {help}\n"));
    }
    text
}

fn is_bool(text: &str) -> bool {
    matches!(text, "true" | "false" | "True" | "False")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Flag; 3] = [
        Flag { name: "port", default: "10000", help: "" },
        Flag { name: "use_tls", default: "false", help: "" },
        Flag { name: "test_case", default: "large_unary", help: "" },
    ];

    fn parse(arguments: &[&str]) -> Result<Flags, FlagError> {
        Flags::parse(&KNOWN, arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn every_spelling_of_a_flag_is_taken() {
        for arguments in [&["--port=7"][..], &["--port", "7"], &["-port=7"], &["-port", "7"]] {
            assert_eq!(parse(arguments).unwrap().port("port"), Ok(7), "{arguments:?}");
        }
    }

    #[test]
    fn a_bool_may_stand_alone_or_have_its_value_behind_it() {
        for (arguments, expected) in [
            (&["--use_tls"][..], true),
            (&["--use_tls", "--port=1"], true),
            (&["--use_tls", "true"], true),
            (&["--use_tls", "false"], false),
            (&["--use_tls=false"], false),
            (&[], false),
        ] {
            assert_eq!(parse(arguments).unwrap().bool("use_tls"), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn what_is_no_flag_is_refused() {
        for arguments in [&["--what=1"][..], &["port"], &["--port"]] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
        assert!(parse(&["--port=many"]).unwrap().port("port").is_err());
        let number = |text| parse(&[&format!("--port={text}")]).unwrap().number("port", 1..10);
        assert_eq!(number("9"), Ok(9));
        for text in ["0", "10", "-1", "many", "1.5", "99999999999"] {
            assert!(number(text).is_err(), "{text}");
        }
        assert!(parse(&["--use_tls=perhaps"]).unwrap().bool("use_tls").is_err());
    }
}
