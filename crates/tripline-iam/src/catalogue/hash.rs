/// A hash of a name in small letters (FNV-1a). The names in the tables are ours: nobody gains by others that
/// collide with them. The build script uses it as well.
pub(crate) fn of(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}
