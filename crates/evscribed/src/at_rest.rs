//! How files are sealed, by the policy and the list of recipients.

use std::path::Path;

use evscribe_policy::{AtRest as Way, Policy, RECIPIENTS_PATH};
use evscribe_sink::SinkError;
use evscribe_sink::crypt::{self, AtRest};

use crate::status::Recipient;

/// How files are to be sealed: encrypted, unless a policy says otherwise, for
/// those on the list. The workstation's own key comes to these where it seals.
///
/// # Errors
/// Where the list is there and cannot be followed.
pub(crate) fn decided(policy: Option<&Policy>) -> Result<AtRest, SinkError> {
    by(policy, Path::new(RECIPIENTS_PATH))
}

fn by(policy: Option<&Policy>, list: &Path) -> Result<AtRest, SinkError> {
    if policy.is_some_and(|policy| policy.at_rest == Way::Plain) {
        return Ok(AtRest::Plain);
    }
    match crypt::recipients(list) {
        Ok(recipients) => Ok(AtRest::Encrypted { recipients }),
        Err(SinkError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(AtRest::Encrypted { recipients: Vec::new() })
        }
        Err(error) => Err(error),
    }
}

/// At the start of the service: where the list cannot be followed, the
/// workstation alone reads what is sealed, until it can.
#[must_use]
pub fn at_start(policy: Option<&Policy>) -> AtRest {
    decided(policy).unwrap_or_else(|error| {
        log::error!(
            "{}; files are encrypted for this workstation alone until the list is mended and \
             systemctl reload evscribed was run",
            crate::gate::chain(&error)
        );
        AtRest::Encrypted { recipients: Vec::new() }
    })
}

/// The word for it, and whom it names, as everybody may know.
pub(crate) fn shown(at_rest: &AtRest) -> (String, Vec<Recipient>) {
    match at_rest {
        AtRest::Plain => (Way::Plain.to_string(), Vec::new()),
        AtRest::Encrypted { recipients } => {
            let recipient = |key: &crypt::PublicKey| Recipient {
                id: key.id(),
                name: key.name().unwrap_or_default().to_owned(),
            };
            (Way::Encrypted.to_string(), recipients.iter().map(recipient).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(way: &str) -> Policy {
        let text = format!(
            "purpose = \"p\"\nlawful_basis = \"contract\"\nrelationship = \"study\"\n\
             at_rest = \"{way}\"\n[controller]\nname = \"n\"\ncontact = \"c\"\n\
             [notice]\nversion = \"1\"\n[retention]\ndays = 1\n"
        );
        Policy::parse(Path::new("p.toml"), &text).unwrap()
    }

    #[test]
    fn without_a_policy_or_a_list_files_are_encrypted_for_the_workstation() {
        let folder = tempfile::tempdir().unwrap();
        let none = AtRest::Encrypted { recipients: Vec::new() };
        assert_eq!(by(None, &folder.path().join("recipients")).unwrap(), none);
    }

    #[test]
    fn who_is_on_the_list_is_shown_by_id_and_name() {
        let list = tempfile::NamedTempFile::new().unwrap();
        let key = crypt::SecretKey::generate().unwrap().public().named("data team").unwrap();
        std::fs::write(list.path(), format!("# ours\n{key}\n")).unwrap();
        let (way, recipients) = shown(&by(Some(&policy("encrypted")), list.path()).unwrap());
        assert_eq!(way, "encrypted");
        assert_eq!(recipients, [Recipient { id: key.id(), name: "data team".into() }]);
        let plain = by(Some(&policy("plain")), list.path()).unwrap();
        assert_eq!(shown(&plain), ("plain".into(), Vec::new()));
    }

    #[test]
    fn a_list_that_cannot_be_followed_is_an_error() {
        let list = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(list.path(), "nonsense\n").unwrap();
        assert!(by(None, list.path()).is_err());
    }
}
