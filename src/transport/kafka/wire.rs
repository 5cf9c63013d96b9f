//! The bytes of Kafka: fields, and a batch of one record.
//!
//! Fields: <https://kafka.apache.org/protocol#protocol_types>; the batch, version 2 of KIP-98:
//! <https://kafka.apache.org/documentation/#recordbatch>.

use super::hash;

/// A text or a number of bytes does not fit its length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a field is too long for the protocol of Kafka")]
pub(super) struct TooLong;

/// A broker's message ends early, or a length in it is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent a broken answer")]
pub(super) struct Broken;

/// Returns the length as `INT16`.
fn short(bytes: &[u8]) -> Result<[u8; 2], TooLong> {
    i16::try_from(bytes.len()).map(i16::to_be_bytes).map_err(|_| TooLong)
}

/// Returns the length as `INT32`.
fn int(bytes: &[u8]) -> Result<[u8; 4], TooLong> {
    i32::try_from(bytes.len()).map(i32::to_be_bytes).map_err(|_| TooLong)
}

/// Appends a `STRING`.
pub(super) fn string(into: &mut Vec<u8>, text: &str) -> Result<(), TooLong> {
    into.extend(short(text.as_bytes())?);
    into.extend(text.as_bytes());
    Ok(())
}

/// Appends `BYTES`.
pub(super) fn bytes(into: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TooLong> {
    into.extend(int(bytes)?);
    into.extend(bytes);
    Ok(())
}

/// Returns a message with its length before it.
pub(super) fn framed(message: &[u8]) -> Result<Vec<u8>, TooLong> {
    let mut frame = Vec::with_capacity(message.len() + 4);
    bytes(&mut frame, message)?;
    Ok(frame)
}

/// Appends a number of variable length: seven bits a byte, the lowest first, after small negative
/// numbers have become small positive ones.
fn varint(into: &mut Vec<u8>, number: i64) {
    let mut rest = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            into.push(low);
            return;
        }
        into.push(low | 0x80);
    }
}

/// Appends bytes with their length as a number of variable length.
fn sized(into: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TooLong> {
    varint(into, i32::try_from(bytes.len()).map_err(|_| TooLong)?.into());
    into.extend(bytes);
    Ok(())
}

/// A record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// Milliseconds since 1970.
    pub(super) timestamp: i64,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    pub(super) headers: &'a [(&'static str, String)],
}

/// Returns a batch that holds one record, uncompressed, of no transaction.
pub(super) fn batch(record: &Record<'_>) -> Result<Vec<u8>, TooLong> {
    let mut one = Vec::with_capacity(record.value.len() + 256);
    // Attributes, and the differences from the batch's time and offset.
    one.extend([0, 0, 0]);
    sized(&mut one, record.key.as_bytes())?;
    sized(&mut one, record.value.as_bytes())?;
    varint(&mut one, i32::try_from(record.headers.len()).map_err(|_| TooLong)?.into());
    for (name, value) in record.headers {
        sized(&mut one, name.as_bytes())?;
        sized(&mut one, value.as_bytes())?;
    }

    // What the checksum covers: attributes, the last offset, the first and the last time, the
    // producer's id, epoch and sequence, which a producer without an id has not, and the records.
    let mut checked = Vec::with_capacity(one.len() + 64);
    checked.extend([0; 2]);
    checked.extend([0; 4]);
    checked.extend(record.timestamp.to_be_bytes());
    checked.extend(record.timestamp.to_be_bytes());
    checked.extend((-1_i64).to_be_bytes());
    checked.extend((-1_i16).to_be_bytes());
    checked.extend((-1_i32).to_be_bytes());
    checked.extend(1_i32.to_be_bytes());
    sized(&mut checked, &one)?;

    // The leader's epoch, which it sets itself, and the version of the format.
    let mut body = Vec::with_capacity(checked.len() + 16);
    body.extend((-1_i32).to_be_bytes());
    body.push(2);
    body.extend(hash::crc32c(&checked).to_be_bytes());
    body.extend(checked);

    let mut batch = Vec::with_capacity(body.len() + 16);
    batch.extend(0_i64.to_be_bytes());
    bytes(&mut batch, &body)?;
    Ok(batch)
}

/// What is left of a broker's message.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.take(N)?.try_into().map_err(|_| Broken)
    }

    /// Reads a `BOOLEAN`.
    pub(super) fn flag(&mut self) -> Result<bool, Broken> {
        Ok(self.array::<1>()? != [0])
    }

    /// Reads an `INT16`.
    pub(super) fn short(&mut self) -> Result<i16, Broken> {
        self.array().map(i16::from_be_bytes)
    }

    /// Reads an `INT32`.
    pub(super) fn int(&mut self) -> Result<i32, Broken> {
        self.array().map(i32::from_be_bytes)
    }

    /// Reads an `INT64`.
    pub(super) fn long(&mut self) -> Result<i64, Broken> {
        self.array().map(i64::from_be_bytes)
    }

    /// Reads `BYTES`.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(self.int()?).map_err(|_| Broken)?;
        self.take(length)
    }

    /// Reads a `NULLABLE_STRING`: what is not UTF-8 is replaced, and null is empty.
    pub(super) fn text(&mut self) -> Result<String, Broken> {
        match self.short()? {
            -1 => Ok(String::new()),
            length => {
                let bytes = self.take(usize::try_from(length).map_err(|_| Broken)?)?;
                Ok(String::from_utf8_lossy(bytes).into_owned())
            }
        }
    }

    /// Reads an `ARRAY`, of which null is empty. `item` must read at least one byte, so that a count
    /// that is too large ends with the message.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Broken>,
    ) -> Result<Vec<T>, Broken> {
        let count = self.int()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    #[test]
    fn numbers_of_variable_length() {
        for (number, coded) in [
            (0, "00"),
            (-1, "01"),
            (63, "7e"),
            (64, "8001"),
            (-65, "8101"),
            (8_191, "fe7f"),
            (8_192, "808001"),
            (i64::from(i32::MAX), "feffffff0f"),
            (i64::MIN, "ffffffffffffffffff01"),
        ] {
            let mut bytes = Vec::new();
            varint(&mut bytes, number);
            assert_eq!(hex(&bytes), coded, "{number}");
        }
    }

    /// The bytes are those that kafka-python 3.0.12 writes for the same record, but for the epoch of
    /// the leader, which is 0 there and -1 here and in Kafka's own client.
    #[test]
    fn a_batch_has_known_bytes() {
        let headers = [("message-id", "id-1".to_owned())];
        let record = Record {
            timestamp: 1_771_842_049_000,
            key: "thread",
            value: "{\"type\":\"incident\"}",
            headers: &headers,
        };
        let theirs = "0000000000000000000000610000000002725493690000000000000000019c8a0413e80000019c8a\
             0413e8ffffffffffffffffffffffffffff000000015e0000000c746872656164267b227479706522\
             3a22696e636964656e74227d02146d6573736167652d69640869642d31";
        let ours = hex(&batch(&record).unwrap());
        assert_eq!(ours.replacen("ffffffff02", "0000000002", 1), theirs);
    }

    #[test]
    fn a_broken_answer_is_an_error() {
        let whole = [0, 0, 0, 2, 0, 1, b'a', 0xff, 0xff];
        let mut reader = Reader(&whole);
        assert_eq!(reader.list(Reader::text), Ok(vec!["a".to_owned(), String::new()]));
        assert!(reader.0.is_empty());
        for end in 0..whole.len() {
            assert_eq!(Reader(&whole[..end]).list(Reader::text), Err(Broken), "{end}");
        }
        assert_eq!(Reader(&[0x7f, 0xff, 0xff, 0xff, 0, 0]).list(Reader::short), Err(Broken));
        assert_eq!(Reader(&[0xff; 4]).list(Reader::short), Ok(Vec::new()));
        assert_eq!(Reader(&[0xff; 4]).bytes(), Err(Broken));
        assert_eq!(Reader(&[0xff, 0xfe]).text(), Err(Broken));
    }
}
