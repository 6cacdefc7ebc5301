//! The fields of a header block: a list in the order of the wire, shared by its clones.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The fields of a header block, in their order; a name may stand more than once.
///
/// A clone shares the list, so that what is the same in every message (the headers of a response, say) is made once. The
/// connection knows such a list again by where it is, and has its bytes ready: see [`is`](Self::is).
#[derive(Clone, Default)]
pub struct Fields {
    // A message has a handful: a list is made and walked faster than a map.
    list: Option<Arc<Vec<(HeaderName, HeaderValue)>>>,
}

impl Fields {
    /// No fields.
    pub const fn new() -> Fields {
        Fields { list: None }
    }

    /// No fields, and room for so many.
    pub fn with_capacity(capacity: usize) -> Fields {
        Fields { list: Some(Arc::new(Vec::with_capacity(capacity))) }
    }

    /// Adds a field behind the others; those that share the list do not get it.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        Arc::make_mut(self.list.get_or_insert_default()).push((name, value));
    }

    /// Takes out all fields of this name.
    pub fn remove(&mut self, name: &HeaderName) {
        if self.get(name).is_some()
            && let Some(list) = &mut self.list
        {
            Arc::make_mut(list).retain(|(known, _)| known != name);
        }
    }

    /// The first value of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> + Clone {
        self.as_slice().iter().map(|(name, value)| (name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Whether this is a clone of `other`, or `other` of this: it has the same fields then. Fields that are equal and were made
    /// apart are not.
    pub fn is(&self, other: &Fields) -> bool {
        match (&self.list, &other.list) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether nobody else has this list, so that it will hardly be seen again.
    pub(crate) fn is_single(&self) -> bool {
        self.list.as_ref().is_none_or(|list| Arc::strong_count(list) == 1)
    }

    fn as_slice(&self) -> &[(HeaderName, HeaderValue)] {
        self.list.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl From<Vec<(HeaderName, HeaderValue)>> for Fields {
    fn from(list: Vec<(HeaderName, HeaderValue)>) -> Fields {
        Fields { list: (!list.is_empty()).then(|| Arc::new(list)) }
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for Fields {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: I) -> Fields {
        fields.into_iter().collect::<Vec<_>>().into()
    }
}

impl Extend<(HeaderName, HeaderValue)> for Fields {
    fn extend<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(&mut self, fields: I) {
        fields.into_iter().for_each(|(name, value)| self.append(name, value));
    }
}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Fields {
        map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl From<&Fields> for HeaderMap {
    fn from(fields: &Fields) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(fields.len());
        map.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        map
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Fields) -> bool {
        self.is(other) || self.as_slice() == other.as_slice()
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HOST, TE};

    use super::*;

    #[test]
    fn a_clone_shares_the_list_until_it_is_changed() {
        let value = HeaderValue::from_static;
        let mut fields = Fields::from_iter([(TE, value("trailers")), (HOST, value("a")), (HOST, value("b"))]);
        let shared = fields.clone();
        assert!(fields.is(&shared) && !fields.is_single());
        fields.remove(&ACCEPT);
        assert!(fields.is(&shared));
        fields.remove(&HOST);
        assert!(!fields.is(&shared) && fields.is_single());
        assert_eq!((fields.len(), shared.len(), shared.get(&HOST)), (1, 3, Some(&value("a"))));
        fields.append(HOST, value("a"));
        fields.append(HOST, value("b"));
        assert_eq!((&fields, Fields::from(&HeaderMap::from(&fields))), (&shared, shared.clone()));
        assert!(Fields::new().is(&Fields::default()) && Fields::new().is_empty());
    }
}
