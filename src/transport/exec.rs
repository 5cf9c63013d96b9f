//! Programs: no shell, nothing of our environment, bounded output, and an end for every process that
//! the program started.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use statuswatch_notify::{Answer, ExecAnswer, ExecRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout_at};

use super::SendError;

/// Most bytes of output that are kept: the last ones.
const OUTPUT: usize = 64 << 10;
/// How long output is awaited after the program has ended and its process group was killed: a
/// process that left the group may still hold the pipe.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// Runs a program. A program that exceeds its time is killed; its answer has no exit status.
pub(super) async fn send(request: ExecRequest, timeout: Duration) -> Result<Answer, SendError> {
    let deadline = Instant::now() + timeout.min(request.timeout);
    let (mut group, mut child, output) = start(&request).map_err(|error| SendError::NotSent {
        reason: format!("the program cannot be started: {error}"),
    })?;
    let stdin = child.stdin.take();
    let mut tail = Tail::default();
    let ended = {
        let feeding = feed(stdin, request.stdin);
        let reading = tail.fill(output);
        let (mut feeding, mut reading) = (std::pin::pin!(feeding), std::pin::pin!(reading));
        let (mut fed, mut read) = (false, false);
        let ended = timeout_at(deadline, async {
            loop {
                tokio::select! {
                    () = &mut feeding, if !fed => fed = true,
                    () = &mut reading, if !read => read = true,
                    status = child.wait() => break status,
                }
            }
        })
        .await;
        // Whatever it started in the background ends with it.
        group.kill();
        if !read {
            timeout_at(Instant::now() + LAST_OUTPUT, reading).await.ok();
        }
        ended
    };
    let code = if let Ok(status) = ended {
        let status = status.map_err(|error| SendError::Unknown {
            reason: format!("the program cannot be waited for: {error}"),
        })?;
        status.code()
    } else {
        // It has been killed: this reaps it.
        child.wait().await.ok();
        None
    };
    Ok(Answer::Exec(ExecAnswer { code, output: tail.into_text() }))
}

/// Starts the program as the leader of a process group. Both of its outputs go into one pipe, so
/// that their order is kept.
fn start(request: &ExecRequest) -> io::Result<(Group, Child, pipe::Receiver)> {
    let Some((program, arguments)) = request.argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is given"));
    };
    let (output, theirs) = io::pipe()?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(request.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stderr(Stdio::from(OwnedFd::from(theirs)))
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    Ok((group, child, pipe::Receiver::from_owned_fd(output.into())?))
}

/// A process group, killed when the value is dropped: a request that is abandoned leaves nothing
/// behind.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            // The only error is that no process of the group is left.
            kill_process_group(leader, Signal::KILL).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes the input. A program may end without reading it.
async fn feed(stdin: Option<ChildStdin>, text: String) {
    if let Some(mut stdin) = stdin {
        stdin.write_all(text.as_bytes()).await.ok();
    }
}

/// The last part of the output.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    async fn fill(&mut self, mut output: pipe::Receiver) {
        let mut piece = vec![0; 8 << 10];
        while let Ok(length @ 1..) = output.read(&mut piece).await {
            self.0.extend_from_slice(piece.get(..length).unwrap_or_default());
            // Now and then, not at every piece: what is moved is bounded by what was read.
            if self.0.len() > 2 * OUTPUT {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        self.0.drain(..self.0.len().saturating_sub(OUTPUT));
    }

    fn into_text(mut self) -> String {
        self.cut();
        String::from_utf8_lossy(&self.0).into_owned()
    }
}
