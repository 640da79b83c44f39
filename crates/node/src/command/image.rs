//! What `execve` needs, in memory that the child only reads.

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr;

use super::os;

/// The search path of a process without `PATH`, as in glibc.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";
const SHELL: &std::ffi::CStr = c"/bin/sh";

pub(super) struct Image {
    /// Where the command may be.
    paths: Vec<CString>,
    argv: Vec<*const c_char>,
    /// For a script without `#!`, as `execvp` runs it: the shell, the path, the arguments.
    shell_argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    /// What the pointers point to.
    _strings: Vec<CString>,
}

impl Image {
    pub fn new(args: Vec<String>, variables: &[String]) -> io::Result<Self> {
        let args = raw(args).into_iter().map(string).collect::<io::Result<Vec<_>>>()?;
        let environment = environment(variables)?;
        let Some(command) = args.first() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let paths = candidates(command.as_bytes(), &environment)?;
        let pointers = |strings: &[CString]| strings.iter().map(|each| each.as_ptr()).collect::<Vec<_>>();
        let (mut argv, mut envp) = (pointers(&args), pointers(&environment));
        let mut shell_argv = vec![SHELL.as_ptr(), ptr::null()];
        shell_argv.extend(&argv[1..]);
        for list in [&mut argv, &mut shell_argv, &mut envp] {
            list.push(ptr::null());
        }
        let strings = args.into_iter().chain(environment).collect();
        Ok(Self { paths, argv, shell_argv, envp, _strings: strings })
    }

    /// Becomes the command. Returns only if that fails, with the number of the error; as `execvp`,
    /// which is not async-signal-safe.
    pub fn exec(&mut self) -> i32 {
        let mut result = libc::ENOENT;
        for path in &self.paths {
            os::execve(path, &self.argv, &self.envp);
            match os::errno() {
                libc::ENOEXEC => {
                    self.shell_argv[1] = path.as_ptr();
                    os::execve(SHELL, &self.shell_argv, &self.envp);
                    return libc::ENOEXEC;
                }
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => result = libc::EACCES,
                other => return other,
            }
        }
        result
    }
}

/// The arguments as this process received them: those of Node.js have lost what is not UTF-8. They
/// are the last ones of this process.
fn raw(args: Vec<String>) -> Vec<OsString> {
    let own: Vec<_> = std::env::args_os().collect();
    let tail = own.len().checked_sub(args.len()).map(|start| &own[start..]);
    match tail {
        Some(tail) if tail.iter().zip(&args).all(|(raw, text)| raw.to_string_lossy() == **text) => tail.to_vec(),
        _ => args.into_iter().map(OsString::from).collect(),
    }
}

fn environment(changes: &[String]) -> io::Result<Vec<CString>> {
    let name_of = |change: &'_ str| change.split('=').next().unwrap_or_default().to_owned();
    let names: Vec<_> = changes.iter().map(|change| name_of(change)).collect();
    let kept =
        std::env::vars_os().filter(|(name, _)| !names.iter().any(|changed| name.as_os_str() == OsStr::new(changed)));
    let mut list = kept
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            string(name)
        })
        .collect::<io::Result<Vec<_>>>()?;
    for change in changes.iter().filter(|change| change.contains('=')) {
        list.push(string(OsString::from(change))?);
    }
    Ok(list)
}

fn candidates(command: &[u8], environment: &[CString]) -> io::Result<Vec<CString>> {
    if command.is_empty() || command.contains(&b'/') {
        return Ok(vec![string(OsString::from_vec(command.to_vec()))?]);
    }
    let path = environment.iter().find_map(|variable| variable.as_bytes().strip_prefix(b"PATH="));
    path.unwrap_or(DEFAULT_PATH)
        .split(|&byte| byte == b':')
        .map(|folder| {
            let mut path = folder.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(command);
            string(OsString::from_vec(path))
        })
        .collect()
}

fn string(text: OsString) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::from)
}
