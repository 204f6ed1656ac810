//! What a program that runs workers says of the devices it can compute on, and what a worker says of those it uses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The argument on which a worker program writes a [`DeviceList`] to its standard output, and ends.
pub const LIST_DEVICES: &str = "--devices";

/// Devices that one program may name. llama.cpp divides a model among no more.
pub const MAX_DEVICES: usize = 16;

/// Bytes of a name or description that are believed.
pub const MAX_DEVICE_NAME_BYTES: usize = 256;

/// The version is first and alone, so that a program of any other is understood that far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceList {
    /// Of the worker protocol.
    pub version: u32,
    pub devices: Vec<Device>,
}

/// A graphics processor, as its driver tells of it at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// As workers of the same program call it: `CUDA0`.
    pub name: String,
    /// As people know it.
    pub description: String,
    /// Where it is plugged in, the same whichever program asks: `0000:01:00.0`. `None` where the driver does not tell.
    pub address: Option<String>,
    pub kind: DeviceKind,
    pub total_bytes: u64,
    /// Some drivers do not count, and tell the total for ever.
    pub free_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// With memory of its own.
    Discrete,
    /// It shares the memory of the machine.
    Integrated,
    /// No device: a program that computes like one on the processor, for tests.
    Software,
}

/// So many layers of a model on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceLayers {
    pub device: String,
    /// What is behind the last layer counts as one, too.
    pub layers: u32,
}

/// What a worker has on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceUse {
    pub device: String,
    pub layers: u32,
    /// In buffers of llama.cpp; what the driver takes for itself is not in it.
    pub bytes: u64,
}

impl DeviceList {
    /// Whether what it says is within reason.
    pub fn is_sound(&self) -> bool {
        let text =
            |text: &str| !text.is_empty() && text.len() <= MAX_DEVICE_NAME_BYTES && !text.chars().any(char::is_control);
        let device = |device: &Device| {
            text(&device.name)
                && !device.name.contains([',', '='])
                && text(&device.description)
                && device.address.as_deref().is_none_or(text)
                && device.free_bytes <= device.total_bytes
        };
        self.devices.len() <= MAX_DEVICES
            && self.devices.iter().all(device)
            && self
                .devices
                .iter()
                .enumerate()
                .all(|(index, one)| self.devices.iter().skip(index + 1).all(|other| other.name != one.name))
    }
}

/// `CUDA0=33`, as it is handed to a worker.
impl fmt::Display for DeviceLayers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.device, self.layers)
    }
}

impl FromStr for DeviceLayers {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (device, layers) = text.split_once('=').ok_or(())?;
        let layers = layers.parse().ok().filter(|layers| *layers > 0).ok_or(())?;
        if device.is_empty() { Err(()) } else { Ok(Self { device: device.to_owned(), layers }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(change: impl FnOnce(&mut DeviceList)) -> DeviceList {
        let device = |name: &str| Device {
            name: name.to_owned(),
            description: "A card".to_owned(),
            address: Some("0000:01:00.0".to_owned()),
            kind: DeviceKind::Discrete,
            total_bytes: 10,
            free_bytes: 9,
        };
        let mut list = DeviceList { version: super::super::VERSION, devices: vec![device("A"), device("B")] };
        change(&mut list);
        list
    }

    #[test]
    fn what_is_out_of_reason_is_no_list() {
        assert!(list(|_| {}).is_sound());
        assert!(list(|list| list.devices.clear()).is_sound());
        assert!(!list(|list| list.devices[0].name = "B".to_owned()).is_sound(), "two of one name");
        assert!(!list(|list| list.devices[0].free_bytes = 11).is_sound());
        assert!(!list(|list| list.devices[1].name = "A=1".to_owned()).is_sound());
        assert!(!list(|list| list.devices[1].description = "\u{1b}[31m".to_owned()).is_sound());
        assert!(!list(|list| list.devices[1].description = "x".repeat(257)).is_sound());
        assert!(!list(|list| list.devices = vec![list.devices[0].clone(); 17]).is_sound());
    }

    #[test]
    fn layers_on_a_device_are_read_as_they_are_written() {
        let layers = DeviceLayers { device: "CUDA0".to_owned(), layers: 33 };
        assert_eq!(layers.to_string().parse(), Ok(layers));
        for wrong in ["", "CUDA0", "=3", "CUDA0=0", "CUDA0=-1", "CUDA0=x"] {
            assert_eq!(wrong.parse::<DeviceLayers>(), Err(()), "{wrong}");
        }
    }
}
