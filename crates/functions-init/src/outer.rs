//! On the host: waits for what to become, and becomes it with nothing open but what was handed over.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::fs::FileType;
use rustix::io::FdFlags;
use rustix::mount::{self, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags};

use crate::protocol::Become;
use crate::{packets, raw};

/// Below are standard input, output and error.
pub const FIRST_DESCRIPTOR: u32 = 3;

#[derive(Debug, thiserror::Error)]
enum OuterError {
    #[error("it is started by the engine of functions, not by hand")]
    Arguments,
    #[error(transparent)]
    Orphan(#[from] stoa_confinement::Orphan),
    #[error("the engine hung up")]
    HungUp,
    #[error("an argument stands for a descriptor that did not come")]
    Descriptor,
    #[error("the sandbox program cannot be started")]
    Start(#[from] io::Error),
}

pub(crate) fn run(parent: &str) -> ExitCode {
    let Err(error) = become_sandbox(parent);
    report(&error);
    ExitCode::FAILURE
}

/// To standard error, which the engine keeps as the instance's log.
fn report(error: &dyn std::error::Error) {
    use std::io::Write as _;
    let mut text = format!("the sandbox cannot be made: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    let _ = writeln!(io::stderr(), "{text}");
}

fn become_sandbox(parent: &str) -> Result<std::convert::Infallible, OuterError> {
    stoa_confinement::end_with_parent(parent.parse().map_err(|_| OuterError::Arguments)?)?;
    raw::close_on_exec_from(FIRST_DESCRIPTOR)?;
    let (order, descriptors) = packets::receive::<Become>(io::stdin().as_fd())?.ok_or(OuterError::HungUp)?;
    if order.user.is_some() {
        stage(&descriptors)?;
    }
    let arguments = order
        .arguments
        .iter()
        .map(|argument| match argument.strip_prefix('@') {
            Some(number) => place(number, &descriptors, order.user.is_some()),
            None => Ok(argument.clone()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut command = Command::new(order.program);
    command.args(arguments).env_clear();
    if let Some(user) = order.user {
        // With no other group.
        command.uid(user).gid(user);
    }
    Err(command.exec().into())
}

/// Where what was handed over is mounted, in mounts of this process alone. The user that this becomes may not enter the
/// folders on the way to where it lies.
const STAGE: &str = "/tmp";

fn stage(descriptors: &[OwnedFd]) -> io::Result<()> {
    // What others have mounted can be mounted here as a copy only, made where it still is theirs.
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let copies = descriptors.iter().map(|descriptor| mount::open_tree(descriptor, "", flags));
    let copies = copies.collect::<Result<Vec<_>, _>>()?;
    raw::own_mounts()?;
    mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    mount::mount("tmpfs", STAGE, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=0755"))?;
    for (number, copy) in copies.iter().enumerate() {
        let place = format!("{STAGE}/{number}");
        if FileType::from_raw_mode(rustix::fs::fstat(copy)?.st_mode).is_dir() {
            std::fs::create_dir(&place)?;
        } else {
            std::fs::File::create(&place)?;
        }
        mount::move_mount(copy, "", rustix::fs::CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    }
    Ok(())
}

/// Lets the next program have a descriptor.
fn place(number: &str, descriptors: &[OwnedFd], staged: bool) -> Result<String, OuterError> {
    let descriptor = number.parse::<usize>().ok().and_then(|number| descriptors.get(number));
    let descriptor = descriptor.ok_or(OuterError::Descriptor)?;
    if staged {
        return Ok(format!("{STAGE}/{number}"));
    }
    rustix::io::fcntl_setfd(descriptor, FdFlags::empty()).map_err(io::Error::from)?;
    Ok(descriptor.as_raw_fd().to_string())
}
