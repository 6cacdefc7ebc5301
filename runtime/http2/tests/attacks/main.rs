//! What a peer that means harm can cost, attack by attack, each with a bound on memory and on work; and that peers which mean
//! none are never held up. In simulated time, without sockets.
//!
//! Memory is what is allocated, by a counting allocator. Work is bounded by credit: so many frames that do no work are taken
//! at once (`idle_frames`), so many a second after that; so a flood of a known size takes at least a known time.

mod floods;
mod honest;
mod memory;
mod peer;
