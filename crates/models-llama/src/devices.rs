//! The devices that this program computes on: which there are, and what a worker has on those that it was given.

#![expect(unsafe_code, reason = "ggml's register of devices has no safe door to where a device is plugged in")]

#[cfg(devices)]
mod count;

use std::ffi::{CStr, c_char};
use std::io::{self, Write};
use std::process::ExitCode;

use llama_cpp_sys_2::{
    GGML_BACKEND_DEVICE_TYPE_GPU, GGML_BACKEND_DEVICE_TYPE_IGPU, ggml_backend_dev_count, ggml_backend_dev_get,
    ggml_backend_dev_get_props, ggml_backend_dev_props, ggml_backend_dev_t,
};
use stoa_models::protocol::{
    Device, DeviceKind, DeviceLayers, DeviceList, DeviceUse, LoadFailure, MAX_DEVICE_NAME_BYTES, MAX_DEVICES, VERSION,
};

/// What programs that compute like a graphics processor call themselves.
const SOFTWARE: [&str; 2] = ["llvmpipe", "SwiftShader"];

/// Writes what there is to standard output, for [`stoa_models::protocol::LIST_DEVICES`].
pub(crate) fn tell() -> ExitCode {
    let devices = found().into_iter().map(|(_, device)| device).take(MAX_DEVICES).collect();
    let told = serde_json::to_vec(&DeviceList { version: VERSION, devices })
        .map_err(io::Error::from)
        .and_then(|list| io::stdout().write_all(&list));
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the devices cannot be told");
            ExitCode::FAILURE
        }
    }
}

/// In the order of ggml's register.
fn found() -> Vec<(ggml_backend_dev_t, Device)> {
    // SAFETY: The register is made at its first use and never shrinks while it is counted: this runs before anything that
    // unloads a backend, or long after it.
    let devices = (0..unsafe { ggml_backend_dev_count() }).map(|index| unsafe { ggml_backend_dev_get(index) });
    devices.filter(|device| !device.is_null()).filter_map(|device| Some((device, describe(device)?))).collect()
}

fn describe(device: ggml_backend_dev_t) -> Option<Device> {
    // SAFETY: All of it are numbers and pointers, for which zero is a value.
    let mut facts: ggml_backend_dev_props = unsafe { std::mem::zeroed() };
    // SAFETY: The device is of the register, and lives as long as the program.
    unsafe { ggml_backend_dev_get_props(device, &raw mut facts) };
    let description = text(facts.description);
    let kind = match facts.type_ {
        _ if SOFTWARE.iter().any(|name| description.contains(name)) => DeviceKind::Software,
        GGML_BACKEND_DEVICE_TYPE_GPU => DeviceKind::Discrete,
        GGML_BACKEND_DEVICE_TYPE_IGPU => DeviceKind::Integrated,
        _ => return None,
    };
    let total_bytes = u64::try_from(facts.memory_total).unwrap_or(u64::MAX);
    let name = text(facts.name);
    Some(Device {
        description: if description.is_empty() { name.clone() } else { description },
        address: Some(text(facts.device_id)).filter(|address| !address.is_empty()),
        kind,
        total_bytes,
        free_bytes: u64::try_from(facts.memory_free).unwrap_or(u64::MAX).min(total_bytes),
        name,
    })
}

/// What of a name is fit to be shown.
fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: ggml's texts end with a zero and live as long as their device.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let mut text: String = text.trim().chars().filter(|character| !character.is_control()).collect();
    text.truncate(text.floor_char_boundary(MAX_DEVICE_NAME_BYTES));
    text
}

/// The devices that a worker was given, and what it has there.
#[derive(Debug, Default)]
pub(crate) struct Given {
    devices: Vec<GivenDevice>,
}

#[derive(Debug)]
struct GivenDevice {
    layers: DeviceLayers,
    handle: ggml_backend_dev_t,
    #[cfg(devices)]
    counted: count::Counted,
}

impl Given {
    /// Finds them by their names. What comes onto them counts from now on.
    pub(crate) fn find(wanted: &[DeviceLayers]) -> Result<Self, LoadFailure> {
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let found = found();
        let given = |layers: &DeviceLayers| {
            let device = found.iter().find(|(_, device)| device.name == layers.device);
            let (handle, _) = device.ok_or_else(|| LoadFailure::Device { device: layers.device.clone() })?;
            Ok(GivenDevice {
                layers: layers.clone(),
                handle: *handle,
                #[cfg(devices)]
                counted: count::Counted::begin(*handle),
            })
        };
        Ok(Self { devices: wanted.iter().map(given).collect::<Result<_, LoadFailure>>()? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Each with its layers, in the order in which these are computed.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (ggml_backend_dev_t, u32)> {
        self.devices.iter().map(|device| (device.handle, device.layers.layers))
    }

    pub(crate) fn in_use(&self) -> Vec<DeviceUse> {
        let in_use = |device: &GivenDevice| DeviceUse {
            device: device.layers.device.clone(),
            layers: device.layers.layers,
            #[cfg(devices)]
            bytes: device.counted.bytes(),
            #[cfg(not(devices))]
            bytes: 0,
        };
        self.devices.iter().map(in_use).collect()
    }
}
