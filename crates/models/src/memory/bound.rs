//! How much of the machine's memory models may take, as an operator says it.

use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryBound {
    /// Of the machine, or of the control group where that is less. 1 to 100.
    Share {
        percent: u8,
    },
    Bytes(u64),
}

#[derive(Debug, thiserror::Error)]
#[error("an amount of memory is a share such as 80%, or a number of bytes, KiB, MiB, GiB or TiB")]
pub struct NoMemoryBound;

impl MemoryBound {
    /// `total` is what there is; without it, a share bounds nothing.
    pub fn bytes(self, total: Option<u64>) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Share { percent } => total.map_or(u64::MAX, |total| total / 100 * u64::from(percent)),
        }
    }
}

impl FromStr for MemoryBound {
    type Err = NoMemoryBound;

    fn from_str(text: &str) -> Result<Self, NoMemoryBound> {
        let text = text.trim();
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.trim().parse().map_err(|_| NoMemoryBound)?;
            return if (1..=100).contains(&percent) { Ok(Self::Share { percent }) } else { Err(NoMemoryBound) };
        }
        let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kib" => 10,
            "m" | "mib" => 20,
            "g" | "gib" => 30,
            "t" | "tib" => 40,
            _ => return Err(NoMemoryBound),
        };
        let number: u64 = number.parse().map_err(|_| NoMemoryBound)?;
        number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).map(Self::Bytes).ok_or(NoMemoryBound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_amounts_are_understood_and_nothing_else() {
        let read = |text: &str| text.parse::<MemoryBound>().ok();
        assert_eq!(read("80%"), Some(MemoryBound::Share { percent: 80 }));
        assert_eq!(read(" 12 GiB "), Some(MemoryBound::Bytes(12 << 30)));
        assert_eq!(read("512m"), Some(MemoryBound::Bytes(512 << 20)));
        assert_eq!(read("4096"), Some(MemoryBound::Bytes(4_096)));
        for wrong in ["", "0", "0%", "101%", "-1", "GiB", "1.5GiB", "9999999999TiB", "1 G i"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(MemoryBound::Share { percent: 80 }.bytes(Some(1_000)), 800);
        assert_eq!(MemoryBound::Share { percent: 80 }.bytes(None), u64::MAX);
        assert_eq!(MemoryBound::Bytes(5).bytes(Some(1)), 5);
    }
}
