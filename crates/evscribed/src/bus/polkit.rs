//! Whether somebody may do what touches others.

use std::collections::HashMap;

use zbus::{Connection, Variant};

/// The action of org.evscribe.collector1.policy.
pub(crate) const MANAGE_OTHERS: &str = "org.evscribe.collector1.manage-others";

const POLKIT: &str = "org.freedesktop.PolicyKit1";

/// Whoever is asked for a password may take this long.
const ALLOW_INTERACTION: u32 = 1;

/// Whether the caller of that unique name may do `action`, as polkit says;
/// where no polkit runs, only root may.
pub(crate) async fn may(bus: &Connection, caller: &str, uid: u32, action: &str) -> bool {
    if uid == 0 {
        return true;
    }
    let subject = ("system-bus-name", HashMap::from([("name", Variant::from(caller))]));
    let details: HashMap<&str, &str> = HashMap::new();
    let question = (subject, action, details, ALLOW_INTERACTION, "");
    let asked = bus.call_method(
        Some(POLKIT),
        "/org/freedesktop/PolicyKit1/Authority",
        Some("org.freedesktop.PolicyKit1.Authority"),
        "CheckAuthorization",
        &question,
    );
    let answer = match asked.await {
        Ok(answer) => answer,
        Err(error) => {
            log::info!("polkit cannot be asked ({error}), so only root may");
            return false;
        }
    };
    let result = answer.body().deserialize::<(bool, bool, HashMap<String, String>)>();
    result.is_ok_and(|(authorized, _, _)| authorized)
}
