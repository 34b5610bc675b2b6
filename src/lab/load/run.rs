//! A run from its first connection to its report: stages, threads, and the
//! clock that ends them.

use super::address::Plug;
use super::fleet::Fleet;
use super::items::Items;
use super::process::{Processes, own_cpu_ns};
use super::report::{Report, Servers};
use super::tally::Tally;
use super::worker::{Job, Signals, Work, work};
use super::{Extent, Load, LoadError};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// What is being done.
    pub name: &'static str,
    /// The part of it that is done.
    pub part: f64,
    /// Requests answered in it.
    pub answered: u64,
}

/// How often a run tells how far it is.
const TOLD_INTERVAL: Duration = Duration::from_millis(200);

/// How often a warm-up looks whether it has its answers.
const COUNTED_INTERVAL: Duration = Duration::from_millis(5);

/// Asks the server as the load says. `watch` is told how far it is.
///
/// # Errors
/// When the load makes no sense, or the server cannot be reached, falls silent,
/// ends a connection or sends what cannot be read.
pub fn run(load: &Load, watch: &mut dyn FnMut(Stage)) -> Result<Report, LoadError> {
    load.check()?;
    let items = Arc::new(Items::new(&load.data));
    let fleet = Arc::new(Fleet::of(load, &items)?);
    let servers = Processes::of(load, fleet.servers())?;
    let _idle = connect(load, &fleet, load.idle)?;
    let mut preloaded = Tally::default();
    if load.preload {
        preloaded = Crew::start(load, &items, &fleet, Work::Preload)?.finish(load, watch)?;
    }
    let mut crew = Crew::start(load, &items, &fleet, Work::Ask)?;
    crew.warm_up(load, watch)?;
    let mut report = crew.measure(load, servers.as_ref(), watch)?;
    if load.ring.is_some() && Fleet::of(load, &items)? != *fleet {
        let why = "the ring changed meanwhile, so not all keys went where they should: ask again";
        return Err(LoadError::Refused(why.to_owned()));
    }
    report.tally.errors += preloaded.errors;
    report.tally.first_error = preloaded.first_error.or(report.tally.first_error);
    Ok(report)
}

fn connect(load: &Load, fleet: &Fleet, count: usize) -> Result<Vec<Plug>, LoadError> {
    (0..count).map(|number| fleet.server(number).connect(load.timeout)).collect()
}

/// The threads of a stage.
struct Crew {
    job: Arc<Job>,
    threads: Vec<JoinHandle<()>>,
    ended: Receiver<Result<Tally, LoadError>>,
    running: usize,
    tally: Tally,
}

impl Crew {
    fn start(
        load: &Load,
        items: &Arc<Items>,
        fleet: &Arc<Fleet>,
        work_to_do: Work,
    ) -> Result<Self, LoadError> {
        let plugs = connect(load, fleet, load.connections)?;
        let signals = Signals::default();
        // Without a warm-up not even the first request shall go uncounted.
        if work_to_do == Work::Preload || load.warm_up.is_nothing() {
            signals.count();
        }
        let (load, items, fleet) = (load.clone(), Arc::clone(items), Arc::clone(fleet));
        let running = load.threads.min(load.connections);
        let job = Arc::new(Job { load, items, fleet, work: work_to_do, signals });
        let mut parts: Vec<Vec<(usize, Plug)>> = (0..running).map(|_| Vec::new()).collect();
        for (number, plug) in plugs.into_iter().enumerate() {
            parts[number % running].push((number, plug));
        }
        let (ends, ended) = mpsc::channel();
        let start = |plugs| {
            let (job, ends) = (Arc::clone(&job), ends.clone());
            thread::spawn(move || {
                // Nobody listens any more once another thread has failed.
                let _ = ends.send(work(&job, plugs));
            })
        };
        let threads = parts.into_iter().map(start).collect();
        Ok(Self { job, threads, ended, running, tally: Tally::default() })
    }

    /// Waits until all is done.
    fn finish(mut self, load: &Load, watch: &mut dyn FnMut(Stage)) -> Result<Tally, LoadError> {
        let goal = load.data.keys as f64;
        self.wait(None, |answered| watch(stage("writing keys", answered as f64 / goal, answered)))?;
        Ok(std::mem::take(&mut self.tally))
    }

    fn warm_up(&mut self, load: &Load, watch: &mut dyn FnMut(Stage)) -> Result<(), LoadError> {
        let (start, extent) = (Instant::now(), load.warm_up);
        // Short naps only where answers are counted, which wakes nobody.
        let nap = match extent {
            Extent::Requests(_) => COUNTED_INTERVAL,
            Extent::Duration(_) => TOLD_INTERVAL,
        };
        let mut part = 0.0;
        while !extent.is_nothing() && part < 1.0 && self.running > 0 {
            let left = match extent {
                Extent::Duration(whole) => whole.saturating_sub(start.elapsed()),
                Extent::Requests(_) => nap,
            };
            self.wait(Some(Instant::now() + left.min(nap)), |_| ())?;
            let answered = self.job.signals.answered();
            part = extent.part(start.elapsed(), answered);
            watch(stage("warming up", part, answered));
        }
        Ok(())
    }

    fn measure(
        mut self,
        load: &Load,
        servers: Option<&Processes>,
        watch: &mut dyn FnMut(Stage),
    ) -> Result<Report, LoadError> {
        let costs = || (servers.and_then(Processes::cpu_ns), own_cpu_ns());
        let before = costs();
        let (start, warmed) = (Instant::now(), self.job.signals.answered());
        self.job.signals.count();
        let end = match load.extent {
            Extent::Duration(duration) => Some(start + duration),
            Extent::Requests(_) => None,
        };
        self.wait(end, |answered| {
            let answered = answered.saturating_sub(warmed);
            watch(stage("measuring", load.extent.part(start.elapsed(), answered), answered));
        })?;
        let (seconds, after) = (start.elapsed().as_secs_f64(), costs());
        self.job.signals.stop();
        self.wait(None, |_| ())?;
        let spent_us = |before: Option<u64>, after: Option<u64>| {
            Some(after?.saturating_sub(before?) as f64 / 1000.0)
        };
        let memory = servers.and_then(Processes::memory_bytes);
        Ok(Report {
            tally: std::mem::take(&mut self.tally),
            seconds,
            client_cpu_us: after.1.saturating_sub(before.1) as f64 / 1000.0,
            server_count: self.job.fleet.servers().len(),
            servers: servers.map(|processes| Servers {
                pids: processes.pids(),
                cpu_us: spent_us(before.0, after.0),
                rss_bytes: memory.map(|(all, _)| all),
                rss_anon_bytes: memory.map(|(_, anonymous)| anonymous),
            }),
        })
    }

    /// Waits until that moment, or until all threads have ended.
    fn wait(&mut self, until: Option<Instant>, mut tell: impl FnMut(u64)) -> Result<(), LoadError> {
        while self.running > 0 {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            match self
                .ended
                .recv_timeout(left.map_or(TOLD_INTERVAL, |left| left.min(TOLD_INTERVAL)))
            {
                Ok(tally) => {
                    self.tally.add(tally?);
                    self.running -= 1;
                }
                Err(RecvTimeoutError::Timeout) => tell(self.job.signals.answered()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(LoadError::Refused("a thread of the generator ended".to_owned()));
                }
            }
        }
        Ok(())
    }
}

/// A thread that is not wanted any more ends after its batch, at the latest when
/// the server's time is over.
impl Drop for Crew {
    fn drop(&mut self) {
        self.job.signals.stop();
        for thread in self.threads.drain(..) {
            // It has told its failure already.
            let _ = thread.join();
        }
    }
}

fn stage(name: &'static str, part: f64, answered: u64) -> Stage {
    Stage { name, part: part.clamp(0.0, 1.0), answered }
}
