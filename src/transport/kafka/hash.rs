//! The checksum of a batch, and the partition of a key.

/// Returns the checksum CRC-32C (RFC 3720, section 12.1). Bit by bit, the longest message takes a few
/// milliseconds.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    /// The polynomial, with its lowest power in the highest bit.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ POLYNOMIAL }
        })
    })
}

/// Returns the place of a key among `count` partitions, as the default partitioner of Kafka's own
/// client chooses it, so that all who write the key agree; `None` without partitions.
pub(super) fn partition(key: &str, count: usize) -> Option<usize> {
    let hash = murmur2(key.as_bytes()) & 0x7fff_ffff;
    usize::try_from(hash).ok()?.checked_rem(count)
}

/// Returns the hash of a key
/// (<https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/utils/Utils.java>).
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    // A key of more than 4 GiB is not hashed.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(SEED ^ length, |hash, word| {
        let word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        let word = (word ^ (word >> 24)).wrapping_mul(FACTOR);
        hash.wrapping_mul(FACTOR) ^ word
    });
    if !rest.is_empty() {
        let rest = rest.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ rest).wrapping_mul(FACTOR);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From RFC 3720, section B.4.
    #[test]
    fn checksums_are_those_of_the_rfc() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&[0; 32][..], 0x8a91_36aa_u32),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (&descending, 0x113f_db5c),
            (b"123456789", 0xe306_9283),
        ] {
            assert_eq!(crc32c(bytes), crc, "{}", bytes.escape_ascii());
        }
    }

    /// From the tests of Kafka's own client, `UtilsTest.testMurmur2`.
    #[test]
    fn hashes_are_those_of_kafka() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(partition("abc", 7), Some(479_470_107 % 7));
        // The sign is dropped.
        assert_eq!(partition("foobar", 7), Some(((1 << 31) - 790_332_482) % 7));
        assert_eq!(partition("abc", 0), None);
    }
}
