//! What is done after the tests, whatever ends them: also where one is killed, or
//! nodes are kept in a static.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Commands of a shell that waits for the end of its input to run them. Dropped, or
/// when the process has ended, it does.
#[derive(Debug)]
pub(crate) struct Will(Mutex<Child>);

impl Will {
    pub(crate) fn new() -> Self {
        // A line at a time, and only then what they say.
        let shell = "all=; while read -r line; do all=\"$all$line\n\"; done; eval \"$all\"";
        let mut command = Command::new("sh");
        command.args(["-c", shell]).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(Mutex::new(command.spawn().expect("a shell")))
    }

    /// Has this run in the end.
    pub(crate) fn add(&self, command: &str) {
        let mut shell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(shell.stdin.as_mut().expect("its input is open"), "{command}").unwrap();
    }
}

impl Drop for Will {
    fn drop(&mut self) {
        let shell = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}
