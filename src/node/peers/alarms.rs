//! Who wants to be woken, and when.

use super::Waiting;
use crate::item::Now;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Those who do not want to wait longer than until then, if they still wait: most have
/// their answers long before, and are done.
#[derive(Debug, Default)]
pub(in crate::node) struct Alarms(Mutex<Vec<(Now, Weak<Waiting>)>>);

impl Alarms {
    /// Wakes whoever waits, if that is not over by then.
    pub(in crate::node) fn wake_at(&self, waiting: &Arc<Waiting>, at: Now) {
        self.set().push((at, Arc::downgrade(waiting)));
    }

    /// Whether nobody waits for a time.
    pub(super) fn rest(&self) -> bool {
        self.set().is_empty()
    }

    /// Wakes those whose time has come.
    pub(super) fn ring(&self, now: Now) {
        wake(self.take(|at, _| at <= now));
    }

    /// Wakes those who only wait to look once more who executes: it may be somebody else now.
    pub(in crate::node) fn end_pauses(&self) {
        wake(self.take(|_, waiting| waiting.upgrade().is_none_or(|it| it.is_pause())));
    }

    fn take(&self, is_meant: impl Fn(Now, &Weak<Waiting>) -> bool) -> Vec<(Now, Weak<Waiting>)> {
        self.set().extract_if(.., |(at, waiting)| is_meant(*at, waiting)).collect()
    }

    fn set(&self) -> MutexGuard<'_, Vec<(Now, Weak<Waiting>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(due: Vec<(Now, Weak<Waiting>)>) {
    for (at, waiting) in due {
        if let Some(waiting) = waiting.upgrade() {
            waiting.time_is_up(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    const AT: Now = Now::from_unix_ms(1_800_000_000_000);
    const LATER: Now = Now::from_unix_ms(1_800_000_000_005);

    fn waits() -> (Alarms, Arc<Waiting>, Arc<Waiting>) {
        let alarms = Alarms::default();
        let (pause, call) = (Arc::new(Waiting::pause()), Arc::new(Waiting::for_all(1)));
        alarms.wake_at(&pause, LATER);
        alarms.wake_at(&call, LATER);
        (alarms, pause, call)
    }

    #[test]
    fn all_are_woken_when_their_time_has_come() {
        let (alarms, pause, call) = waits();
        alarms.ring(AT);
        assert!(!pause.is_over(Waker::noop()) && !call.is_alarmed() && !alarms.rest());
        alarms.ring(LATER);
        assert!(pause.is_over(Waker::noop()) && call.is_alarmed() && alarms.rest());
    }

    #[test]
    fn pauses_end_before_their_time_and_calls_do_not() {
        let (alarms, pause, call) = waits();
        alarms.end_pauses();
        assert!(pause.is_over(Waker::noop()));
        assert!(!call.is_alarmed() && !call.is_over(Waker::noop()) && !alarms.rest());
        alarms.ring(LATER);
        assert!(call.is_alarmed());
    }
}
