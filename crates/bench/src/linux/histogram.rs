//! A histogram of durations, in buckets of 9 %.

use serde::Serialize;

/// Buckets for each doubling.
const OCTAVE: f64 = 8.0;
const BUCKETS: usize = 8 * 64 + 1;

pub struct Histogram {
    counts: [u64; BUCKETS],
    max: u64,
}

/// The serialized form: the buckets that are not empty, by index.
#[derive(Debug, PartialEq, Serialize)]
pub struct Summary {
    buckets: Vec<(usize, u64)>,
    max: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { counts: [0; BUCKETS], max: 0 }
    }

    pub fn add(&mut self, ns: u64) {
        self.counts[index(ns)] += 1;
        self.max = self.max.max(ns);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn summary(&self) -> Summary {
        let buckets = self.counts.iter().copied().enumerate().filter(|&(_, count)| count > 0).collect();
        Summary { buckets, max: self.max }
    }
}

fn index(ns: u64) -> usize {
    (OCTAVE * (ns as f64 + 1.0).log2()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_the_times_from_its_bound_to_the_next() {
        for (ns, bucket) in [(0, 0), (1, 8), (3, 16), (1023, 80), (1024, 80), (1115, 80), (1117, 81), (u64::MAX, 512)] {
            assert_eq!(index(ns), bucket, "{ns} ns");
        }
    }

    #[test]
    fn a_summary_has_what_was_added() {
        let mut histogram = Histogram::new();
        for ns in [1023, 5, 1024] {
            histogram.add(ns);
        }
        assert_eq!(histogram.count(), 3);
        assert_eq!(histogram.summary(), Summary { buckets: vec![(20, 1), (80, 2)], max: 1024 });
    }
}
