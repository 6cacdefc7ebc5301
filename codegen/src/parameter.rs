//! The plugin's parameter, spelled as protoc-gen-prost and protoc-gen-tonic spell theirs:
//! `key`, `key=true`, `key=value`, `key=proto.path=value`, separated by commas; `\,` is a comma in a value.

use crate::error::Error;
use crate::settings::{Layout, Settings};

/// How an option takes its value.
enum Kind {
    /// `key`, `key=true` or `key=false`
    Flag(fn(&mut Settings, bool)),
    /// `key=value`
    Value(fn(&mut Settings, String)),
    /// `key=path=value`
    Pair(fn(&mut Settings) -> &mut Vec<(String, String)>),
}

/// Every option, in the order of the alphabet.
const OPTIONS: &[(&str, Kind)] = &[
    ("boxed", Kind::Value(|settings, path| settings.boxed.push(path))),
    ("btree_map", Kind::Value(|settings, path| settings.btree_map.push(path))),
    ("bytes", Kind::Value(|settings, path| settings.bytes.push(path))),
    ("client_attribute", Kind::Pair(|settings| &mut settings.client_attribute)),
    ("compile_well_known_types", Kind::Flag(|settings, on| settings.compile_well_known_types = on)),
    ("default_package_filename", Kind::Value(|settings, name| settings.default_package_filename = name)),
    ("disable_comments", Kind::Value(|settings, path| settings.disable_comments.push(path))),
    ("disable_package_emission", Kind::Flag(|settings, on| settings.disable_package_emission = on)),
    ("enable_type_names", Kind::Flag(|settings, on| settings.enable_type_names = on)),
    ("enum_attribute", Kind::Pair(|settings| &mut settings.enum_attribute)),
    ("extern_crate", Kind::Pair(|settings| &mut settings.extern_crate)),
    ("extern_path", Kind::Pair(|settings| &mut settings.extern_path)),
    ("field_attribute", Kind::Pair(|settings| &mut settings.field_attribute)),
    ("file_descriptor_set", Kind::Flag(|settings, on| settings.file_descriptor_set = on)),
    (
        "flat_output_dir",
        Kind::Flag(|settings, on| {
            settings.layout = if on { Layout::Flat } else { Layout::Folders };
        }),
    ),
    ("include_file", Kind::Value(|settings, name| settings.include_file = Some(name))),
    ("message_attribute", Kind::Pair(|settings| &mut settings.message_attribute)),
    ("no_client", Kind::Flag(|settings, on| settings.build_client = !on)),
    ("no_descriptors", Kind::Flag(|settings, on| settings.service_descriptors = !on)),
    ("no_server", Kind::Flag(|settings, on| settings.build_server = !on)),
    ("retain_enum_prefix", Kind::Flag(|settings, on| settings.retain_enum_prefix = on)),
    ("server_attribute", Kind::Pair(|settings| &mut settings.server_attribute)),
    ("skip_debug", Kind::Value(|settings, path| settings.skip_debug.push(path))),
    ("type_attribute", Kind::Pair(|settings| &mut settings.type_attribute)),
    ("type_name_domain", Kind::Pair(|settings| &mut settings.type_name_domain)),
];

/// Applies all options of `parameter`.
pub(crate) fn apply(parameter: &str, settings: &mut Settings) -> Result<(), Error> {
    for option in split(parameter) {
        let (key, value) = match option.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value)),
            None => (option.trim(), None),
        };
        if key.is_empty() && value.is_none() {
            continue;
        }
        let Some((_, kind)) = OPTIONS.iter().find(|(name, _)| *name == key) else {
            return Err(unknown(key));
        };
        apply_one(key, value, kind, settings)?;
    }
    Ok(())
}

fn apply_one(key: &str, value: Option<&str>, kind: &Kind, settings: &mut Settings) -> Result<(), Error> {
    match (kind, value) {
        (Kind::Flag(set), None | Some("true")) => set(settings, true),
        (Kind::Flag(set), Some("false")) => set(settings, false),
        (Kind::Flag(_), Some(value)) => {
            return Err(Error::Setting(format!("{key}={value}: the value of {key} is true or false")));
        }
        (Kind::Value(set), Some(value)) if !value.is_empty() => set(settings, value.to_owned()),
        (Kind::Value(_), _) => {
            return Err(Error::Setting(format!("{key}: a value is missing ({key}=value)")));
        }
        (Kind::Pair(list), Some(value)) => match value.split_once('=') {
            Some((path, value)) if !path.is_empty() && !value.is_empty() => {
                list(settings).push((path.to_owned(), value.to_owned()));
            }
            _ => {
                return Err(Error::Setting(format!("{key}={value}: a path and a value are due ({key}=path=value)")));
            }
        },
        (Kind::Pair(_), None) => {
            return Err(Error::Setting(format!("{key}: a path and a value are missing ({key}=path=value)")));
        }
    }
    Ok(())
}

fn unknown(key: &str) -> Error {
    let names: Vec<_> = OPTIONS.iter().map(|(name, _)| *name).collect();
    let nearest = names.iter().map(|name| (distance(key, name), *name)).min();
    let hint = match nearest {
        Some((distance, name)) if distance <= 3 => format!("; did you mean `{name}`?"),
        _ => ".".to_owned(),
    };
    Error::Setting(format!("unknown parameter `{key}`{hint} Known are {}.", names.join(", ")))
}

/// The options, with `\,` made a comma.
fn split(parameter: &str) -> Vec<String> {
    let mut options = vec![String::new()];
    let mut chars = parameter.chars().peekable();
    while let Some(c) = chars.next() {
        let last = options.len() - 1;
        match c {
            '\\' if chars.peek() == Some(&',') => options[last].extend(chars.next()),
            ',' => options.push(String::new()),
            _ => options[last].push(c),
        }
    }
    options
}

/// How many characters must change to make one name of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (at, r) in right.iter().enumerate() {
            let change = diagonal + usize::from(l != *r);
            diagonal = row[at + 1];
            row[at + 1] = change.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{OPTIONS, apply};
    use crate::settings::{Layout, Settings};

    fn applied(parameter: &str) -> Settings {
        let mut settings = Settings::default();
        match apply(parameter, &mut settings) {
            Ok(()) => settings,
            Err(error) => panic!("{error}"),
        }
    }

    fn refused(parameter: &str) -> String {
        match apply(parameter, &mut Settings::default()) {
            Ok(()) => panic!("{parameter} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn options_are_spelled_as_prost_and_tonic_spell_them() {
        let settings = applied(
            "bytes=.,btree_map=.a,boxed=.a.B.c,no_server,no_client=false,extern_path=.a=::b::c,flat_output_dir=false,\
             type_attribute=.=#[derive(Eq\\, Hash)],default_package_filename=root,compile_well_known_types=true",
        );
        assert_eq!(settings.bytes, ["."]);
        assert_eq!(settings.btree_map, [".a"]);
        assert_eq!(settings.boxed, [".a.B.c"]);
        assert!(settings.build_client && !settings.build_server && settings.compile_well_known_types);
        assert_eq!(settings.extern_path, [(".a".to_owned(), "::b::c".to_owned())]);
        assert_eq!(settings.type_attribute, [(".".to_owned(), "#[derive(Eq, Hash)]".to_owned())]);
        assert_eq!(settings.default_package_filename, "root");
        assert_eq!(settings.layout, Layout::Folders);
    }

    #[test]
    fn the_empty_parameter_changes_nothing() {
        assert_eq!(format!("{:?}", applied("")), format!("{:?}", Settings::default()));
        assert_eq!(format!("{:?}", applied(",")), format!("{:?}", Settings::default()));
    }

    #[test]
    fn an_unknown_parameter_names_the_nearest_and_all_known() {
        let error = refused("extern_paths=.a=::b");
        assert!(
            error.starts_with("unknown parameter `extern_paths`; did you mean `extern_path`? Known are boxed, "),
            "{error}"
        );
        let error = refused("gargantuan");
        assert!(error.starts_with("unknown parameter `gargantuan`. Known are boxed, "), "{error}");
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused() {
        assert_eq!(refused("no_server=maybe"), "no_server=maybe: the value of no_server is true or false");
        assert_eq!(refused("bytes"), "bytes: a value is missing (bytes=value)");
        assert_eq!(refused("extern_path=.a"), "extern_path=.a: a path and a value are due (extern_path=path=value)");
    }

    #[test]
    fn options_are_in_the_order_of_the_alphabet() {
        assert!(OPTIONS.is_sorted_by_key(|(name, _)| *name));
    }
}
