//! A table with reused indices and generations, for connections and listeners.

/// Entries by index; each index counts its users, so that an old key finds nothing.
pub(crate) struct Table<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts a value in and returns its index and generation; gives the value back when all 2^32 indices are taken.
    pub(crate) fn insert(&mut self, value: T) -> Result<(u32, u32), T> {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.value = Some(value);
            return Ok((index, entry.generation));
        }
        let Ok(index) = u32::try_from(self.entries.len()) else {
            return Err(value);
        };
        self.entries.push(Entry {
            generation: 0,
            value: Some(value),
        });
        Ok((index, 0))
    }

    pub(crate) fn get(&self, index: usize, generation: u32) -> Option<&T> {
        let entry = self
            .entries
            .get(index)
            .filter(|entry| entry.generation == generation)?;
        entry.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: usize, generation: u32) -> Option<&mut T> {
        let entry = self
            .entries
            .get_mut(index)
            .filter(|entry| entry.generation == generation)?;
        entry.value.as_mut()
    }

    /// The generation of the value that an index holds now.
    pub(crate) fn generation(&self, index: usize) -> Option<u32> {
        self.entries
            .get(index)
            .filter(|entry| entry.value.is_some())
            .map(|entry| entry.generation)
    }

    /// Takes a value out; its index may be used again at once, under the next generation.
    pub(crate) fn remove(&mut self, index: usize, generation: u32) -> Option<T> {
        let entry = self
            .entries
            .get_mut(index)
            .filter(|entry| entry.generation == generation)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(u32::try_from(index).ok()?);
        Some(value)
    }

    /// All values with their index and generation.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, u32, &mut T)> {
        (0u32..)
            .zip(&mut self.entries)
            .filter_map(|(index, entry)| {
                let generation = entry.generation;
                entry.value.as_mut().map(|value| (index, generation, value))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_reused_old_generation_finds_nothing() {
        let mut table = Table::new();
        let (index, first) = table.insert('a').unwrap();
        assert_eq!(table.remove(index as usize, first), Some('a'));
        let (again, second) = table.insert('b').unwrap();
        assert_eq!(index, again);
        assert_ne!(first, second);
        assert_eq!(table.get(index as usize, first), None);
        assert_eq!(table.remove(index as usize, first), None);
        assert_eq!(table.get_mut(index as usize, second), Some(&mut 'b'));
        assert_eq!(table.iter_mut().count(), 1);
    }
}
