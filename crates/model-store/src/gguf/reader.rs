//! Reads numbers, texts and values of a file whose end is known, and never past it.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::{GgufError, MAX_ARRAY_ELEMENTS, MAX_STRING_BYTES};

pub(super) const UINT32: u32 = 4;
pub(super) const INT32: u32 = 5;
pub(super) const FLOAT32: u32 = 6;
pub(super) const STRING: u32 = 8;
pub(super) const ARRAY: u32 = 9;

/// A value of the metadata. Arrays are skipped; only where they lie is kept.
pub(super) enum Value {
    Unsigned {
        value: u64,
        bits: u32,
    },
    Text(String),
    Array {
        kind: u32,
        count: u64,
        /// Of the first element, in bytes from the start of the file.
        position: u64,
    },
    Bool(bool),
    /// A fraction of 32 bits.
    Float(f32),
    /// A number below zero or a longer fraction: read, but nothing here needs it.
    Other,
}

pub(super) struct Reader<R> {
    file: BufReader<R>,
    position: u64,
    length: u64,
}

impl<R: Read + Seek> Reader<R> {
    pub(super) fn new(file: R, length: u64) -> Self {
        Self { file: BufReader::with_capacity(64 * 1024, file), position: 0, length }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    fn expect(&self, bytes: u64) -> Result<(), GgufError> {
        if bytes > self.length - self.position {
            return Err(GgufError::Truncated { position: self.position, expected: bytes });
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), GgufError> {
        let bytes = buffer.len() as u64;
        self.expect(bytes)?;
        self.file.read_exact(buffer)?;
        self.position += bytes;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.expect(bytes)?;
        self.file.seek_relative(i64::try_from(bytes).map_err(|_| self.truncated(bytes))?)?;
        self.position += bytes;
        Ok(())
    }

    const fn truncated(&self, expected: u64) -> GgufError {
        GgufError::Truncated { position: self.position, expected }
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(super) fn string(&mut self, what: &'static str, maximum: u64) -> Result<String, GgufError> {
        let length = self.u64()?;
        if length > maximum {
            return Err(GgufError::TooLong { what, length, maximum });
        }
        self.expect(length)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| self.truncated(length))?];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| GgufError::NotText { what })
    }

    /// A text of which not every byte need be right, as tokens may be.
    pub(super) fn lossy_string(&mut self, maximum: u64) -> Result<String, GgufError> {
        let length = self.u64()?;
        if length > maximum {
            return Err(GgufError::TooLong { what: "a value", length, maximum });
        }
        self.expect(length)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| self.truncated(length))?];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn value(&mut self, key: &str) -> Result<Value, GgufError> {
        let kind = self.u32()?;
        match kind {
            0 => Ok(Value::Unsigned { value: u64::from(self.bytes::<1>()?[0]), bits: 8 }),
            2 => Ok(Value::Unsigned { value: u64::from(u16::from_le_bytes(self.bytes()?)), bits: 16 }),
            4 => Ok(Value::Unsigned { value: u64::from(self.u32()?), bits: 32 }),
            10 => Ok(Value::Unsigned { value: self.u64()?, bits: 64 }),
            1 => Ok(signed(i64::from(i8::from_le_bytes(self.bytes()?)), 8)),
            3 => Ok(signed(i64::from(i16::from_le_bytes(self.bytes()?)), 16)),
            5 => Ok(signed(i64::from(i32::from_le_bytes(self.bytes()?)), 31)),
            11 => Ok(signed(i64::from_le_bytes(self.bytes()?), 63)),
            FLOAT32 => Ok(Value::Float(f32::from_le_bytes(self.bytes()?))),
            7 => Ok(Value::Bool(self.bytes::<1>()? != [0])),
            12 => {
                self.skip(scalar_bytes(kind).unwrap_or(0))?;
                Ok(Value::Other)
            }
            STRING => self.string("a value", MAX_STRING_BYTES).map(Value::Text),
            ARRAY => self.array(key),
            kind => Err(GgufError::UnknownValueType { key: key.to_owned(), kind }),
        }
    }

    pub(super) fn array(&mut self, key: &str) -> Result<Value, GgufError> {
        let kind = self.u32()?;
        let count = self.u64()?;
        if count > MAX_ARRAY_ELEMENTS {
            return Err(GgufError::TooMany { what: "elements in an array", count, maximum: MAX_ARRAY_ELEMENTS });
        }
        let position = self.position;
        if let Some(bytes) = scalar_bytes(kind) {
            self.skip(count * bytes)?;
        } else if kind == STRING {
            // Every text takes at least its length.
            self.expect(count * 8)?;
            for _ in 0..count {
                self.skip_string()?;
            }
        } else {
            // The engine reads no arrays of arrays, either.
            return Err(GgufError::UnknownValueType { key: key.to_owned(), kind });
        }
        Ok(Value::Array { kind, count, position })
    }

    fn skip_string(&mut self) -> Result<(), GgufError> {
        let length = self.u64()?;
        if length > MAX_STRING_BYTES {
            return Err(GgufError::TooLong { what: "a text in an array", length, maximum: MAX_STRING_BYTES });
        }
        self.skip(length)
    }

    /// The text with the number `index` of an array that has been skipped before; `None` when it is longer than
    /// `maximum` or no text at all, as tokens may be. The position stays where it was.
    pub(super) fn array_string(&mut self, first: u64, index: u64, maximum: usize) -> Result<Option<String>, GgufError> {
        let back = self.position;
        self.seek(first)?;
        for _ in 0..index {
            self.skip_string()?;
        }
        let length = self.u64()?;
        let text = match usize::try_from(length).ok().filter(|length| *length <= maximum) {
            Some(length) => {
                let mut bytes = vec![0; length];
                self.fill(&mut bytes)?;
                String::from_utf8(bytes).ok()
            }
            None => None,
        };
        self.seek(back)?;
        Ok(text)
    }

    /// The elements of an array of 32-bit numbers that has been skipped before. The position stays where it was.
    pub(super) fn array_of_u32(&mut self, first: u64, count: u64) -> Result<Vec<u32>, GgufError> {
        let back = self.position;
        self.seek(first)?;
        let numbers = (0..count).map(|_| self.u32()).collect::<Result<_, _>>()?;
        self.seek(back)?;
        Ok(numbers)
    }

    pub(super) fn seek(&mut self, position: u64) -> Result<(), GgufError> {
        self.file.seek(SeekFrom::Start(position))?;
        self.position = position;
        Ok(())
    }
}

fn signed(value: i64, bits: u32) -> Value {
    u64::try_from(value).map_or(Value::Other, |value| Value::Unsigned { value, bits })
}

/// Bytes of one number or truth value; `None` for what has no fixed size and for unknown types.
const fn scalar_bytes(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
