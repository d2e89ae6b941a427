//! What is typed stays in this process's memory, and there not for long.
//!
//! | where it could end up | what is done |
//! |---|---|
//! | memory that was freed | the allocator overwrites it (`main.rs`) |
//! | buffers that serve for hours, the stack | whoever used them overwrites them |
//! | swap | all memory is locked |
//! | a core file, another process of the same user | the process is not dumpable |

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl::set_dumpable;

/// Locks pages when they are first used, not all that is mapped.
///
/// Source: `MCL_ONFAULT` in `asm-generic/mman.h`; mlockall(2), since Linux 4.4.
const MCL_ONFAULT: i32 = 4;

/// Keeps memory out of swap and of core files. A refusal is logged, and what it
/// means: the unit forbids both on its own.
pub(crate) fn guard() {
    if let Err(error) = set_dumpable(false) {
        log::error!(
            "the kernel may still write core files of this process ({error}): \
             a crash may leave what was typed last on the disk; LimitCORE=0 forbids it as well"
        );
    }
    let flags = MlockAllFlags::MCL_CURRENT
        | MlockAllFlags::MCL_FUTURE
        | MlockAllFlags::from_bits_retain(MCL_ONFAULT);
    if let Err(error) = mlockall(flags) {
        log::error!(
            "memory cannot be kept out of swap ({error}): what was typed last may reach the disk; \
             the unit needs LimitMEMLOCK=infinity, and MemorySwapMax=0 forbids swap as well"
        );
    }
}
