//! Holds that exclude each other do not overlap.

use process_rwlock_stress::Mode;

use super::history::{History, Hold};

/// A time when a hold was certainly there, in a mode that kept out some others.
#[derive(Clone, Copy)]
struct Span {
    hold: usize,
    from: u64,
    to: u64,
}

pub fn check(history: &History) -> Vec<String> {
    let any = spans(history, |_| true);
    let exclusive = spans(history, |mode| mode >= Mode::Upgradable);
    let write = spans(history, |mode| mode == Mode::Write);
    let overlaps = [overlaps(&exclusive, &exclusive), overlaps(&write, &any)].concat();
    let describe = |span: Span| {
        let Hold { actor, id, .. } = history.holds[span.hold];
        format!("hold {id} of {}, {} to {} ns", history.name(actor), span.from, span.to)
    };
    overlaps.into_iter().map(|(one, other)| format!("overlap: {}, and {}", describe(one), describe(other))).collect()
}

/// Where holds are in one of the modes, without a gap.
fn spans(history: &History, has: impl Fn(Mode) -> bool) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (index, hold) in history.holds.iter().enumerate() {
        let mut goes_on = false;
        for piece in &hold.pieces {
            if !has(piece.mode) {
                goes_on = false;
                continue;
            }
            match spans.last_mut() {
                Some(last) if goes_on => last.to = piece.to,
                _ => spans.push(Span { hold: index, from: piece.from, to: piece.to }),
            }
            goes_on = true;
        }
    }
    spans.sort_by_key(|span| span.from);
    spans
}

/// Pairs of spans, of the one kind and of the other, that overlap and belong to different holds.
fn overlaps(ones: &[Span], others: &[Span]) -> Vec<(Span, Span)> {
    let mut found = Vec::new();
    for (earlier, later) in [(ones, others), (others, ones)] {
        // Of those that began before, the one that lasts longest, and the longest of another hold.
        let (mut longest, mut second): (Option<Span>, Option<Span>) = (None, None);
        let mut next = earlier.iter().peekable();
        for span in later {
            while let Some(before) = next.next_if(|before| before.from <= span.from) {
                match longest {
                    Some(top) if top.hold == before.hold => {
                        longest = Some(if top.to < before.to { *before } else { top });
                    }
                    Some(top) if top.to < before.to => (longest, second) = (Some(*before), longest),
                    Some(_) if second.is_none_or(|second| second.to < before.to) => second = Some(*before),
                    Some(_) => {}
                    None => longest = Some(*before),
                }
            }
            let candidates = [longest, second].into_iter().flatten();
            if let Some(before) = candidates.filter(|before| before.hold != span.hold).max_by_key(|before| before.to)
                && before.to > span.from
                && span.to > span.from
            {
                found.push((before, *span));
            }
        }
    }
    found
}
