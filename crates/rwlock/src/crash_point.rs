//! The points where a process may die with one step taken and the next one not.
//! `crash_point!(label)` stands before every access to shared memory that steers anything, and
//! before every system call that other processes notice; words for people share one label. The same
//! labels mark the steps of the protocol's model (`verify/model`), and the crash tests kill a
//! process at each. Without the feature `crash-injection` it compiles to nothing.

macro_rules! crash_point {
    ($label:ident) => {
        #[cfg(feature = "crash-injection")]
        $crate::crash_point::reached(stringify!($label));
    };
}

#[cfg(feature = "crash-injection")]
pub use injection::*;

#[cfg(feature = "crash-injection")]
mod injection {
    use std::sync::OnceLock;

    static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

    /// Calls `hook` with the label of every crash point that this process reaches, on the thread
    /// that reaches it.
    ///
    /// # Panics
    /// If a hook is already set.
    pub fn on_crash_point(hook: fn(&'static str)) {
        HOOK.set(hook).expect("one hook");
    }

    pub(crate) fn reached(label: &'static str) {
        if let Some(hook) = HOOK.get() {
            hook(label);
        }
    }
}
