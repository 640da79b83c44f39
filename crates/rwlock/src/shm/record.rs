//! The record of a named lock: a small file in the user's directory that names the lock's shared
//! memory. The lock's note follows, if it has one.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read, Seek, SeekFrom};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::memory::id_prefix;
use crate::error::{Error, ErrorKind, Result};
use crate::options::MAX_NAME;
use crate::sys::files::write_start;

/// The first line of a record. The second line is the ID of the shared memory, and the rest is the
/// name.
const HEADING: &str = "process-rwlock 1";
/// The first line of a record with a note, before the length of the name. The note is the rest.
const HEADING_WITH_NOTE: &str = "process-rwlock 1 with a note, name of ";
/// Longer than the longest record without its note.
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

    pub fn write(&self, note: Option<&[u8]>, file: &File) -> io::Result<()> {
        let mut bytes = self.head(note.is_some()).into_bytes();
        bytes.extend_from_slice(note.unwrap_or_default());
        crash_point!(write_record);
        write_start(file, &bytes)
    }

    /// The record without its note.
    fn head(&self, has_note: bool) -> String {
        let Self { id, name } = self;
        if has_note {
            format!("{HEADING_WITH_NOTE}{}\n{id}\n{name}", name.len())
        } else {
            format!("{HEADING}\n{id}\n{name}")
        }
    }

    /// The note of the lock with the name `name`, if it has one.
    pub fn read_note(name: &str, mut file: &File) -> io::Result<Option<Vec<u8>>> {
        let Content::Record(record) = Self::read(file)? else { return Ok(None) };
        let head = record.head(true);
        let mut start = vec![0; head.len()];
        file.rewind()?;
        let length = file.take(head.len() as u64).read(&mut start)?;
        if record.name != name || &start[..length] != head.as_bytes() {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(head.len() as u64))?;
        let mut note = Vec::new();
        file.read_to_end(&mut note)?;
        Ok(Some(note))
    }

    pub fn read(mut file: &File) -> io::Result<Content> {
        let mut bytes = [0; READ_BYTES];
        file.rewind()?;
        let length = file.read(&mut bytes)?;
        Ok(match &bytes[..length] {
            [] => Content::Empty,
            bytes => Self::parse_bytes(bytes).map_or(Content::Foreign, Content::Record),
        })
    }

    fn parse_bytes(bytes: &[u8]) -> Option<Self> {
        let Some(rest) = bytes.strip_prefix(HEADING_WITH_NOTE.as_bytes()) else {
            return Self::parse(std::str::from_utf8(bytes).ok()?);
        };
        let mut lines = rest.splitn(3, |&byte| byte == b'\n');
        let (length, id, rest) = (lines.next()?, lines.next()?, lines.next()?);
        let length = std::str::from_utf8(length).ok()?.parse().ok()?;
        let name = std::str::from_utf8(rest.get(..length)?).ok()?;
        Self::known(std::str::from_utf8(id).ok()?, name)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.splitn(3, '\n');
        let (HEADING, id, name) = (lines.next()?, lines.next()?, lines.next()?) else { return None };
        Self::known(id, name)
    }

    fn known(id: &str, name: &str) -> Option<Self> {
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

    #[test]
    fn a_record_has_its_note_or_none() {
        let path = std::env::temp_dir().join(format!("record-{}", std::process::id()));
        let open = || File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        let long = vec![0xd8; 3 * READ_BYTES];
        let notes = [None, Some(&b""[..]), Some(b"\n\n"), Some(b"process-rwlock 1"), Some(&long)];
        for name in ["a", "a\nb\nc", &"n".repeat(MAX_NAME)] {
            for note in notes {
                let (record, file) = (Record::new(name).unwrap(), open());
                record.write(note, &file).unwrap();
                let Content::Record(read) = Record::read(&file).unwrap() else { panic!("{name:?} {note:?}") };
                assert_eq!((&read.id, &*read.name), (&record.id, name));
                assert_eq!(Record::read_note(name, &file).unwrap().as_deref(), note);
                assert_eq!(Record::read_note("other", &file).unwrap(), None);
            }
        }
        let damaged = |head: &str| {
            let (record, file) = (Record::new("name").unwrap(), open());
            write_start(&file, format!("{HEADING_WITH_NOTE}{head}\n{}\nname", record.id).as_bytes()).unwrap();
            matches!(Record::read(&file), Ok(Content::Foreign)) && matches!(Record::read_note("name", &file), Ok(None))
        };
        assert!(!damaged("4") && ["", "-1", "5", "0", "x", "18446744073709551616"].into_iter().all(damaged));
        std::fs::remove_file(path).unwrap();
    }
}
