//! What people ask over the bus, and what the event loop answers.

use async_channel::Sender;
use zbus::DBusError;

/// Someone's request on its way to the event loop.
pub(crate) struct Call {
    /// Who asks, as the bus states it.
    pub(crate) uid: u32,
    pub(crate) request: Request,
    /// Takes the answer; whoever asked may be gone.
    pub(crate) reply: Sender<Outcome>,
}

/// What may be asked. A person asks for themselves; `EraseOf` and `HoldAll`, which
/// touch others, and `NotePull` and `AcknowledgePull` come only from those who may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    Notice,
    NoticeShown {
        version: String,
        sha256: String,
    },
    Acknowledge {
        version: String,
        sha256: String,
        keys: String,
        pointer: String,
    },
    SetLevel {
        keys: String,
        pointer: String,
    },
    OptOut {
        erase: bool,
    },
    Pause {
        seconds: u64,
    },
    Resume,
    Forget {
        from_us: i64,
        until_us: i64,
    },
    Me,
    /// Everything collected so far is to be in sealed files and in the ledger.
    Settle,
    /// They took a copy of so much.
    Exported {
        files: u64,
        bytes: u64,
    },
    EraseOf {
        uid: u32,
    },
    HoldAll {
        hold: bool,
        why: String,
    },
    /// That puller is about to take what is on offer.
    NotePull {
        puller: String,
    },
    /// That puller has what that manifest lists.
    AcknowledgePull {
        puller: String,
        sha256: String,
    },
    /// What is refused before it comes here, to be written down.
    Denied {
        what: &'static str,
        why: String,
    },
}

impl Request {
    /// Whether it writes something down.
    pub(crate) const fn is_change(&self) -> bool {
        !matches!(self, Self::Notice | Self::Me)
    }

    /// Its name on the bus.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Notice => "Notice",
            Self::NoticeShown { .. } => "NoticeShown",
            Self::Acknowledge { .. } => "Acknowledge",
            Self::SetLevel { .. } => "SetLevel",
            Self::OptOut { .. } => "OptOut",
            Self::Pause { .. } => "Pause",
            Self::Resume => "Resume",
            Self::Forget { .. } => "Forget",
            Self::Me => "Me",
            Self::Settle | Self::Exported { .. } => "MyFiles",
            Self::EraseOf { .. } => "EraseOf",
            Self::HoldAll { .. } => "HoldAll",
            Self::NotePull { .. } => "NotePull",
            Self::AcknowledgePull { .. } => "AcknowledgePull",
            Self::Denied { what, .. } => what,
        }
    }
}

/// What is answered.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Answer {
    Done,
    Level(String),
    Until(i64),
    Gone {
        rows: u64,
        files: u32,
    },
    Notice {
        version: String,
        sha256: String,
        text: String,
    },
    Me(Box<Me>),
    /// The pseudonyms of who asked.
    Subjects(Vec<String>),
    /// So many files.
    Files(u32),
}

/// How one person stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Me {
    pub(crate) uid: u32,
    pub(crate) standing: &'static str,
    pub(crate) why: String,
    pub(crate) notice: String,
    pub(crate) acknowledged_at_us: i64,
    pub(crate) level: String,
    pub(crate) paused_until_us: i64,
    pub(crate) notice_due: bool,
    pub(crate) subjects: Vec<String>,
}

/// The answer, or why there is none.
pub(crate) type Outcome = Result<Answer, Refusal>;

/// Why a request was not done. Each says what to do instead.
#[derive(Clone, PartialEq, Debug, DBusError)]
#[zbus(prefix = "org.evscribe.Error")]
pub(crate) enum Refusal {
    #[zbus(error)]
    Bus(zbus::Error),
    /// It is against the rules; nothing changed.
    Refused(String),
    /// Too many requests; nothing changed.
    Busy(String),
    /// Nobody may pull now; nothing is to be served.
    Paused(String),
    /// The service stops; nothing changed.
    Stopping(String),
    /// It was taken in, but could not be done: the message says how far it came.
    Failed(String),
}
