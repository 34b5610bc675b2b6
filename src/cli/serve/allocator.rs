//! What the C library's allocator is told before a node takes memory.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use crate::limits::{BULK_TURN_ROOM_BYTES, LINK_PIECE_BYTES};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use crate::store::VALUE_BYTES_MAX;

/// Segments, tables of the index and large values are to be mapped one by one,
/// so that what is given back goes back to the system.
///
/// glibc begins like that and unlearns it: once such a block was given back, the
/// next ones of its size come from a heap, in which what is free stays resident.
/// Measured at `-m 128`: after large values and then small ones 1.11 times the
/// limit was resident, and 1.01 times with this; lowered to 32 MB it stayed at
/// 123 MB, and went to 35 MB with this. At `-m 64`, values of 66 to 120 KB and
/// then larger ones took 1.68 times the limit where only blocks from 128 KiB on
/// were mapped, and 1.05 to 1.07 with this. That mapping each of them costs page
/// faults is why the store uses what they had again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the C library has no other way to be told")]
pub(super) fn map_large_blocks() {
    // Values from here on have memory of their own.
    const LARGE_BYTES: libc::c_int = VALUE_BYTES_MAX as libc::c_int + 1;
    // What is made anew for each message would cost page faults each time.
    const _: () = assert!(BULK_TURN_ROOM_BYTES < VALUE_BYTES_MAX);
    const _: () = assert!(LINK_PIECE_BYTES < VALUE_BYTES_MAX);
    const KEPT_AT_THE_TOP_BYTES: libc::c_int = 8 << 20;
    // SAFETY: `mallopt` takes two numbers and no pointer, may be called at any
    // time, and refuses what it does not know. What it sets bears on where later
    // blocks come from, not on blocks that there are.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_AT_THE_TOP_BYTES);
    }
}

/// Other allocators are not told anything.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn map_large_blocks() {}
