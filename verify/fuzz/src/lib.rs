//! Hostile memory: how the lock treats bytes that it never wrote. Three targets, one oracle.
//!
//! - `open`: a lock file made of arbitrary bytes, or of a valid lock with damage, and then used.
//! - `named`: the same for a named lock, with the text of its record and the file of the token floor.
//! - `running`: a lock in use by two threads while a third writes into its memory.
//!
//! The oracle ([`driver`]): only the errors of the contract, each only where it may occur; never a panic or a crash (every
//! overflow is one here, and AddressSanitizer checks the accesses); a wait ends within its limit, and sleeps meanwhile; no
//! descriptor stays open; and when all others have closed, the last attachment gets the lock or an error that it is damaged.

pub mod driver;
pub mod image;
pub mod input;
pub mod world;
