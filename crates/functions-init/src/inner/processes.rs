//! The processes of the sandbox: the function's own, commands beside it, and the orphans of both, which are reaped.

use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use crate::protocol::{self, Claim, Ended, Failure, Notice, Plan};

pub(crate) struct Processes {
    main: Option<Pid>,
    /// Where a waiting interpreter reads what it shall run.
    code: Option<ChildStdin>,
    hooks: Vec<Hook>,
    claimed: Option<Claim>,
    /// How the function's own command ended, while hooks still run.
    ended: Option<Ended>,
}

struct Hook {
    ticket: u64,
    process: Pid,
    until: Instant,
}

impl Processes {
    pub(crate) fn start(plan: &Plan) -> Result<Self, Failure> {
        let mut command = command(plan, &plan.command, None).map_err(|errno| Failure::Command { errno })?;
        command.stdin(if plan.takes_code { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().map_err(|error| Failure::Command { errno: errno(&error) })?;
        Ok(Self {
            main: Pid::from_raw(child.id().cast_signed()),
            code: child.stdin.take(),
            hooks: Vec::new(),
            claimed: None,
            ended: None,
        })
    }

    /// Tells the waiting interpreter what it shall run.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<(), Failure> {
        let mut code = self.code.take().ok_or(Failure::Plan)?;
        let mut line = serde_json::to_vec(claim).map_err(|_| Failure::Plan)?;
        line.push(b'\n');
        code.write_all(&line).map_err(|error| Failure::Command { errno: errno(&error) })?;
        self.claimed = Some(claim.clone());
        Ok(())
    }

    pub(crate) fn start_hook(&mut self, plan: &Plan, hook: &protocol::Hook) -> Result<(), i32> {
        let mut command = command(plan, &hook.command, self.claimed.as_ref())?;
        let child = command.stdin(Stdio::null()).spawn().map_err(|error| errno(&error))?;
        let process = Pid::from_raw(child.id().cast_signed()).ok_or(libc::ESRCH)?;
        let until = Instant::now() + Duration::from_millis(hook.limit_ms);
        self.hooks.push(Hook { ticket: hook.ticket, process, until });
        Ok(())
    }

    pub(crate) fn terminate(&self) {
        if let Some(main) = self.main {
            // Gone already: then it has ended as it should.
            let _ = rustix::process::kill_process_group(main, Signal::TERM);
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.hooks.iter().map(|hook| hook.until).min()
    }

    pub(crate) fn kill_overdue(&mut self, now: Instant) {
        for hook in self.hooks.iter_mut().filter(|hook| hook.until <= now) {
            let _ = rustix::process::kill_process_group(hook.process, Signal::KILL);
            // Its end is told when it has been reaped.
            hook.until = now + Duration::from_secs(1);
        }
    }

    /// What has ended. The end of the function's own command comes last, and after those of all hooks.
    pub(crate) fn reap(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        while let Ok(Some((process, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let ended = ended(status);
            if self.main == Some(process) {
                self.main = None;
                self.ended = Some(ended);
            }
            if let Some(place) = self.hooks.iter().position(|hook| hook.process == process) {
                let hook = self.hooks.swap_remove(place);
                notices.push(Notice::HookEnded { ticket: hook.ticket, ended });
            }
        }
        if self.hooks.is_empty() {
            notices.extend(self.ended.map(|ended| Notice::Exited { ended }));
        }
        notices
    }
}

fn command(plan: &Plan, line: &[String], claimed: Option<&Claim>) -> Result<Command, i32> {
    let (program, arguments) = line.split_first().ok_or(libc::ENOENT)?;
    let environment = claimed.map_or(&plan.environment, |claim| &claim.environment);
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment).current_dir(&plan.working_directory).process_group(0);
    Ok(command)
}

fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

fn ended(status: WaitStatus) -> Ended {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::Code(0),
    }
}
