//! Which session has a name, without keeping the name: a table of keys, placed by the hash of the name that is kept elsewhere.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::SessionKey;

/// Where nobody is.
const EMPTY: u32 = u32::MAX;
/// The least size of a table that holds anything.
const LEAST: usize = 64;

/// Keys by the hash of their names, in a table with open addressing of which at most four in five places are taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    places: Vec<u32>,
    taken: usize,
}

fn hash(name: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish() as usize
}

impl Names {
    /// The key with this name, if `has` finds that one has it.
    pub fn find(&self, name: &str, has: impl Fn(SessionKey) -> bool) -> Option<SessionKey> {
        let mut at = self.start(name)?;
        while self.places[at] != EMPTY {
            let key = self.places[at] as SessionKey;
            if has(key) {
                return Some(key);
            }
            at = self.next(at);
        }
        None
    }

    /// Adds a key that is not there. `name_of` gives the name of any that is.
    pub fn add(&mut self, key: u32, name: &str, name_of: impl Fn(SessionKey) -> String) {
        if (self.taken + 1) * 5 > self.places.len() * 4 {
            let size = (self.places.len() / 2 * 3).max(LEAST);
            let before = std::mem::replace(&mut self.places, vec![EMPTY; size]);
            for key in before.into_iter().filter(|key| *key != EMPTY) {
                self.place(key, &name_of(key as SessionKey));
            }
        }
        self.place(key, name);
        self.taken += 1;
    }

    fn place(&mut self, key: u32, name: &str) {
        let Some(mut at) = self.start(name) else {
            return;
        };
        while self.places[at] != EMPTY {
            at = self.next(at);
        }
        self.places[at] = key;
    }

    fn start(&self, name: &str) -> Option<usize> {
        hash(name).checked_rem(self.places.len())
    }

    const fn next(&self, at: usize) -> usize {
        (at + 1) % self.places.len()
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_names_that_are_kept_elsewhere() {
        let name_of = |key: SessionKey| format!("session {key}");
        let mut names = Names::default();
        assert_eq!(names.find("session 7", |_| true), None);
        for key in 0..10_000_u32 {
            names.add(key, &name_of(key as SessionKey), name_of);
        }
        for key in 0..10_000 {
            let name = name_of(key);
            let found = names.find(&name, |key| name_of(key) == name);
            assert_eq!(found, Some(key));
        }
        assert_eq!(names.find("nobody", |key| name_of(key) == "nobody"), None);
        assert!(names.bytes() <= 10_000 * 8);
    }
}
