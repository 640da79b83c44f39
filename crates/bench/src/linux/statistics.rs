//! Percentiles, interpolated linearly between the two closest ranks, as `scripts/lib/statistics.js`
//! has them.

/// A percentile of at least one value.
pub fn percentile(mut values: Vec<f64>, percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let position = (values.len() - 1) as f64 * percent / 100.0;
    let (lower, upper) = (values[position.floor() as usize], values[position.ceil() as usize]);
    lower + (upper - lower) * position.fract()
}

pub fn median(values: Vec<f64>) -> f64 {
    percentile(values, 50.0)
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn a_percentile_is_interpolated() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((percentile(vec![10.0, 0.0], 75.0) - 7.5).abs() < 1e-9);
        assert!((percentile(vec![7.0], 99.0) - 7.0).abs() < 1e-9);
    }
}
