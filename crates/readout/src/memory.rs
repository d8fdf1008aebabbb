//! How the allocator of the C library is to treat large blocks.

/// Starts the program over with a fixed threshold from which blocks are given back when they are freed.
///
/// glibc raises its threshold to the size of whatever was freed last, so that the 19 MiB of each password
/// that is hashed would stay behind in the heap: a hole a little too small for the next one (it
/// aligns them; glibc bug 14581). The threshold is read once when a process begins, and only from its
/// environment. Where starting over fails the program goes on as it is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back_large_blocks() {
    use std::{env, os::unix::process::CommandExt, process::Command};

    const NAME: &str = "MALLOC_MMAP_THRESHOLD_";

    let is_set = env::var_os(NAME).is_some();
    if let (false, Ok(program)) = (is_set, env::current_exe()) {
        let mut arguments = env::args_os();
        let mut again = Command::new(program);
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        // The same process, with its standard streams and its parent; this returns only on failure.
        let _ = again.args(arguments).env(NAME, "1048576").exec();
    }
}

/// Other allocators need no such care.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back_large_blocks() {}
