//! Rows of one session, packed: some thirty bytes a call, since most are alike.

use std::fmt;

use libdeflater::{CompressionLvl, Compressor, Decompressor};

use super::Provenance;
use crate::held::Key;
use crate::judge::DamagedRow;

/// The version of the format.
const VERSION: u8 = 2;

/// Version, provenance, and how many bytes there are once it is unpacked.
const HEAD_BYTES: usize = 6;

/// How much is packed together, before it is packed: below the 400 KB of a DynamoDB item even where
/// nothing can be saved (DynamoDB/ServiceQuotas).
const ROWS_BYTES_MAX: usize = 300 << 10;

/// What a blob may hold at the most, unpacked: one row may be longer than what is packed together.
const UNPACKED_BYTES_MAX: usize = 4 << 20;

/// Packs rows. Kept between sessions, which are many and short: to make a compressor takes longer than
/// to use it.
pub(super) struct Packer {
    compressor: Compressor,
    plain: Vec<u8>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { compressor: Compressor::new(CompressionLvl::fastest()), plain: Vec::new() }
    }

    /// Packs rows, which are in order, into as few blobs as it takes.
    pub(super) fn pack(&mut self, rows: &[(Key, Vec<u8>)], provenance: Provenance) -> Vec<Vec<u8>> {
        let mut blobs = Vec::new();
        self.plain.clear();
        for (key, row) in rows {
            let more = row.len() + size_of::<Key>() + 4;
            if !self.plain.is_empty() && self.plain.len() + more > ROWS_BYTES_MAX {
                blobs.push(self.packed(provenance));
                self.plain.clear();
            }
            self.plain.extend_from_slice(key);
            let length = u32::try_from(row.len()).unwrap_or(u32::MAX);
            self.plain.extend_from_slice(&length.to_le_bytes());
            self.plain.extend_from_slice(row);
        }
        if !self.plain.is_empty() {
            blobs.push(self.packed(provenance));
        }
        blobs
    }

    fn packed(&mut self, provenance: Provenance) -> Vec<u8> {
        let length = u32::try_from(self.plain.len()).unwrap_or(u32::MAX);
        let mut blob = vec![VERSION, provenance as u8];
        blob.extend_from_slice(&length.to_le_bytes());
        let most = self.compressor.deflate_compress_bound(self.plain.len());
        blob.resize(HEAD_BYTES + most, 0);
        // INVARIANT: there is room for the most that it can come to.
        let body = blob.get_mut(HEAD_BYTES..).unwrap_or_default();
        let used = self.compressor.deflate_compress(&self.plain, body).unwrap_or(0);
        blob.truncate(HEAD_BYTES + used);
        blob
    }
}

/// Unpacks what [`Packer`] packed.
pub(super) struct Unpacker {
    decompressor: Decompressor,
    plain: Vec<u8>,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self { decompressor: Decompressor::new(), plain: Vec::new() }
    }

    /// Hands out the rows of a blob, in order, and how they came.
    pub(super) fn unpack(
        &mut self,
        blob: &[u8],
        mut row: impl FnMut(Provenance, Key, &[u8]) -> Result<(), DamagedRow>,
    ) -> Result<(), DamagedRow> {
        let (&[VERSION, provenance, length @ ..], body) =
            blob.split_first_chunk::<HEAD_BYTES>().ok_or(DamagedRow)?
        else {
            return Err(DamagedRow);
        };
        let provenance = match provenance {
            0 => Provenance::Trail,
            1 => Provenance::Event,
            _ => return Err(DamagedRow),
        };
        let length = size(length)?;
        if length > UNPACKED_BYTES_MAX {
            return Err(DamagedRow);
        }
        self.plain.resize(length, 0);
        let unpacked = self.decompressor.deflate_decompress(body, &mut self.plain);
        if !unpacked.is_ok_and(|unpacked| unpacked == length) {
            return Err(DamagedRow);
        }
        let mut rest = self.plain.as_slice();
        while !rest.is_empty() {
            let (key, behind) = rest.split_first_chunk::<24>().ok_or(DamagedRow)?;
            let (length, behind) = behind.split_first_chunk::<4>().ok_or(DamagedRow)?;
            let (text, behind) = behind.split_at_checked(size(*length)?).ok_or(DamagedRow)?;
            row(provenance, *key, text)?;
            rest = behind;
        }
        Ok(())
    }
}

fn size(bytes: [u8; 4]) -> Result<usize, DamagedRow> {
    usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| DamagedRow)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back(
            rows in proptest::collection::vec(
                (any::<[u8; 24]>(), proptest::collection::vec(any::<u8>(), 0..90_000)), 0..9),
        ) {
            let blobs = Packer::new().pack(&rows, Provenance::Event);
            prop_assert!(blobs.iter().all(|blob| blob.len() < 400_000));
            let (mut back, mut unpacker) = (Vec::new(), Unpacker::new());
            for blob in &blobs {
                let unpacked = unpacker.unpack(blob, |provenance, key, row| {
                    assert_eq!(provenance, Provenance::Event);
                    back.push((key, row.to_vec()));
                    Ok(())
                });
                prop_assert!(unpacked.is_ok());
            }
            prop_assert_eq!(back, rows);
        }

        #[test]
        fn any_bytes_are_rows_or_damaged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut unpacker = Unpacker::new();
            let _ = unpacker.unpack(&bytes, |_, _, _| Ok(()));
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            let _ = unpacker.unpack(
                &[&[VERSION, 0], &length[..], bytes.as_slice()].concat(), |_, _, _| Ok(()));
        }
    }
}
