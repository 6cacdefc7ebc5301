//! The names that come nearest to one that is not there.

use super::DynamicError;

/// How many are listed.
const LISTED: usize = 5;

/// The error for a name that is not among those that are there.
pub(super) fn unknown(kind: impl Into<String>, name: &str, known: impl Iterator<Item = String>) -> DynamicError {
    let mut known: Vec<_> = known.map(|known| (distance(name, &known), known)).collect();
    known.sort();
    known.dedup();
    let nearest = known.into_iter().take(LISTED).map(|(_, name)| name).collect();
    DynamicError::Unknown { kind: kind.into(), name: name.to_owned(), nearest }
}

/// Alike up to case and package counts as nearest: that is what people leave out.
fn distance(one: &str, other: &str) -> usize {
    let last = |name: &str| name.rsplit(['.', '/']).next().unwrap_or(name).to_lowercase();
    let (short, whole) = (
        strsim::damerau_levenshtein(&last(one), &last(other)),
        strsim::damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase()),
    );
    short * 2 + whole
}
