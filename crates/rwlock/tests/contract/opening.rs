//! Names, paths and options.

use std::fs;

use process_rwlock::{Attachment, ErrorKind, LockRef, MAX_CAPACITY, MAX_NAME, OpenOptions, Options, RwLock};

use crate::helpers::{Child, TestLock, is_emulated, list};

#[test]
fn equal_names_are_one_lock_and_different_names_are_different_locks() {
    let (one, two) = (TestLock::named(), TestLock::named());
    let child = one.child();
    child.hold("write");
    assert!(one.open().try_read().is_none());
    assert!(two.open().try_write().is_some());
}

#[test]
fn names_can_have_any_characters_and_255_bytes() {
    let unique = TestLock::named();
    let unique = unique.name();
    let long = |end: &str| format!("{unique}/{}{end}", "n".repeat(MAX_NAME - unique.len() - 1 - end.len()));
    let names = [
        long("1"),
        long("2"),
        long("ü"),
        format!("../{unique}"),
        format!("/{unique}"),
        format!("{unique}\nnext line"),
        format!("{unique} 名前 🔒"),
        format!("{unique}.."),
    ];
    let locks: Vec<_> = names.iter().map(|name| TestLock::called(name)).collect();
    let open: Vec<_> = locks.iter().map(TestLock::open).collect();
    // They are all different: each can be held for write while the others are.
    let _writing: Vec<_> = open.iter().map(|lock| lock.try_write().unwrap()).collect();
    for (lock, own) in locks.iter().zip(&open) {
        assert_eq!(own.inspect().name.as_deref(), Some(lock.name()));
        assert!(lock.open().try_read().is_none(), "{:?} leads to another lock", lock.name());
        assert!(list().iter().any(|seen| seen.name.as_deref() == Some(lock.name())));
    }
}

#[test]
fn invalid_names_are_refused() {
    for name in ["", "a\0b", "\0", &"n".repeat(MAX_NAME + 1), &"ü".repeat(128)] {
        assert_eq!(RwLock::open(name).map(drop).unwrap_err().kind(), ErrorKind::InvalidArgument, "{name:?}");
        let removed = process_rwlock::remove(LockRef::Name(name));
        assert_eq!(removed.unwrap_err().kind(), ErrorKind::InvalidArgument, "{name:?}");
    }
}

#[test]
fn invalid_capacities_are_refused() {
    let lock = TestLock::named();
    for capacity in [0, MAX_CAPACITY + 1, u32::MAX] {
        let error = lock.open_with(&OpenOptions::new().capacity(capacity)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert!(!lock.remove().unwrap(), "and nothing was made");
}

#[test]
fn the_creators_capacity_applies() {
    for lock in TestLock::both_kinds() {
        let _own = lock.open_with(&OpenOptions::new().capacity(7)).unwrap();
        assert_eq!(lock.open().inspect().capacity, 7);
        assert!(lock.open_with(&OpenOptions::new().capacity(7)).is_ok());
        let error = lock.open_with(&OpenOptions::new().capacity(8)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("a capacity of 7 attachments, not 8"), "{error}");
    }
}

#[test]
fn the_capacity_of_a_left_over_named_lock_does_not_bind() {
    let lock = TestLock::named();
    let child = Child::new(lock.reference());
    assert_eq!(child.ask("open capacity=3"), "ok");
    child.hold("read");
    child.kill();
    assert_eq!(lock.open_with(&OpenOptions::new().capacity(4)).unwrap().inspect().capacity, 4);
}

#[test]
fn different_spellings_of_a_path_are_one_lock() {
    let lock = TestLock::at_path();
    let own = lock.open();
    let _writing = own.write().unwrap();
    let path = lock.path();
    let mut others = vec![lock.file("hard"), path.parent().unwrap().join("./lock")];
    fs::hard_link(path, &others[0]).unwrap();
    #[cfg(unix)]
    {
        others.push(lock.file("link"));
        std::os::unix::fs::symlink(path, &others[2]).unwrap();
    }
    #[cfg(windows)]
    {
        let text = path.to_str().unwrap();
        others.extend([text.replace('\\', "/"), text.to_uppercase()].map(Into::into));
        others.push(fs::canonicalize(path).unwrap()); // which begins with \\?\
    }
    for same in &others {
        assert!(RwLock::open_path(same).unwrap().try_read().is_none(), "{}", same.display());
        assert_eq!(LockRef::Path(same).identity(), lock.reference().identity());
    }
    let child = lock.child();
    assert_eq!(child.ask("try_read"), "refused");
}

#[test]
fn a_missing_file_is_created_and_kept() {
    let lock = TestLock::at_path();
    assert_eq!(lock.reference().identity(), None);
    drop(lock.open());
    assert!(lock.path().is_file());
    fs::write(lock.file("empty"), "").unwrap();
    drop(RwLock::open_path(lock.file("empty")).unwrap());
    let found: Vec<_> = fs::read_dir(lock.path().parent().unwrap()).unwrap().collect();
    assert_eq!(found.len(), 2, "and nothing else is made beside it: {found:?}");
}

#[cfg(unix)]
#[test]
fn the_umask_decides_who_cannot_write_a_new_file() {
    use std::os::unix::fs::PermissionsExt;

    let lock = TestLock::at_path();
    drop(lock.open());
    let mode = fs::metadata(lock.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o600, 0o600);
    assert_eq!(mode & 0o111, 0);
}

#[test]
fn paths_of_other_file_types_are_refused() {
    let lock = TestLock::at_path();
    let directory = lock.path().parent().unwrap();
    let kind = |path| RwLock::open_path(path).map(drop).unwrap_err().kind();
    assert_eq!(kind(lock.file("no/such/folder")), ErrorKind::Access);
    assert!(matches!(kind(directory.into()), ErrorKind::Corrupt | ErrorKind::Access));
    assert!(RwLock::open_path("").is_err());
    assert!(RwLock::open_path("a\0b").is_err());
}

#[cfg(unix)]
#[test]
fn a_system_error_has_a_remedy_its_number_and_its_call() {
    let lock = TestLock::at_path();
    let error = RwLock::open_path(lock.file("no/such/folder")).map(drop).unwrap_err();
    assert_eq!(
        (error.raw_os_error(), error.os_code(), error.syscall()),
        (Some(libc::ENOENT), Some("ENOENT"), Some("open"))
    );
    assert_eq!(error.os_text().unwrap(), "no such file or directory");
    let message = error.to_string();
    assert!(
        message.ends_with("its folder does not exist (ENOENT); create the folder first, or correct the path"),
        "{message}"
    );
    // A printed chain of errors contains the reason once.
    assert!(std::error::Error::source(&error).is_none());
    let other = RwLock::open("").map(drop).unwrap_err();
    assert_eq!((other.raw_os_error(), other.os_code(), other.syscall()), (None, None, None));
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused() {
    let lock = TestLock::at_path();
    let pipe = std::ffi::CString::new(lock.file("pipe").to_str().unwrap()).unwrap();
    // SAFETY: `pipe` is a C string.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    for path in [lock.file("pipe"), "/dev/null".into()] {
        assert_eq!(RwLock::open_path(path).map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn many_processes_that_open_a_lock_at_once_create_one() {
    for lock in TestLock::both_kinds() {
        let children: Vec<_> = (0..8).map(|_| Child::new(lock.reference())).collect();
        children.iter().for_each(|child| child.tell("open"));
        children.iter().for_each(|child| assert_eq!(child.answer(), "ok"));
        children[0].hold("write");
        children[1..].iter().for_each(|child| assert_eq!(child.ask("try_read"), "refused"));
    }
}

#[test]
fn the_directory_does_not_depend_on_the_environment() {
    let lock = TestLock::named();
    let own = lock.open();
    let _writing = own.write().unwrap();
    let elsewhere =
        ["TMPDIR", "XDG_RUNTIME_DIR", "HOME", "TEMP", "TMP", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "HOMEPATH"]
            .map(|variable| (variable, "/nowhere"));
    let child = Child::with_environment(lock.reference(), &elsewhere);
    assert_eq!(child.ask("open"), "ok");
    assert_eq!(child.ask("try_read"), "refused");
}

#[test]
fn two_attachments_of_one_lock_have_one_identity() {
    for lock in TestLock::both_kinds() {
        let (own, other) = (lock.attach(), lock.attach());
        assert_eq!(own.identity(), other.identity());
        assert_eq!(lock.reference().identity(), Some(own.identity()));
        assert_eq!(own.capacity(), process_rwlock::DEFAULT_CAPACITY);
        assert!(own.check_capacity(Some(128)).is_ok() && own.check_capacity(None).is_ok());
        assert_eq!(own.check_capacity(Some(1)).unwrap_err().kind(), ErrorKind::Incompatible);
    }
}

#[test]
fn labels_and_thread_numbers_are_shown() {
    let lock = TestLock::named();
    let options = Options { label: "importer".into(), thread: 7, ..Options::default() };
    let own = Attachment::open(lock.reference(), &options).unwrap();
    assert!(own.try_write());
    let shown = || {
        let holder = own.inspect().holders.remove(0);
        (holder.thread, holder.label)
    };
    assert_eq!(shown(), (7, "importer".into()));
    own.set_hold_label(false, "step 2");
    assert_eq!(shown(), (7, "step 2".into()));
    own.set_hold_label(false, "");
    own.set_label("exporter");
    assert_eq!(shown(), (7, "exporter".into()));
    own.set_label(&"é".repeat(100));
    let (_, cut) = shown();
    assert!(cut.len() >= 40 && "é".repeat(100).starts_with(&cut), "{cut}");
}

/// As in WSL 1 and old versions of gVisor.
#[cfg(target_os = "linux")]
#[test]
fn a_system_without_open_file_description_locks_is_named_as_such() {
    if is_emulated() {
        return;
    }
    for lock in TestLock::both_kinds() {
        let child = Child::new(lock.reference());
        assert_eq!(child.ask("no_open_file_locks"), "ok");
        assert_eq!(child.ask("open"), "Unsupported");
        let message = child.ask("message");
        assert!(message.contains("has no open file description locks") && message.contains("WSL 2"), "{message}");
    }
}
