//! How far long work is: a bar on a terminal, a line every few seconds
//! elsewhere. Always on stderr.

use super::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Work of a known number of steps, or of which a share is known.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// None where it is counted in percent.
    steps: Option<u64>,
    done: u64,
    now: String,
    /// When a line was written; none has to wait for the first.
    told: Option<Instant>,
}

/// How often a line is written where no bar can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

impl Progress {
    pub(super) fn new(steps: u64) -> Self {
        let bar = bar(steps, "{bar:30} {pos}/{len}  {msg}  {elapsed}");
        let told = Some(Instant::now());
        Self { bar, steps: Some(steps), done: 0, now: String::new(), told }
    }

    /// The same for what is done by others, in percent: the first line comes at once, and says
    /// that there is something to wait for.
    pub(super) fn of_percent() -> Self {
        let bar = bar(100, "{bar:30} {pos}%  {msg}  {elapsed}");
        Self { bar, steps: None, done: 0, now: String::new(), told: None }
    }

    /// Names the step that begins.
    pub(super) fn starts(&mut self, step: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(step);
        } else {
            self.now = step;
        }
    }

    /// Counts the step that ended.
    pub(super) fn done(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        self.tell();
    }

    /// Writes the line of this interval, where there is no bar.
    fn tell(&mut self) {
        let is_time = self.told.is_none_or(|told| told.elapsed() >= LINE_INTERVAL);
        if self.bar.is_none() && is_time {
            self.told = Some(Instant::now());
            match self.steps {
                Some(steps) => output::note(format_args!("{} of {steps}: {}", self.done, self.now)),
                None => output::note(format_args!("{}%  {}", self.done, self.now)),
            }
        }
    }

    /// Notes how many steps are done, where they end while others look on. Work
    /// of several stages begins again with each.
    pub(super) fn reaches(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
        self.tell();
    }

    /// Says something without tearing the bar.
    pub(super) fn says(&self, message: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::note(message)),
            None => output::note(message),
        }
    }
}

fn bar(steps: u64, template: &str) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(template).expect("a template that parses");
        // The clock goes on during a long step, so that it does not look stuck.
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.with_style(style)
    })
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
