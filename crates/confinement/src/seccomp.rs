//! Parts of seccomp filters: conditions on arguments, and the filters that are the same for everybody.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use libc::{c_int, c_long};
use rustix::thread::SecureComputingMode;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

pub const DENIED: SeccompAction = SeccompAction::Errno(libc::EPERM.unsigned_abs());

/// What `clone3` shall do lies in memory, where no filter sees it. To libraries it does not exist, and they use `clone`.
///
/// Of two filters that refuse, the later one's answer counts, so that one that also refuses it otherwise comes first.
pub fn no_clone3() -> Result<BpfProgram, BackendError> {
    let refused = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    SeccompFilter::new(refused, SeccompAction::Allow, missing, target()?)?.try_into()
}

pub fn target() -> Result<TargetArch, BackendError> {
    ARCH.try_into()
}

/// Whether the kernel says that a filter is in force for this thread.
pub fn is_in_force() -> bool {
    matches!(rustix::thread::secure_computing_mode(), Ok(SecureComputingMode::Filter))
}

/// One rule for each value, of which one must hold.
pub fn either(argument: u8, values: &[c_int]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| SeccompRule::new(vec![equal(argument, *value)?])).collect()
}

/// The lower 32 bits, which are all that the kernel looks at where an argument is an `int`.
pub fn equal(argument: u8, value: c_int) -> Result<SeccompCondition, BackendError> {
    let value = u64::from(value.cast_unsigned());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// Not equal in the lower 32 bits.
pub fn unequal(argument: u8, value: c_int) -> Result<SeccompCondition, BackendError> {
    let value = u64::from(value.cast_unsigned());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

pub fn equal_long(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)
}

pub fn masked(argument: u8, mask: c_int, value: c_int) -> Result<SeccompCondition, BackendError> {
    let comparison = SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned()));
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, comparison, u64::from(value.cast_unsigned()))
}

/// A rule for any of these calls, whatever their arguments.
pub fn any(calls: &[c_long]) -> BTreeMap<c_long, Vec<SeccompRule>> {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}
