//! The rows of an attachment's slot that show its first requests in snapshots. For people: nothing
//! depends on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use super::Attachment;
use super::pending::{Pending, Request, RequestId, Shown};
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
        self.update_pool(pending);
        self.show_number(pending);
    }

    /// The number of requests without a row.
    pub(super) fn show_number(&self, pending: &Pending) {
        let count = pending.requests.len() + usize::from(pending.drain.is_some());
        crash_point!(store_pending);
        self.slot().waiting.pending.store(count.saturating_sub(REQUEST_ROWS + pending.pool.rows.len()) as u32, Relaxed);
    }

    /// Writes the rows of the requests that the slot's word is about to announce.
    pub(super) fn prepare_rows(&self, pending: &mut Pending) {
        let head = pending.requests.front().map_or(0, |head| head.id);
        if pending.rows.iter().all(|shown| shown.id != head) {
            self.update_rows(pending, false);
        }
    }

    /// Gives the requests that have no row in the slot one in the pool of the lock, if that has one,
    /// as long as rows are free.
    fn update_pool(&self, pending: &mut Pending) {
        let Pending { requests, drain, pool, .. } = pending;
        let first = REQUEST_ROWS - usize::from(drain.is_some());
        if requests.len() <= first && pool.rows.is_empty() {
            return;
        }
        let id = |request: Option<&Request>| request.map_or(0, |request| request.id);
        let seen = (requests.order(), requests.len(), id(requests.get(first)), id(requests.back()));
        let rows = self.segment.request_pool();
        if rows.is_empty() || pool.seen == seen {
            return;
        }
        let (order, ..) = std::mem::replace(&mut pool.seen, seen);
        let others = || requests.iter().skip(first).take(rows.len());
        let hide = |row: usize| {
            crash_point!(hide_request);
            rows[row].store(Queued::NONE.0, Relaxed);
        };
        let mut shown = BTreeMap::new();
        if requests.order() == order {
            // Requests have left at the front only, and those without a row are the last ones.
            let head = id(others().next());
            while let Some(&(id, row)) = pool.rows.front()
                && id != head
            {
                hide(row);
                pool.rows.pop_front();
            }
        } else {
            let wanted: BTreeSet<_> = others().map(|request| request.id).collect();
            for (id, row) in pool.rows.drain(..) {
                if wanted.contains(&id) {
                    shown.insert(id, row);
                } else {
                    hide(row);
                }
            }
        }
        let claim = |request: &Request| {
            let word = Queued::new(request.mode, self.index as u32, request.ticket);
            let begin = request.ticket as usize % rows.len();
            (begin..rows.len()).chain(0..begin).find(|&row| {
                crash_point!(show_request);
                rows[row].compare_exchange(Queued::NONE.0, word.0, Relaxed, Relaxed).is_ok()
            })
        };
        for request in others().skip(pool.rows.len()) {
            let Some(row) = shown.remove(&request.id).or_else(|| claim(request)) else { break };
            pool.rows.push_back((request.id, row));
        }
        shown.into_values().for_each(hide);
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
