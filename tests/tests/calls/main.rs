//! What is true of calls whatever carries them: each case runs over every transport.

#![allow(clippy::duplicate_mod, reason = "the same cases, once for each transport")]

mod inproc;
mod tcp;
