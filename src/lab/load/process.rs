//! What a process costs: its time on the processors and its memory, as the
//! kernel counts them in `/proc`.

use super::address::Plug;
use super::{Load, LoadError, Protocol};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// A process of this machine.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    folder: PathBuf,
}

impl Process {
    /// This one.
    pub(super) fn own() -> Self {
        Self::numbered(std::process::id())
    }

    fn numbered(pid: u32) -> Self {
        Self { pid, folder: Path::new("/proc").join(pid.to_string()) }
    }

    /// The server's: the one that is named, or else the one that it says it is.
    /// None when it is elsewhere or does not say.
    pub(super) fn of_server(load: &Load) -> Result<Option<Self>, LoadError> {
        if let Some(pid) = load.pid {
            let process = Self::numbered(pid);
            return match process.cpu_ns() {
                Some(_) => Ok(Some(process)),
                None => Err(LoadError::Refused(format!("cannot read about process {pid}"))),
            };
        }
        if !load.server.is_here() {
            return Ok(None);
        }
        let plug = load.server.connect(load.timeout)?;
        let pid = asked_pid(plug, load)?;
        Ok(pid.map(Self::numbered).filter(|process| process.cpu_ns().is_some()))
    }

    /// Nanoseconds on a processor, of all threads that it has. The scheduler's
    /// own count: that of `stat` goes by ticks of ten milliseconds.
    pub(super) fn cpu_ns(&self) -> Option<u64> {
        let threads = fs::read_dir(self.folder.join("task")).ok()?;
        let time = |thread: PathBuf| -> Option<u64> {
            let text = fs::read_to_string(thread.join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse().ok()
        };
        // A thread may end between the listing and the reading.
        Some(threads.flatten().filter_map(|thread| time(thread.path())).sum())
    }

    /// Bytes in memory: all, and those that no file backs.
    pub(super) fn memory_bytes(&self) -> Option<(u64, u64)> {
        let status = fs::read_to_string(self.folder.join("status")).ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib << 10)
        };
        Some((field("VmRSS:")?, field("RssAnon:")?))
    }
}

/// Statistics longer than this are not read to their end.
const STATISTICS_BYTES_MAX: usize = 64 << 10;

/// Asks the server for its process.
fn asked_pid(mut plug: Plug, load: &Load) -> Result<Option<u32>, LoadError> {
    let (question, name): (&[u8], _) = match load.protocol {
        Protocol::Text | Protocol::Meta => (b"stats\r\n", "STAT pid "),
        Protocol::Redis => (b"INFO server\r\n", "process_id:"),
    };
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    // A server that ends the connection does not tell, and may serve all else.
    if plug.limit(load.timeout).and_then(|()| plug.write_all(question)).is_err() {
        return Ok(None);
    }
    while !is_told(&answer, load.protocol) && answer.len() < STATISTICS_BYTES_MAX {
        match plug.read(&mut part) {
            Ok(0) => break,
            Ok(bytes) => answer.extend_from_slice(&part[..bytes]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(LoadError::Silent { timeout: load.timeout, answered: 0 });
            }
            Err(_) => break,
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()))
}

/// Whether the statistics are there, or something else is.
fn is_told(answer: &[u8], protocol: Protocol) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((whole, _)) = text.rsplit_once('\n') else { return false };
    match protocol {
        Protocol::Text | Protocol::Meta => whole.lines().any(|line| !line.starts_with("STAT ")),
        Protocol::Redis => !text.starts_with('$') || text.contains("process_id:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_costs_are_known() {
        let own = Process::own();
        let before = own.cpu_ns().unwrap();
        let mut sum = 0_u64;
        // Work until the kernel has counted it: it does so tick by tick.
        while own.cpu_ns().unwrap() < before + 1_000_000 {
            sum = std::hint::black_box(sum + 1);
        }
        let (all, anonymous) = own.memory_bytes().unwrap();
        assert!(anonymous > 0 && all >= anonymous, "{all} {anonymous}");
    }

    #[test]
    fn statistics_end_somewhere() {
        let told = |text: &str| is_told(text.as_bytes(), Protocol::Text);
        assert!(!told("") && !told("STAT pid 1\r\nSTAT up") && !told("STAT pid 1\r\n"));
        assert!(told("STAT pid 1\r\nEND\r\n") && told("ERROR\r\n"));
    }
}
