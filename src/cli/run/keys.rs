//! Reads single keys from the terminal; Ctrl-C and Ctrl-Z keep working.

use std::io::Read;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::mpsc;

/// A key with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `h`
    History,
    /// `s`
    Status,
    /// `q`
    Quit,
    /// Any other: what the keys are.
    Help,
}

/// Reads keys from the terminal. Restores the terminal when dropped.
pub(super) struct Keys {
    keys: mpsc::Receiver<Key>,
    before: Option<Termios>,
}

impl Keys {
    /// Starts reading. If the terminal does not allow it, no key is ever returned.
    pub(super) fn listen() -> Self {
        let (sender, keys) = mpsc::channel(8);
        let before = if in_foreground() { single_keys() } else { None };
        // The thread blocks in the terminal and ends with the process.
        let listening =
            std::thread::Builder::new().name("keys".to_owned()).spawn(move || listen(&sender));
        if let Err(error) = listening {
            tracing::warn!(%error, "keys do not work");
        }
        Self { keys, before }
    }

    /// The next key.
    pub(super) async fn next(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && let Err(error) = tcsetattr(std::io::stdin(), OptionalActions::Now, before)
        {
            tracing::debug!(%error, "the terminal could not be restored");
        }
    }
}

/// Turns off line buffering and echo; returns the former settings.
fn single_keys() -> Option<Termios> {
    let before = tcgetattr(std::io::stdin()).ok()?;
    let mut keys = before.clone();
    keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(std::io::stdin(), OptionalActions::Now, &keys).ok()?;
    Some(before)
}

/// Reading in the background would stop the whole process.
fn in_foreground() -> bool {
    tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn listen(keys: &mpsc::Sender<Key>) {
    let stdin = std::io::stdin();
    let wait = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
    loop {
        let ready = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&wait));
        if !in_foreground() {
            // Looked at again when there is something to read; a stopped or background job has no
            // keys.
            std::thread::park_timeout(std::time::Duration::from_millis(500));
            continue;
        }
        if ready != Ok(1) {
            continue;
        }
        let mut byte = [0];
        match stdin.lock().read(&mut byte) {
            Ok(1) => {}
            // The terminal was closed.
            _ => return,
        }
        let key = match byte[0] {
            b'h' | b'H' => Key::History,
            b's' | b'S' => Key::Status,
            b'q' | b'Q' => Key::Quit,
            b'?' => Key::Help,
            _ => continue,
        };
        if keys.blocking_send(key).is_err() {
            return;
        }
    }
}
