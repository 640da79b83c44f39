//! The rows of an attachment's slot that show its first requests in snapshots. For people: nothing
//! depends on them.

use std::sync::atomic::Ordering::Relaxed;

use super::Attachment;
use super::pending::{Pending, RequestId, Shown};
use crate::protocol::slot::Queued;
use crate::shm::layout::REQUEST_ROWS;
use crate::sys::park;

impl Attachment {
    /// Gives a request a label of its own. Call it before [`Attachment::poll`].
    pub fn label_request(&self, id: RequestId, label: &str) {
        self.pending.borrow_mut().labels.insert(id, label.into());
    }

    /// Brings the rows, and the number of requests without one, up to date with the slot's word. A
    /// request keeps its row while it is one of the first, so that most calls write little.
    pub(super) fn show_requests(&self, pending: &mut Pending) {
        self.update_rows(pending, true);
        self.show_number(pending);
    }

    /// The number of requests without a row.
    pub(super) fn show_number(&self, pending: &Pending) {
        let count = pending.requests.len() + usize::from(pending.drain.is_some());
        crash_point!(store_pending);
        self.slot().waiting.pending.store(count.saturating_sub(REQUEST_ROWS) as u32, Relaxed);
    }

    /// Writes the rows of the requests that the slot's word is about to announce.
    pub(super) fn prepare_rows(&self, pending: &mut Pending) {
        let head = pending.requests.front().map_or(0, |head| head.id);
        if pending.rows.iter().all(|shown| shown.id != head) {
            self.update_rows(pending, false);
        }
    }

    /// Every poll of a contended lock comes here, so it compares before it writes.
    fn update_rows(&self, pending: &mut Pending, hides: bool) {
        let Pending { requests, drain, labels, rows, sync, .. } = pending;
        let drain = drain.as_ref();
        let first = || drain.map(|drain| &drain.request).into_iter().chain(requests.iter().take(REQUEST_ROWS));
        let mut wanted = [Shown::default(); REQUEST_ROWS];
        for (place, request) in wanted.iter_mut().zip(first()) {
            let word = Queued::new(request.mode, self.generation, request.ticket);
            let word = word.followed(sync.is_some_and(|sync| sync != request.id));
            *place = Shown { id: request.id, word };
        }
        if let Some(drain) = drain
            && drain.claimed
        {
            wanted[0].word = wanted[0].word.skipped();
        }
        if *rows == wanted {
            return;
        }
        let slot = &self.slot().requests;
        for (row, shown) in slot.rows.iter().zip(rows.iter_mut()) {
            if hides && *shown != Shown::default() && !wanted.contains(shown) {
                crash_point!(hide_request);
                row.request.store(Queued::NONE.0, Relaxed);
                *shown = Shown::default();
            }
        }
        for (&wanted, request) in wanted.iter().zip(first()) {
            if !rows.contains(&wanted)
                && let Some(free) = rows.iter().position(|row| *row == Shown::default())
            {
                let row = &slot.rows[free];
                crash_point!(show_request);
                row.since.store(park::shared(request.since), Relaxed);
                row.label.store(if labels.is_empty() {
                    ""
                } else {
                    labels.get(&request.id).map_or("", String::as_str)
                });
                row.request.store(wanted.word.0, Relaxed);
                rows[free] = wanted;
            }
        }
    }
}
