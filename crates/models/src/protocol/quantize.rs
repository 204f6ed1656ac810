//! What a worker is started with that packs the weights of a model anew, and does nothing else.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::ArgumentError;

/// The first argument of such a worker.
pub const QUANTIZE: &str = "--quantize";

/// How weights are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantization {
    Q4_0,
    Q4KS,
    Q4KM,
    Q5KM,
    Q6K,
    Q8_0,
}

impl Quantization {
    pub const ALL: [Self; 6] = [Self::Q4_0, Self::Q4KS, Self::Q4KM, Self::Q5KM, Self::Q6K, Self::Q8_0];

    const fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4KS => "Q4_K_S",
            Self::Q4KM => "Q4_K_M",
            Self::Q5KM => "Q5_K_M",
            Self::Q6K => "Q6_K",
            Self::Q8_0 => "Q8_0",
        }
    }
}

impl fmt::Display for Quantization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no way to pack weights; there are {}", Quantization::ALL.map(Quantization::name).join(", "))]
pub struct UnknownQuantization {
    text: String,
}

impl FromStr for Quantization {
    type Err = UnknownQuantization;

    fn from_str(text: &str) -> Result<Self, UnknownQuantization> {
        let found = Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownQuantization { text: text.chars().take(40).collect() })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantizeArguments {
    pub to: Quantization,
    /// The process that started the worker, and whose death ends it.
    pub parent: u32,
    /// As many as there are physical cores to use when 0.
    pub threads: u32,
    /// The most bytes that may be written.
    pub most_bytes: u64,
    pub model: PathBuf,
    /// An empty file.
    pub output: PathBuf,
}

impl QuantizeArguments {
    pub fn to_arguments(&self) -> Vec<OsString> {
        let numbers = [self.parent.to_string(), self.threads.to_string(), self.most_bytes.to_string()];
        [QUANTIZE.into(), self.to.name().into()]
            .into_iter()
            .chain(numbers.map(OsString::from))
            .chain([self.model.clone().into_os_string(), self.output.clone().into_os_string()])
            .collect()
    }

    /// Those behind [`QUANTIZE`].
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ArgumentError> {
        let mut arguments = arguments.into_iter();
        let mut next = |name| arguments.next().ok_or(ArgumentError::Missing(name));
        let parsed = Self {
            to: value("the kind", &next("the kind")?)?,
            parent: value("the parent", &next("the parent")?)?,
            threads: value("the threads", &next("the threads")?)?,
            most_bytes: value("the limit", &next("the limit")?)?,
            model: next("the model")?.into(),
            output: next("the output")?.into(),
        };
        match arguments.next() {
            None => Ok(parsed),
            Some(more) => Err(ArgumentError::Unknown(more.to_string_lossy().into_owned())),
        }
    }
}

fn value<T: FromStr>(name: &'static str, text: &OsString) -> Result<T, ArgumentError> {
    text.to_str().and_then(|text| text.parse().ok()).ok_or(ArgumentError::Invalid(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for to in Quantization::ALL {
            let arguments = QuantizeArguments {
                to,
                parent: 7,
                threads: 2,
                most_bytes: 1 << 40,
                model: "/models/a b".into(),
                output: "/models/out".into(),
            };
            let mut written = arguments.to_arguments();
            assert_eq!(written.remove(0), QUANTIZE);
            assert_eq!(QuantizeArguments::parse(written.clone()).unwrap(), arguments);
            written.push("more".into());
            assert!(matches!(QuantizeArguments::parse(written), Err(ArgumentError::Unknown(_))));
        }
        assert!(matches!(QuantizeArguments::parse(["Q8_0".into()]), Err(ArgumentError::Missing(_))));
    }

    #[test]
    fn names_are_those_of_the_files() {
        assert_eq!("q4_k_m".parse::<Quantization>().unwrap(), Quantization::Q4KM);
        let unknown = "q2_k".parse::<Quantization>().unwrap_err().to_string();
        assert_eq!(unknown, "`q2_k` is no way to pack weights; there are Q4_0, Q4_K_S, Q4_K_M, Q5_K_M, Q6_K, Q8_0");
    }
}
