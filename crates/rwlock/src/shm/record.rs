//! The record of a named lock: a small text file in the user's directory that names the lock's
//! shared memory.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read, Seek};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::memory::id_prefix;
use crate::error::{Error, ErrorKind, Result};
use crate::options::MAX_NAME;
use crate::sys::files::write_start;

/// The first line of a record. The second line is the ID of the shared memory, and the rest is the
/// name.
const HEADING: &str = "process-rwlock 1";
/// Longer than the longest record.
const READ_BYTES: usize = 1024;
/// The number of hexadecimal digits in the random part of an ID.
const ID_DIGITS: usize = 16;

pub(super) struct Record {
    pub id: String,
    pub name: String,
}

/// The content of a lock file.
pub(super) enum Content {
    /// Nothing: its creator has not written it yet, or it was truncated.
    Empty,
    Record(Record),
    /// Something that is not a record.
    Foreign,
}

/// A file name of fixed length for any lock name. The record and the memory contain the name
/// itself, so two names with the same hash can be distinguished.
pub(super) fn file_name(name: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(name.as_bytes());
    format!("{:032x}", hasher.finish128().as_u128())
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty".into()
    } else if name.len() > MAX_NAME {
        format!("has {} bytes of UTF-8, and {MAX_NAME} are allowed", name.len())
    } else if name.contains('\0') {
        "contains a NUL character".into()
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidArgument, format!("the lock's name {wrong}")))
}

impl Record {
    /// A record with a new ID, under which no memory can exist yet.
    pub fn new(name: &str) -> io::Result<Self> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        Ok(Self { id: format!("{}{random:0ID_DIGITS$x}", id_prefix()), name: name.into() })
    }

    pub fn write(&self, file: &File) -> io::Result<()> {
        crash_point!(write_record);
        write_start(file, format!("{HEADING}\n{}\n{}", self.id, self.name).as_bytes())
    }

    pub fn read(mut file: &File) -> io::Result<Content> {
        let mut bytes = [0; READ_BYTES];
        file.rewind()?;
        let length = file.read(&mut bytes)?;
        Ok(match &bytes[..length] {
            [] => Content::Empty,
            bytes => std::str::from_utf8(bytes).ok().and_then(Self::parse).map_or(Content::Foreign, Content::Record),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.splitn(3, '\n');
        let (HEADING, id, name) = (lines.next()?, lines.next()?, lines.next()?) else { return None };
        let random = id.strip_prefix(&id_prefix())?;
        // Memory with this ID will be unlinked, so the ID must be one of a lock.
        let known = random.len() == ID_DIGITS && random.bytes().all(|byte| byte.is_ascii_hexdigit());
        (known && check_name(name).is_ok()).then(|| Self { id: id.into(), name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_and_script_get_distinct_records() {
        let long = "n".repeat(MAX_NAME);
        let names = ["a", "b", "../x", "a/b", "ü", "名前", long.as_str(), &long[1..]];
        let records: std::collections::BTreeSet<_> = names.iter().map(|name| file_name(name)).collect();
        assert_eq!(records.len(), names.len());
        assert!(records.iter().all(|record| record.len() == 32 && !record.contains(['/', '.'])));
        // The hash is part of the format: other versions of this crate must find the same record.
        assert_eq!(file_name("my-app/cache"), "6094d73ebb379ffa99e9d422b8122d3a");
    }
}
