//! What the machine has: memory, as far as this process may use it, and processors.

use crate::memory::Memory;

/// Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    pub memory_total_bytes: u64,
    /// What programs can have without anything going to the disk. Files that are only kept in memory to be at hand count.
    pub memory_available_bytes: u64,
    pub processors: usize,
}

impl Machine {
    /// `None` where the kernel does not tell.
    pub fn look() -> Option<Self> {
        let memory = Memory::of_this_process();
        Some(Self {
            memory_total_bytes: memory.total_bytes()?,
            memory_available_bytes: memory.available_bytes()?,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells() {
        let machine = Machine::look().unwrap();
        assert!(machine.memory_available_bytes <= machine.memory_total_bytes && machine.processors >= 1);
    }
}
