//! The values that the stress test gives the lock. Each has a number and a length, and each of its words depends on the
//! number, so that parts of two values do not make one.

/// The longest value of a lock.
const MAX: usize = process_rwlock::MAX_VALUE;

/// The value with this number; 0: no value.
#[must_use]
pub fn value_of(number: u64) -> Option<Vec<u8>> {
    if number == 0 {
        return None;
    }
    let mut state = number;
    let length = 8 + mixed(state) as usize % (MAX - 7);
    let mut bytes = Vec::with_capacity(length + 7);
    while bytes.len() < length {
        bytes.extend_from_slice(&state.to_le_bytes());
        state = mixed(state);
    }
    bytes.truncate(length);
    Some(bytes)
}

/// The number of a value; `None` if it is not as it was set.
#[must_use]
pub fn number_of(value: Option<&[u8]>) -> Option<u64> {
    let Some(bytes) = value else { return Some(0) };
    let number = u64::from_le_bytes(*bytes.first_chunk()?);
    (value_of(number).as_deref() == value).then_some(number)
}

/// The finalizer of SplitMix64 (G. Steele et al., "Fast splittable pseudorandom number generators", 2014).
fn mixed(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_its_number_and_a_mixture_has_none() {
        let lengths: Vec<usize> = (1..2000).map(|number| value_of(number).unwrap().len()).collect();
        assert!(lengths.iter().all(|&length| (8..=MAX).contains(&length)));
        assert!(lengths.contains(&8) && lengths.contains(&MAX));
        for number in [0, 1, 2, u64::MAX] {
            assert_eq!(number_of(value_of(number).as_deref()), Some(number));
        }
        let long = |from| (from..).find(|&number| value_of(number).unwrap().len() == MAX).unwrap();
        let (one, other) = (long(1), long(long(1) + 1));
        let (one, other) = (value_of(one).unwrap(), value_of(other).unwrap());
        for cut in (8..MAX).step_by(8) {
            assert_eq!(number_of(Some(&[&one[..cut], &other[cut..]].concat())), None);
            assert_eq!(number_of(Some(&one[..cut])), None);
        }
        assert_eq!(number_of(Some(&[])), None);
    }
}
