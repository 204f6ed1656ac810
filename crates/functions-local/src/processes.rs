//! Processes on the host, by their numbers and when they began.

use rustix::process::{Pid, Signal};

/// Nothing, if there is no such process.
pub(crate) fn kill(process: i32) {
    if let Some(process) = Pid::from_raw(process).filter(|process| process.as_raw_nonzero().get() > 1) {
        let _ = rustix::process::kill_process(process, Signal::KILL);
    }
}

/// When a process began, in ticks since the machine did: with its number, what no other process has.
pub(crate) fn began(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may have anything in it.
    let (_, fields) = text.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_is_known_by_its_beginning() {
        let own = super::began(std::process::id()).unwrap();
        assert!(own > 0);
        assert_eq!(super::began(std::process::id()), Some(own));
        assert_eq!(super::began(u32::MAX), None);
    }
}
