//! The current view, shared by all workers of a node and swapped whole.

use crate::cluster::View;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the current view is published.
///
/// The lock is taken to publish a view, by each worker once after that, and to
/// make a new handle; no lookup touches it.
#[derive(Clone, Debug)]
pub struct SharedView(Arc<Published>);

#[derive(Debug)]
struct Published {
    /// Raised after `current` is replaced, so whoever sees the new number finds
    /// that view or a newer one.
    number: AtomicU64,
    current: Mutex<Arc<View>>,
}

impl SharedView {
    /// Publishes the first view.
    #[must_use]
    pub fn new(view: View) -> Self {
        let current = Mutex::new(Arc::new(view));
        Self(Arc::new(Published { number: AtomicU64::new(0), current }))
    }

    /// Replaces the view. Readers see the new one from their next look on; the
    /// old one goes when the last reader has looked again.
    pub fn publish(&self, view: View) {
        let view = Arc::new(view);
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, view);
        self.0.number.fetch_add(1, Ordering::Release);
        drop(current);
        // Freeing the old rings is kept out of the lock.
        drop(old);
    }

    /// A handle for one worker.
    #[must_use]
    pub fn reader(&self) -> ViewReader {
        let number = self.0.number.load(Ordering::Acquire);
        let (view, published) = (self.0.current(), Arc::clone(&self.0));
        ViewReader { view, number, is_held: false, published }
    }
}

impl Published {
    fn current(&self) -> Arc<View> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One worker's handle on the current view. It keeps the view it saw last, so a
/// look is a load of the shared number and a comparison: no lock, and no counter
/// that two workers would fight over.
#[derive(Clone, Debug)]
pub struct ViewReader {
    view: Arc<View>,
    number: u64,
    is_held: bool,
    published: Arc<Published>,
}

impl ViewReader {
    /// The view that is current now, or the one that is held.
    #[inline]
    pub fn view(&mut self) -> &View {
        if !self.is_held {
            self.look();
        }
        &self.view
    }

    /// Goes by the view that is current now until it is released.
    #[inline]
    pub fn hold(&mut self) {
        self.look();
        self.is_held = true;
    }

    /// Whether it goes by one view.
    #[inline]
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Goes by whichever view is current.
    #[inline]
    pub fn release(&mut self) {
        self.is_held = false;
    }

    #[inline]
    fn look(&mut self) {
        let number = self.published.number.load(Ordering::Acquire);
        if number != self.number {
            self.refresh(number);
        }
    }

    #[cold]
    fn refresh(&mut self, number: u64) {
        self.view = self.published.current();
        self.number = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Layout, Node, NodeId, Ring};

    fn view(nodes: u64) -> View {
        let nodes: Vec<Node> = (0..nodes).map(|id| Node::new(NodeId(id))).collect();
        View::settled(&Ring::new(&Layout::default(), &nodes).unwrap())
    }

    #[test]
    fn readers_see_what_was_published() {
        let shared = SharedView::new(view(1));
        let (mut early, mut other) = (shared.reader(), shared.reader());
        assert_eq!(early.view().nodes().len(), 1);
        shared.publish(view(3));
        assert_eq!(early.view().nodes().len(), 3);
        assert_eq!(other.view().nodes().len(), 3);
        assert_eq!(shared.reader().view().nodes().len(), 3);
    }

    #[test]
    fn a_held_view_stays() {
        let shared = SharedView::new(view(1));
        let mut reader = shared.reader();
        shared.publish(view(2));
        reader.hold();
        shared.publish(view(3));
        assert_eq!(reader.view().nodes().len(), 2);
        reader.release();
        assert_eq!(reader.view().nodes().len(), 3);
    }

    #[test]
    fn old_views_are_let_go() {
        let shared = SharedView::new(view(1));
        let mut reader = shared.reader();
        let old = Arc::downgrade(&reader.view);
        shared.publish(view(2));
        assert!(old.upgrade().is_some(), "the reader still holds it");
        reader.view();
        assert!(old.upgrade().is_none(), "the reader let it go at its next look");
    }

    #[test]
    fn views_never_go_back() {
        let shared = SharedView::new(view(1));
        let watch = |mut reader: ViewReader| {
            move || {
                let mut last = 0;
                while last < 20 {
                    let nodes = reader.view().nodes().len();
                    assert!(nodes >= last, "{nodes} after {last}");
                    last = nodes;
                }
            }
        };
        let watchers = [(); 2].map(|()| std::thread::spawn(watch(shared.reader())));
        (2..=20).for_each(|nodes| shared.publish(view(nodes)));
        for watcher in watchers {
            watcher.join().unwrap();
        }
    }
}
