//! What a model says on devices is what it says on the processor, however its layers are divided.

use stoa_models::protocol::{Landlock, LockProfile};
use stoa_models::{EmbedRequest, MemoryBound, RuntimeOptions};

use crate::house::{LAYERS, bytes, lane, layers, on_devices, on_processor};
use crate::support::{Answer, House, NAME, request};

const MIB: u64 = 1 << 20;

async fn say(house: &House) -> Answer {
    let mut asked = request("Why is the sky blue?");
    asked.parameters.max_tokens = Some(20);
    house.ask(asked).await.unwrap()
}

/// How many characters two texts have in common from the beginning.
fn common(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

#[tokio::test]
async fn all_layers_on_a_device_say_what_the_processor_says() {
    let processor = House::new(on_processor());
    let expected = say(&processor).await;
    let on = lane(&processor);
    assert_eq!((on.engine, on.devices), (None, Vec::new()));
    assert_eq!(on.confinement.unwrap().profile, LockProfile::Processor, "nothing is let through that is not needed");

    let house = House::new(on_devices());
    let answer = say(&house).await;
    // Devices round differently, so that a greedy text may part where two tokens are as likely as each other.
    let alike = common(&answer.text, &expected.text);
    assert!(alike >= 40, "{alike}\n{}\n{}", answer.text, expected.text);
    assert_eq!(say(&house).await, answer, "the same seed, the same text");

    let on = lane(&house);
    assert_eq!((on.engine.as_deref(), on.layers, on.fallback.as_deref()), (Some("built in"), LAYERS, None));
    assert_eq!(layers(&on), [("Vulkan0", LAYERS)]);
    // 87 MiB of weights, 4 contexts of 45 MiB, and what is computed in.
    assert!((260 * MIB..700 * MIB).contains(&bytes(&on)), "{}", bytes(&on));
    let lock = on.confinement.unwrap();
    assert!(lock.seccomp && lock.profile == LockProfile::Devices && lock.landlock != Landlock::Absent, "{lock}");

    let device = house.runtime.status().devices.remove(0);
    assert_eq!((device.device.name.as_str(), device.models_bytes), ("Vulkan0", bytes(&on)));
    assert!(device.bound_bytes > 0 && device.bound_bytes < device.device.total_bytes);
}

#[tokio::test]
async fn some_layers_on_a_device_and_the_rest_on_the_processor() {
    let expected = say(&House::new(on_processor())).await;

    let some = House::new(RuntimeOptions { device_layers: Some(10), ..on_devices() });
    let answer = say(&some).await;
    assert_eq!(layers(&lane(&some)), [("Vulkan0", 10)]);
    assert!(common(&answer.text, &expected.text) >= 40, "{}\n{}", answer.text, expected.text);
}

#[tokio::test]
async fn what_one_device_does_not_hold_is_divided_over_two() {
    let expected = say(&House::new(on_processor())).await;
    // A driver gets 256 MiB of each in the estimate, and what is computed in as much again on each.
    let two = House::new(RuntimeOptions { device_memory: MemoryBound::Bytes(480 * MIB), ..on_devices() });
    let answer = say(&two).await;
    let on = lane(&two);
    let divided = layers(&on);
    assert_eq!(divided.len(), 2, "{divided:?}");
    assert_eq!(divided.iter().map(|(_, layers)| layers).sum::<u32>(), LAYERS, "{divided:?}");
    assert!(on.devices.iter().all(|share| share.bytes > 10 * MIB), "{:?}", on.devices);
    assert!(common(&answer.text, &expected.text) >= 40, "{}\n{}", answer.text, expected.text);
}

#[tokio::test]
async fn embeddings_are_near_those_of_the_processor_and_their_context_is_counted() {
    let embed = || EmbedRequest {
        model: NAME.to_owned(),
        inputs: ["The sky is blue.", "Bread is made of flour."].map(str::to_owned).into(),
        truncate: true,
        dimensions: None,
        tenant: None,
        timers: stoa_model::completion::Timers::default(),
        keep_alive: None,
    };
    let expected = House::new(on_processor()).runtime.embed(embed()).await.unwrap();
    let house = House::new(on_devices());
    say(&house).await;
    let before = bytes(&lane(&house));
    let got = house.runtime.embed(embed()).await.unwrap();
    for (one, other) in got.vectors.iter().zip(&expected.vectors) {
        let alike: f32 = one.iter().zip(other).map(|(one, other)| one * other).sum();
        assert!(alike > 0.999, "{alike}");
    }
    let after = bytes(&lane(&house));
    assert!(after > before + 30 * MIB, "a context of 45 MiB has come: {before} {after}");
    assert_eq!(house.runtime.status().devices[0].models_bytes, after);
}
