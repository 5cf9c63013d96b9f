//! Gives memory that the allocator keeps free back to the system.
//!
//! glibc returns what is free at the end of a heap, and keeps what is free between two blocks in
//! use. A hundred documents read at once leave a few small blocks that stay among many large ones
//! that do not, so the process keeps most of what it needed at its peak.
//!
//! This is the one crate of the workspace with unsafe code: the call has no safe counterpart in the
//! standard library or in the crates that the program uses.

/// Returns whole free pages to the system. Says whether there were any.
///
/// Takes some milliseconds for each 100 MB that is free; a thread that allocates may have to wait
/// for it. Where the C library is not glibc, it does nothing and returns `false`.
#[must_use]
pub fn give_back() -> bool {
    native::give_back()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod native {
    use std::ffi::c_int;

    unsafe extern "C" {
        /// `malloc_trim(3)`, in glibc since 2.0; since 2.8 for all heaps.
        fn malloc_trim(pad: usize) -> c_int;
    }

    pub(crate) fn give_back() -> bool {
        // SAFETY: it takes no pointer, may be called at any time from any thread, and frees only
        // pages in which no block in use lies.
        let returned = unsafe { malloc_trim(0) };
        returned == 1
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod native {
    pub(crate) fn give_back() -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Memory of the process without that of mapped files, in KB.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn free_pages_between_blocks_in_use_are_returned() {
        // Below the size from which glibc maps each block by itself.
        let mut blocks: Vec<Vec<u8>> = (0..1_000).map(|_| vec![1; 64 * 1024]).collect();
        let mut last = 0;
        blocks.retain(|_| {
            last += 1;
            last % 50 == 0
        });
        let before = resident();
        assert!(give_back());
        let after = resident();
        assert!(after + 40_000 < before, "{before} KB before, {after} KB after");
        assert_eq!(blocks.len(), 20);
    }
}
