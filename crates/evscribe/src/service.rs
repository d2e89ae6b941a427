//! The service on the system bus, as this command asks it.

use std::collections::HashMap;
use std::time::Duration;

use zbus::connection::Builder;
use zbus::fdo;
use zbus::{OwnedFd, OwnedVariant, block_on};

/// Longer than forgetting a day takes, or a password.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// What the service answers; `org.evscribe.Collector1.xml` says what each means.
/// Who asks is known by the bus.
#[zbus::proxy(
    interface = "org.evscribe.Collector1",
    default_service = "org.evscribe.Collector1",
    default_path = "/org/evscribe/Collector1"
)]
pub(crate) trait Collector {
    fn notice(&self) -> zbus::Result<(String, String, String)>;
    fn notice_shown(&self, version: &str, sha256: &str) -> zbus::Result<()>;
    fn acknowledge(
        &self,
        version: &str,
        sha256: &str,
        keys: &str,
        pointer: &str,
    ) -> zbus::Result<String>;
    fn set_level(&self, keys: &str, pointer: &str) -> zbus::Result<String>;
    fn opt_out(&self, erase: bool) -> zbus::Result<(u64, u32)>;
    fn pause(&self, seconds: u64) -> zbus::Result<i64>;
    fn resume(&self) -> zbus::Result<()>;
    fn forget(&self, from_us: i64, until_us: i64) -> zbus::Result<(u64, u32)>;
    fn me(&self) -> zbus::Result<HashMap<String, OwnedVariant>>;
    fn my_files(&self) -> zbus::Result<Vec<(String, u64, String)>>;
    fn open_my_file(&self, path: &str) -> zbus::Result<(OwnedFd, Vec<u8>)>;
    fn my_ledger(&self) -> zbus::Result<Vec<String>>;
    fn note_pull(&self, name: &str) -> zbus::Result<(u32, OwnedFd)>;
    fn acknowledge_pull(&self, name: &str, manifest_sha256: &str) -> zbus::Result<u32>;
    fn verify_ledger(&self) -> zbus::Result<(bool, String)>;

    #[zbus(allow_interactive_auth)]
    fn erase_of(&self, uid: u32) -> zbus::Result<(u64, u32)>;
    #[zbus(allow_interactive_auth)]
    fn hold_all(&self, hold: bool, why: &str) -> zbus::Result<()>;

    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn reason(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn since(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn level(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn controller(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn contact(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn purpose(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn lawful_basis(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn relationship(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn notice_version(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn notice_sha256(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn policy_sha256(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn policy_error(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn dataset(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn retention_days(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn cooling_off_hours(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn at_rest(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn recipients(&self) -> zbus::Result<Vec<(String, String)>>;
    #[zbus(property)]
    fn pulls_paused(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn losses_today(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn open_devices(&self) -> zbus::Result<u32>;
}

/// Why the service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// Nobody can be asked: there is no bus.
    #[error(
        "the system bus cannot be reached, so the service cannot be asked ({0}); systemctl status \
         dbus says how the bus is"
    )]
    NoBus(zbus::Error),
    /// Nobody is there to ask.
    #[error(
        "evscribed does not run: nothing is collected. An administrator starts it with \
         systemctl start evscribed"
    )]
    NotRunning,
    /// The service went away before it answered: it may have done what was asked.
    #[error(
        "the service went away before it answered, so it is not known whether it did that; \
         evscribe status shows how things stand, and asking again is harmless"
    )]
    Broken,
    /// The service stops and did not finish; systemd may start it again.
    #[error("{0}")]
    Stopping(String),
    /// The service says why not, for people.
    #[error("{0}")]
    Refused(String),
    /// The service says why not now, for people.
    #[error("{0}")]
    Later(String),
    /// The service took it in and says how far it came.
    #[error("{0}")]
    Failed(String),
    /// The bus does not let this person ask.
    #[error("the bus does not let you ask that ({0}); nothing was changed")]
    Denied(String),
    /// Service and command do not understand each other.
    #[error(
        "the service and this command do not understand each other ({0}); are both of the same \
         version? evscribe --version, evscribed --version"
    )]
    Strange(zbus::Error),
}

impl From<zbus::Error> for ServiceError {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::FDO(error) => match *error {
                fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Self::NotRunning,
                fdo::Error::NoReply(_) | fdo::Error::Disconnected(_) => Self::Broken,
                fdo::Error::AccessDenied(why) | fdo::Error::AuthFailed(why) => Self::Denied(why),
                fdo::Error::LimitsExceeded(why) => Self::Refused(why),
                other => Self::Strange(zbus::Error::FDO(Box::new(other))),
            },
            zbus::Error::MethodError(name, Some(text), message) => match name.as_str() {
                "org.evscribe.Error.Refused" => Self::Refused(text),
                "org.evscribe.Error.Busy" | "org.evscribe.Error.Paused" => Self::Later(text),
                "org.evscribe.Error.Stopping" => Self::Stopping(text),
                "org.evscribe.Error.Failed" => Self::Failed(text),
                _ => Self::Strange(zbus::Error::MethodError(name, Some(text), message)),
            },
            zbus::Error::InputOutput(_) => Self::Broken,
            other => Self::Strange(other),
        }
    }
}

impl ServiceError {
    /// Whether the same may be done later, without anybody changing anything here.
    pub(crate) const fn is_passing(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Denied(_) | Self::Strange(_))
    }

    /// Whether nobody is there to answer, so that nothing is collected either.
    pub(crate) const fn is_absence(&self) -> bool {
        matches!(self, Self::NoBus(_) | Self::NotRunning)
    }
}

/// The service, reached over the system bus.
pub(crate) struct Service(CollectorProxy<'static>);

impl Service {
    /// Goes to the system bus. Whether the service runs shows at the first
    /// question.
    ///
    /// # Errors
    /// [`ServiceError::NoBus`].
    pub(crate) fn connect() -> Result<Self, ServiceError> {
        let connected = block_on(async {
            let bus = Builder::system().method_timeout(ANSWER_WITHIN).build().await?;
            CollectorProxy::new(&bus).await
        });
        connected.map(Self).map_err(ServiceError::NoBus)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`ServiceError`], which says what to do.
    pub(crate) fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&CollectorProxy<'static>) -> zbus::Result<T>,
    ) -> Result<T, ServiceError> {
        block_on(question(&self.0)).map_err(ServiceError::from)
    }
}
