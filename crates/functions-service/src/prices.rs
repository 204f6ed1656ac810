//! What functions are said to cost.

use std::str::FromStr;

const BILLION: u64 = 1_000_000_000;

/// An amount, in billionths of a dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dollars(pub u64);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is written as dollars with at most nine decimals, such as 0.000024")]
pub struct NoDollars;

impl FromStr for Dollars {
    type Err = NoDollars;

    fn from_str(text: &str) -> Result<Self, NoDollars> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 9 {
            return Err(NoDollars);
        }
        let whole: u64 = whole.parse().map_err(|_| NoDollars)?;
        let part: u64 = format!("{part:0<9}").parse().map_err(|_| NoDollars)?;
        whole.checked_mul(BILLION).and_then(|whole| whole.checked_add(part)).map(Self).ok_or(NoDollars)
    }
}

/// The factors that the account is priced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of one processor that is set aside for a second.
    pub cpu_second: Dollars,
    /// Of one GB of memory that is kept for a second.
    pub gb_second: Dollars,
    pub million_calls: Dollars,
}

impl Prices {
    /// In billionths of a dollar; none where nothing has a price.
    pub fn cost(self, cpu_us: u64, memory_mib_ms: u64, calls: u64) -> Option<u64> {
        if self == Self::default() {
            return None;
        }
        let of = |price: Dollars, much: u64, one: u128| u128::from(price.0) * u128::from(much) / one;
        let cost = of(self.cpu_second, cpu_us, 1_000_000)
            + of(self.gb_second, memory_mib_ms, 1_024_000)
            + of(self.million_calls, calls, 1_000_000);
        Some(u64::try_from(cost).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_ninth_decimal() {
        assert_eq!("0.000024".parse(), Ok(Dollars(24_000)));
        assert_eq!("1".parse(), Ok(Dollars(BILLION)));
        assert_eq!("0".parse(), Ok(Dollars(0)));
        assert_eq!("0.000000001".parse(), Ok(Dollars(1)));
        for text in ["", ".", "1.", ".5", "-1", "1e3", "0.0000000001", "1,5", "99999999999999999999"] {
            assert_eq!(text.parse::<Dollars>(), Err(NoDollars), "{text}");
        }
    }

    #[test]
    fn a_cost_is_the_sum_of_what_has_a_price() {
        let prices =
            Prices { cpu_second: Dollars(24_000), gb_second: Dollars(2_500), million_calls: Dollars(400_000_000) };
        // Two seconds of a processor, four of a GB, three calls.
        assert_eq!(prices.cost(2_000_000, 4_096_000, 3), Some(48_000 + 10_000 + 1_200));
        assert_eq!(Prices::default().cost(2_000_000, 4_096_000, 3), None);
        assert_eq!(prices.cost(0, 0, 0), Some(0));
        assert!(prices.cost(u64::MAX, u64::MAX, u64::MAX).is_some());
    }
}
