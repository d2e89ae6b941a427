//! How sealed files lie on the disk.

use crate::words::words;

/// Where the public keys stand that sealed files are encrypted for; the policy
/// says whether, the data team for whom.
pub const RECIPIENTS_PATH: &str = "/etc/evscribe/recipients";

words! {
    /// How sealed files lie on the disk.
    AtRest as "way to keep sealed files" {
        /// Encrypted, for the recipients and for the workstation itself.
        #[default]
        Encrypted = "encrypted",
        /// As they are: who has the disk reads them.
        Plain = "plain",
    }
}
