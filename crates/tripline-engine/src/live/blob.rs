//! Rows of one session, packed: some thirty bytes a call, since most are alike.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::Provenance;
use crate::held::Key;
use crate::judge::DamagedRow;

/// The version of the format.
const VERSION: u8 = 1;

/// How much is packed together, before it is packed: below the 400 KB of a DynamoDB item even where
/// nothing can be saved (DynamoDB/ServiceQuotas).
const ROWS_BYTES_MAX: usize = 300 << 10;

/// What a blob may hold at the most, unpacked.
const UNPACKED_BYTES_MAX: u64 = 4 << 20;

/// Packs rows, which are in order, into as few blobs as it takes.
pub(super) fn pack(rows: &[(Key, Vec<u8>)], provenance: Provenance) -> Vec<Vec<u8>> {
    let mut blobs = Vec::new();
    let mut plain: Vec<u8> = Vec::new();
    for (key, row) in rows {
        if !plain.is_empty() && plain.len() + row.len() + size_of::<Key>() + 4 > ROWS_BYTES_MAX {
            blobs.push(packed(&plain, provenance));
            plain.clear();
        }
        plain.extend_from_slice(key);
        plain.extend_from_slice(&u32::try_from(row.len()).unwrap_or(u32::MAX).to_le_bytes());
        plain.extend_from_slice(row);
    }
    if !plain.is_empty() {
        blobs.push(packed(&plain, provenance));
    }
    blobs
}

fn packed(plain: &[u8], provenance: Provenance) -> Vec<u8> {
    let head = vec![VERSION, provenance as u8];
    let mut encoder = DeflateEncoder::new(head, Compression::fast());
    // INVARIANT: writing to a vector does not fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default()
}

type Rows = Vec<(Key, Vec<u8>)>;

/// Rows of a blob, in order.
pub(super) fn unpack(blob: &[u8]) -> Result<(Provenance, Rows), DamagedRow> {
    let (&[VERSION, provenance], body) = blob.split_first_chunk().ok_or(DamagedRow)? else {
        return Err(DamagedRow);
    };
    let provenance = match provenance {
        0 => Provenance::Trail,
        1 => Provenance::Event,
        _ => return Err(DamagedRow),
    };
    let mut plain = Vec::new();
    DeflateDecoder::new(body)
        .take(UNPACKED_BYTES_MAX)
        .read_to_end(&mut plain)
        .map_err(|_| DamagedRow)?;
    let (mut rest, mut rows) = (plain.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (key, behind) = rest.split_first_chunk::<24>().ok_or(DamagedRow)?;
        let (length, behind) = behind.split_first_chunk::<4>().ok_or(DamagedRow)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| DamagedRow)?;
        let (row, behind) = behind.split_at_checked(length).ok_or(DamagedRow)?;
        rows.push((*key, row.to_vec()));
        rest = behind;
    }
    Ok((provenance, rows))
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
            let blobs = pack(&rows, Provenance::Event);
            prop_assert!(blobs.iter().all(|blob| blob.len() < 400_000));
            let mut back = Vec::new();
            for blob in &blobs {
                let (provenance, mut rows) = unpack(blob).unwrap();
                prop_assert_eq!(provenance, Provenance::Event);
                back.append(&mut rows);
            }
            prop_assert_eq!(back, rows);
        }

        #[test]
        fn any_bytes_are_rows_or_damaged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
            let _ = unpack(&[&[VERSION, 0], bytes.as_slice()].concat());
        }
    }
}
