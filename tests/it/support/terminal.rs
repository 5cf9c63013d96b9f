//! A program on a terminal: `script` of util-linux gives it one, and what it draws is kept here as the
//! lines that a person sees.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::wait::{until, until_true};

const WIDTH: usize = 120;
const HEIGHT: usize = 30;

/// A program on a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    keys: Option<ChildStdin>,
    screen: Arc<Mutex<Screen>>,
}

/// What is on the screen.
struct Screen {
    cells: Vec<Vec<char>>,
    x: usize,
    y: usize,
}

impl Terminal {
    /// Starts a shell command in `dir`.
    pub(crate) fn start(dir: &Path, command: &str, variables: &[(&str, &str)]) -> Self {
        let sized = format!("stty rows {HEIGHT} cols {WIDTH}; exec {command}");
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", &sized, "/dev/null"])
            .current_dir(dir)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script, of util-linux");
        let cells = vec![vec![' '; WIDTH]; HEIGHT];
        let screen = Arc::new(Mutex::new(Screen { cells, x: 0, y: 0 }));
        let (mut out, shown) = (child.stdout.take().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                bytes.extend_from_slice(&buffer[..count]);
                let used = shown.lock().unwrap().draw(&bytes);
                bytes.drain(..used);
            }
        });
        Self { keys: child.stdin.take(), child, screen }
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        let stdin = self.keys.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// The lines of the screen.
    pub(crate) fn text(&self) -> String {
        let screen = self.screen.lock().unwrap();
        let lines = screen.cells.iter().map(|line| line.iter().collect::<String>());
        lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the screen shows all of these.
    pub(crate) async fn shows(&self, parts: &[&str]) -> String {
        let found =
            || Some(self.text()).filter(|text| parts.iter().all(|part| text.contains(part)));
        let begun = std::time::Instant::now();
        until(&format!("{parts:?}"), || {
            // What was there instead is half of the answer.
            assert!(begun.elapsed().as_secs() < 100, "no {parts:?} on\n{}", self.text());
            found()
        })
        .await
    }

    /// Waits for its end and returns its status.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let mut status = None;
        until_true("the end of the program", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program on it gets a hangup.
        drop(self.keys.take());
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Screen {
    /// Draws what is complete of `bytes`. Returns how many that are.
    fn draw(&mut self, bytes: &[u8]) -> usize {
        // A character may be cut in the middle.
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap(),
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let mut used = c.len_utf8();
            match c {
                '\x1b' => match rest[1..].chars().next() {
                    Some('[') => {
                        let Some(end) = rest[2..].find(|c: char| ('@'..='~').contains(&c)) else {
                            break;
                        };
                        self.control(&rest[2..2 + end], rest.as_bytes()[2 + end]);
                        used = end + 3;
                    }
                    Some(_) => used = 2,
                    None => break,
                },
                '\r' => self.x = 0,
                '\n' => self.y = (self.y + 1).min(HEIGHT - 1),
                c if !c.is_control() => {
                    if let Some(cell) = self.cells[self.y].get_mut(self.x) {
                        *cell = c;
                    }
                    self.x += 1;
                }
                _ => {}
            }
            rest = &rest[used..];
        }
        text.len() - rest.len()
    }

    fn control(&mut self, parameters: &str, command: u8) {
        let number = |place: usize| {
            let number = parameters.split(';').nth(place).and_then(|text| text.parse().ok());
            number.unwrap_or(1_usize).max(1) - 1
        };
        match command {
            b'H' => (self.y, self.x) = (number(0).min(HEIGHT - 1), number(1)),
            b'J' => self.cells = vec![vec![' '; WIDTH]; HEIGHT],
            _ => {}
        }
    }
}
