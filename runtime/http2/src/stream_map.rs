//! Values by stream id, found by arithmetic.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The fewest places that a map with anything in it has.
const FEWEST: usize = 8;
/// So many places are kept, however few streams there are.
const MANY: usize = 512;

/// Values by stream id.
///
/// The ids of a connection's streams are odd numbers in a row (there is no push), most of them near the newest: each has a place
/// by its id, and is found without hashing. One whose place is taken, by a stream that is open for long, goes into a table beside.
#[derive(Debug)]
pub struct StreamMap<T> {
    places: Vec<Option<(u32, T)>>,
    beside: HashMap<u32, T, BuildHasherDefault<IdHasher>>,
    len: usize,
}

impl<T> StreamMap<T> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is a value for this stream.
    pub fn contains(&self, id: u32) -> bool {
        self.get(id).is_some()
    }

    /// The value of a stream.
    pub fn get(&self, id: u32) -> Option<&T> {
        match self.places.get(self.place(id)) {
            Some(Some((known, value))) if *known == id => Some(value),
            _ if self.beside.is_empty() => None,
            _ => self.beside.get(&id),
        }
    }

    /// The value of a stream, to change.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let place = self.place(id);
        match self.places.get_mut(place) {
            Some(Some((known, value))) if *known == id => Some(value),
            _ if self.beside.is_empty() => None,
            _ => self.beside.get_mut(&id),
        }
    }

    /// Adds the value of a stream that has none so far.
    pub fn insert(&mut self, id: u32, value: T) {
        self.len += 1;
        if self.places.is_empty() {
            self.resize(FEWEST);
        }
        // A place is worth having for four streams: ids that all want the same one do not make this grow without end.
        while self.places[self.place(id)].is_some() && self.places.len() < 4 * self.len {
            self.resize(2 * self.places.len());
        }
        let place = self.place(id);
        match &mut self.places[place] {
            free @ None => *free = Some((id, value)),
            Some(_) => drop(self.beside.insert(id, value)),
        }
    }

    /// Takes the value of a stream out.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let place = self.place(id);
        let removed = match self.places.get_mut(place) {
            Some(taken @ Some(_)) if taken.as_ref().is_some_and(|(known, _)| *known == id) => {
                taken.take().map(|(_, value)| value)
            }
            _ if self.beside.is_empty() => None,
            _ => self.beside.remove(&id),
        };
        self.len -= usize::from(removed.is_some());
        // There were many: what goes through all places is paid for by the streams that there are, and a connection that rests
        // does not keep room for those that there were.
        if self.places.len() > MANY && self.places.len() > 16 * self.len {
            self.resize((4 * self.len).next_power_of_two().max(FEWEST));
        }
        removed
    }

    /// The ids, in no order.
    pub fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.places.iter().flatten().map(|(id, _)| *id).chain(self.beside.keys().copied())
    }

    /// The values, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> + '_ {
        self.places.iter_mut().flatten().map(|(_, value)| value).chain(self.beside.values_mut())
    }

    /// Takes all values out, in no order.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, T)> + use<T> {
        let StreamMap { places, beside, .. } = std::mem::take(self);
        places.into_iter().flatten().chain(beside)
    }

    fn place(&self, id: u32) -> usize {
        // The number of places is a power of two.
        (id as usize / 2) & self.places.len().wrapping_sub(1)
    }

    fn resize(&mut self, places: usize) {
        let grown = (0..places).map(|_| None).collect();
        let before = std::mem::replace(&mut self.places, grown);
        let beside = std::mem::take(&mut self.beside);
        // Those that had places have different ones again.
        for (id, value) in before.into_iter().flatten().chain(beside) {
            let place = self.place(id);
            match &mut self.places[place] {
                free @ None => *free = Some((id, value)),
                Some(_) => drop(self.beside.insert(id, value)),
            }
        }
    }
}

impl<T> Default for StreamMap<T> {
    fn default() -> StreamMap<T> {
        StreamMap { places: Vec::new(), beside: HashMap::default(), len: 0 }
    }
}

/// Ids are numbers in a row: they need no hashing, only spreading.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        // The table takes its places from the low bits, which of a product depend on the low bits of the id alone.
        self.0.rotate_left(20)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_has_what_a_map_has_whatever_the_ids_are() {
        for step in [2, 6, 1024] {
            let (mut map, mut expected) = (StreamMap::default(), BTreeMap::new());
            for count in 0..3000u32 {
                let id = 1 + count * step;
                map.insert(id, count);
                expected.insert(id, count);
                // Every third stays for long, the others go soon.
                let gone = id.wrapping_sub(20 * step);
                if count % 3 != 0 {
                    assert_eq!(map.remove(gone), expected.remove(&gone));
                }
                assert_eq!((map.len(), map.get(id), map.get(id + 1000 * step)), (expected.len(), Some(&count), None));
            }
            assert!(map.places.len() <= 8 * map.len(), "{} places for {}", map.places.len(), map.len());
            let mut ids: Vec<_> = map.ids().collect();
            ids.sort_unstable();
            assert_eq!(ids, expected.keys().copied().collect::<Vec<_>>());
            map.values_mut().for_each(|value| *value += 1);
            for (id, value) in expected {
                assert_eq!(map.get_mut(id).copied(), Some(value + 1));
                assert_eq!(map.remove(id), Some(value + 1));
            }
            assert!(map.is_empty() && map.places.len() <= MANY);
        }
    }

    #[test]
    fn places_of_streams_that_are_gone_are_given_up() {
        let mut map = StreamMap::default();
        (0..4096u32).for_each(|count| map.insert(1 + 2 * count, count));
        (1..4096u32).for_each(|count| assert_eq!(map.remove(1 + 2 * count), Some(count)));
        assert!(map.places.len() <= MANY && map.get(1) == Some(&0), "{}", map.places.len());
    }

    #[test]
    fn draining_leaves_nothing() {
        let mut map = StreamMap::default();
        (0..100u32).for_each(|count| map.insert(1 + 64 * count, count));
        let mut values: Vec<_> = map.drain().map(|(_, value)| value).collect();
        values.sort_unstable();
        assert_eq!((values, map.len(), map.contains(1)), ((0..100).collect(), 0, false));
    }
}
