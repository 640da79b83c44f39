//! The labels of all crash points in the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

static LABELS: OnceLock<BTreeMap<String, usize>> = OnceLock::new();

/// Each label with its number, in alphabetical order.
pub fn all() -> &'static BTreeMap<String, usize> {
    LABELS.get_or_init(|| {
        let mut found = BTreeMap::new();
        scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(!found.is_empty(), "no crash_point!(…) in the sources");
        for (number, entry) in found.values_mut().enumerate() {
            *entry = number;
        }
        found
    })
}

pub fn name(number: usize) -> &'static str {
    all().iter().find(|(_, known)| **known == number).map_or("?", |(name, _)| name)
}

fn scan(folder: &Path, found: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for rest in line.split("crash_point!(").skip(1) {
                found.insert(rest.split(')').next().unwrap().into(), 0);
            }
        }
    }
}
