//! What a process costs: its time on the processors and its memory, as the
//! kernel counts them in `/proc`.

use super::{Address, Load, LoadError, Protocol, question};
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::path::{Path, PathBuf};

/// A process of this machine.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pid: u32,
    folder: PathBuf,
}

impl Process {
    fn numbered(pid: u32) -> Self {
        Self { pid, folder: Path::new("/proc").join(pid.to_string()) }
    }

    /// Nanoseconds on a processor, of all threads that it has: those that have
    /// ended are no more among them. The scheduler's own count: that of `stat`
    /// goes by ticks of ten milliseconds.
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

/// Nanoseconds that this process spent on a processor, by all threads that it
/// has or had.
pub(super) fn own_cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64
}

/// The processes of all that is asked.
#[derive(Clone, Debug)]
pub(super) struct Processes(Vec<Process>);

impl Processes {
    /// Those that are named, or else those that the servers say they are. None when
    /// one of them is elsewhere or does not say.
    pub(super) fn of(load: &Load, servers: &[Address]) -> Result<Option<Self>, LoadError> {
        let named = load.pids.iter().map(|&pid| {
            let process = Process::numbered(pid);
            let unknown = || LoadError::Refused(format!("cannot read about process {pid}"));
            process.cpu_ns().map(|_| process).ok_or_else(unknown)
        });
        if !load.pids.is_empty() {
            return Ok(Some(Self(named.collect::<Result<_, _>>()?)));
        }
        let asked = servers.iter().map(|server| asked_process(server, load));
        let processes: Option<Vec<Process>> = asked.collect::<Result<_, _>>()?;
        Ok(processes.map(Self))
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.0.iter().map(|process| process.pid).collect()
    }

    /// As [`Process::cpu_ns`], of all of them.
    pub(super) fn cpu_ns(&self) -> Option<u64> {
        self.0.iter().map(Process::cpu_ns).sum()
    }

    /// As [`Process::memory_bytes`], of all of them.
    pub(super) fn memory_bytes(&self) -> Option<(u64, u64)> {
        let each: Option<Vec<(u64, u64)>> = self.0.iter().map(Process::memory_bytes).collect();
        Some(each?.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
    }
}

/// Statistics longer than this are not read to their end.
const STATISTICS_BYTES_MAX: usize = 64 << 10;

/// Asks a server of this machine for its process.
fn asked_process(server: &Address, load: &Load) -> Result<Option<Process>, LoadError> {
    if !server.is_here() {
        return Ok(None);
    }
    let (question, name, is_whole): (_, _, fn(&str) -> bool) = match load.protocol {
        Protocol::Text | Protocol::Meta => ("stats\r\n", "STAT pid ", question::is_statistics),
        Protocol::Redis => ("INFO server\r\n", "process_id:", question::is_bulk),
    };
    let answer = question::ask(server, load, question, STATISTICS_BYTES_MAX, is_whole)?;
    let pid = answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Ok(pid.map(Process::numbered).filter(|process| process.cpu_ns().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_costs_are_known() {
        let own = Process::numbered(std::process::id());
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
    fn ended_threads_cost_still() {
        let before = own_cpu_ns();
        let work = || {
            let started = clock_gettime(ClockId::ThreadCPUTime);
            let mut sum = 0_u64;
            while clock_gettime(ClockId::ThreadCPUTime).tv_nsec < started.tv_nsec + 1_000_000 {
                sum = std::hint::black_box(sum + 1);
            }
        };
        std::thread::spawn(work).join().unwrap();
        assert!(own_cpu_ns() >= before + 1_000_000);
    }
}
