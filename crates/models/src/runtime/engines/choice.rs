//! Which devices an operator wants models on, and which of them first.

use std::str::FromStr;

use crate::protocol::{Device, DeviceKind};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// Every card with memory of its own.
    #[default]
    Cards,
    /// None.
    Off,
    /// These and no others, in this order: each is a name such as `CUDA0`, or `engine/CUDA0` where several engines have
    /// one of that name.
    Named(Vec<String>),
}

#[derive(Debug, thiserror::Error)]
#[error("devices are `auto`, `off`, or names such as CUDA0 separated by commas")]
pub struct NoDeviceChoice;

impl FromStr for DeviceChoice {
    type Err = NoDeviceChoice;

    fn from_str(text: &str) -> Result<Self, NoDeviceChoice> {
        match text.trim() {
            "auto" => return Ok(Self::Cards),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().any(String::is_empty) { Err(NoDeviceChoice) } else { Ok(Self::Named(names)) }
    }
}

impl DeviceChoice {
    pub(super) fn takes(&self, engine: &str, device: &Device) -> bool {
        match self {
            Self::Cards => device.kind == DeviceKind::Discrete,
            Self::Off => false,
            Self::Named(_) => self.place(engine, &device.name).is_some(),
        }
    }

    /// How many are preferred to it; `None` where it is not named.
    pub(super) fn place(&self, engine: &str, device: &str) -> Option<usize> {
        let Self::Named(names) = self else { return None };
        let is_it = |name: &String| {
            name == device || name.rsplit_once('/').is_some_and(|(of, name)| of == engine && name == device)
        };
        names.iter().position(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, kind: DeviceKind) -> Device {
        Device {
            name: name.to_owned(),
            description: name.to_owned(),
            address: None,
            kind,
            total_bytes: 1,
            free_bytes: 1,
        }
    }

    #[test]
    fn cards_are_taken_unasked_and_everything_else_by_its_name() {
        let card = device("CUDA0", DeviceKind::Discrete);
        let shared = device("Vulkan0", DeviceKind::Integrated);
        let taken = |text: &str| {
            let choice: DeviceChoice = text.parse().unwrap();
            (choice.takes("cuda", &card), choice.takes("vulkan", &shared))
        };
        assert_eq!(taken("auto"), (true, false));
        assert_eq!(taken("off"), (false, false));
        assert_eq!(taken("Vulkan0"), (false, true));
        assert_eq!(taken(" Vulkan0, CUDA0 "), (true, true));
        assert_eq!(taken("vulkan/CUDA0, cuda/Vulkan0"), (false, false));
        assert!("".parse::<DeviceChoice>().is_err() && "CUDA0,,".parse::<DeviceChoice>().is_err());
    }

    #[test]
    fn the_order_of_names_is_the_order_of_devices() {
        let choice: DeviceChoice = "CUDA1, vulkan/CUDA0".parse().unwrap();
        let places = [("cuda", "CUDA1"), ("vulkan", "CUDA0"), ("cuda", "CUDA0")];
        assert_eq!(places.map(|(engine, name)| choice.place(engine, name)), [Some(0), Some(1), None]);
    }
}
