//! The system calls that a function may not make. Everything else it may: a list of what is allowed would break the
//! libraries that people use with every release of them.

use libc::{c_int, c_long};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, sock_filter};
use stoa_confinement::seccomp::{DENIED, any, equal, no_clone3, target, unequal};

use super::LockError;

/// With any arguments.
const REFUSED: &[c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Files by other ways than their names.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // Parts of the kernel that have had many holes, and that a web function does without.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_vmsplice,
    // Memory that no control group counts and nobody else sees.
    libc::SYS_memfd_secret,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
];

/// Those that other processors have no number for.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];

const NAMESPACES: [c_int; 8] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_PTRACE,
];

/// Numbers from here on are those of the x32 ABI, which would pass every rule about the others.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

pub(super) fn restrict() -> Result<(), LockError> {
    seccompiler::apply_filter(&no_clone3()?)?;
    #[cfg(target_arch = "x86_64")]
    seccompiler::apply_filter(&no_x32())?;
    seccompiler::apply_filter(&denied()?)?;
    Ok(())
}

fn denied() -> Result<BpfProgram, BackendError> {
    let mut rules = any(REFUSED);
    rules.extend(any(REFUSED_HERE));
    let one = |condition| SeccompRule::new(vec![condition]);
    let namespaces = NAMESPACES
        .iter()
        .map(|flag| one(stoa_confinement::seccomp::masked(0, *flag, *flag)?))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_clone, namespaces);
    // Typing into a terminal. The kernel looks at the lower half of the number alone, and so does this.
    rules.insert(libc::SYS_ioctl, vec![one(equal(1, TIOCSTI)?)?, one(equal(1, TIOCLINUX)?)?]);
    // No personality but the one there is, and asking for it.
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(vec![unequal(0, 0)?, unequal(0, -1)?])?]);
    // Families beside those of a web function: the hypervisor's (which no namespace keeps away), raw packets, ciphers.
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|family| unequal(0, family));
    let foreign = families.into_iter().collect::<Result<Vec<_>, _>>()?;
    // Of netlink, only what tells of interfaces and addresses.
    let netlink = vec![equal(0, libc::AF_NETLINK)?, unequal(2, libc::NETLINK_ROUTE)?];
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(foreign)?, SeccompRule::new(netlink)?]);
    SeccompFilter::new(rules, SeccompAction::Allow, DENIED, target()?)?.try_into()
}

const TIOCSTI: c_int = 0x5412;
const TIOCLINUX: c_int = 0x541C;

/// Loads the number, and lets through what is below [`X32`].
#[cfg(target_arch = "x86_64")]
fn no_x32() -> BpfProgram {
    let operation = |parts: u32| u16::try_from(parts).unwrap_or_default();
    let missing = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        sock_filter { code: operation(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), jt: 0, jf: 0, k: 0 },
        sock_filter { code: operation(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K), jt: 0, jf: 1, k: X32 },
        sock_filter { code: operation(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: missing },
        sock_filter { code: operation(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ]
}
