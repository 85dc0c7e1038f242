//! A list that is empty nearly always, in the room of one pointer.

use std::ops::{Deref, DerefMut};

/// A list for what few have. An empty new one holds no heap; [`std::mem::take`] gives back what one holds.
#[derive(Debug)]
pub struct RareVec<T>(
    #[expect(clippy::box_collection, reason = "a third of the size")] Option<Box<Vec<T>>>,
);

impl<T> Default for RareVec<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> RareVec<T> {
    /// Appends a value.
    pub fn push(&mut self, value: T) {
        self.0.get_or_insert_default().push(value);
    }

    /// Keeps what passes. Gives the heap back when that is nothing.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        if let Some(list) = &mut self.0 {
            list.retain(keep);
            if list.is_empty() {
                self.0 = None;
            }
        }
    }
}

impl RareVec<u8> {
    /// Appends octets.
    pub fn extend_from_slice(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.0.get_or_insert_default().extend_from_slice(octets);
        }
    }
}

impl<T> Deref for RareVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<T> DerefMut for RareVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_deref_mut().map_or(&mut [], Vec::as_mut_slice)
    }
}

impl<T> From<RareVec<T>> for Vec<T> {
    fn from(list: RareVec<T>) -> Self {
        list.0.map_or_else(Self::new, |list| *list)
    }
}

impl<T> IntoIterator for RareVec<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        Vec::from(self).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_vec_is_one_pointer_and_keeps_what_it_got() {
        assert_eq!(size_of::<RareVec<u64>>(), size_of::<usize>());
        let mut list = RareVec::default();
        assert!(list.is_empty());
        list.push(1);
        list.push(2);
        list.retain(|n| *n == 2);
        list[0] += 1;
        assert_eq!(&*list, &[3]);
        assert_eq!(std::mem::take(&mut list).into_iter().sum::<i32>(), 3);
        assert!(Vec::from(list).is_empty());
    }
}
