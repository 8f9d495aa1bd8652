//! Growing lists of which there may be a million entries: in pieces, so that growing copies nothing and
//! asks for no more than is needed.

/// A list in pieces. The first piece grows as any list does; the others have their full size.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
}

const CHUNK: usize = 4_096;

impl<T> Chunks<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: vec![Vec::new()] }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        (self.chunks.len() - 1) * CHUNK + last
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.chunks.last().is_none_or(|last| last.len() >= CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(last) = self.chunks.last_mut() {
            last.push(value);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> IntoIterator for Chunks<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    /// Gives each piece back as soon as it is read.
    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_list() {
        let mut chunks = Chunks::new();
        assert!(chunks.is_empty() && chunks.get(0).is_none());
        for nth in 0..CHUNK * 2 + 1 {
            assert_eq!(chunks.len(), nth);
            chunks.push(nth);
        }
        for nth in [0, CHUNK - 1, CHUNK, CHUNK * 2] {
            assert_eq!(chunks.get(nth), Some(&nth));
            assert_eq!(chunks.get_mut(nth).copied(), Some(nth));
        }
        assert_eq!(chunks.get(CHUNK * 2 + 1), None);
        assert!(chunks.iter().copied().eq(0..CHUNK * 2 + 1));
        assert!(chunks.into_iter().eq(0..CHUNK * 2 + 1));
    }
}
