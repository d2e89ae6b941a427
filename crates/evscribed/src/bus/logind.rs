//! Follows logind: who sits at seat0, on a thread and a connection of its own,
//! so that nobody who calls the service delays it.
//!
//! | said on the bus | done |
//! |---|---|
//! | a property of a seat or session changed, a session came or went | all is read anew |
//! | a session is closing, its first process ended | nobody, until another is active |
//! | logind left the bus | unknown, until it is back |
//! | the bus is gone | unknown; it is tried again, ever more rarely |

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use futures_lite::{Stream, StreamExt, future, stream};
use zbus::connection::Builder;
use zbus::message::Type;
use zbus::wire::OwnedVariant;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath};

use crate::seat::{Seat, Session};

const SOCKET: &str = "/run/dbus/system_bus_socket";
const LOGIND: &str = "org.freedesktop.login1";
const SEAT0: &str = "/org/freedesktop/login1/seat/seat0";
const BUS: &str = "org.freedesktop.DBus";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Waits between attempts to reach the bus, doubled up to the second.
const RETRY: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(60)];

/// An answer that takes longer is none.
const ANSWER: Duration = Duration::from_secs(5);

/// Asks once who is at the seat.
#[must_use]
pub fn seat_now() -> Seat {
    if is_absent() {
        return Seat::Absent;
    }
    zbus::block_on(async {
        match connect().await {
            Ok(bus) => read(&bus).await,
            Err(error) => Seat::Unknown(format!("the system bus cannot be asked ({error})")),
        }
    })
}

async fn connect() -> zbus::Result<Connection> {
    Builder::system().method_timeout(ANSWER).build().await
}

/// Whether this machine has no system bus.
fn is_absent() -> bool {
    !Path::new(SOCKET).exists() && std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_none()
}

/// Follows logind for the life of the process. `tell` gets each change.
///
/// # Errors
/// Where no thread can be started.
pub(crate) fn follow(tell: impl Fn(Seat) + Send + 'static) -> std::io::Result<()> {
    let follow = move || {
        let [mut wait, longest] = RETRY;
        // A bus that went away is not one that never was.
        let mut was_there = false;
        loop {
            if is_absent() && !was_there {
                tell(Seat::Absent);
            } else {
                let mut told = false;
                let ended = zbus::block_on(follow_bus(|seat| {
                    (told, was_there) = (true, true);
                    tell(seat);
                }));
                let why = ended.err().map_or_else(String::new, |error| format!(" ({error})"));
                log::warn!(
                    "the system bus cannot be asked who is at the seat{why}; it is tried again"
                );
                tell(Seat::Unknown("the system bus does not say who is at the seat".into()));
                if told {
                    [wait, _] = RETRY;
                }
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(longest);
        }
    };
    std::thread::Builder::new().name("evscribe-seat".into()).spawn(follow).map(drop)
}

/// Until the connection ends.
async fn follow_bus(mut tell: impl FnMut(Seat)) -> zbus::Result<()> {
    let bus = connect().await?;
    let mut changes = changes(&bus).await?;
    let mut told = None;
    loop {
        let mut came = false;
        let seat = future::or(read(&bus), drain(&mut changes, &mut came)).await;
        // Anybody may have logind say things without end; the event loop hears
        // only what is new.
        if told.as_ref() != Some(&seat) {
            told = Some(seat.clone());
            tell(seat);
        }
        // What came while it was read may be answered already, and is read again.
        if came {
            continue;
        }
        match changes.next().await {
            Some(change) => drop(change?),
            None => return Ok(()),
        }
    }
}

/// Takes in what comes while something is asked, for ever: the answer waits
/// behind signals that nobody takes.
async fn drain(
    changes: &mut (impl Stream<Item = zbus::Result<Message>> + Unpin),
    came: &mut bool,
) -> Seat {
    while let Some(Ok(_)) = changes.next().await {
        *came = true;
    }
    // The bus is gone, which the question finds as well.
    future::pending().await
}

/// Whatever may change who sits there.
async fn changes(
    bus: &Connection,
) -> zbus::Result<impl Stream<Item = zbus::Result<Message>> + Unpin> {
    let signal = || MatchRule::builder().msg_type(Type::Signal);
    let properties =
        signal().sender(LOGIND).interface(PROPERTIES).path_namespace("/org/freedesktop/login1");
    let sessions = signal().sender(LOGIND).interface("org.freedesktop.login1.Manager");
    let owner = signal().sender(BUS).interface(BUS).member("NameOwnerChanged").arg(0, LOGIND);
    let properties = MessageStream::for_match_rule(properties.build()?, bus, None).await?;
    let sessions = MessageStream::for_match_rule(sessions.build()?, bus, None).await?;
    let owner = MessageStream::for_match_rule(owner.build()?, bus, None).await?;
    Ok(stream::or(owner, stream::or(properties, sessions)))
}

async fn read(bus: &Connection) -> Seat {
    match seat(bus).await {
        Ok(seat) => seat,
        Err(error) => Seat::Unknown(format!("logind does not say who is at the seat ({error})")),
    }
}

async fn seat(bus: &Connection) -> zbus::Result<Seat> {
    // Asking logind while it is away would have it started.
    let owned =
        bus.call_method(Some(BUS), "/org/freedesktop/DBus", Some(BUS), "NameHasOwner", &LOGIND);
    if !owned.await?.body().deserialize::<bool>()? {
        return Ok(Seat::Unknown("logind does not run".into()));
    }
    let seat = match all(bus, SEAT0, "org.freedesktop.login1.Seat").await {
        // A machine without a seat, or one whose seat has not come up.
        Err(zbus::Error::MethodError(name, ..)) if name.as_str().ends_with("UnknownObject") => {
            return Ok(Seat::Nobody);
        }
        seat => seat?,
    };
    let (id, path): (String, OwnedObjectPath) = value(&seat, "ActiveSession")?;
    if id.is_empty() {
        return Ok(Seat::Nobody);
    }
    let session = match all(bus, path.as_str(), "org.freedesktop.login1.Session").await {
        // It ended between the two questions; a signal says what came then.
        Err(zbus::Error::MethodError(name, ..)) if name.as_str().ends_with("UnknownObject") => {
            return Ok(Seat::Nobody);
        }
        session => session?,
    };
    // It is over and still named while one of its processes lives on; at the
    // console the next login is asked for there.
    if value::<String>(&session, "State")? == "closing" {
        return Ok(Seat::Nobody);
    }
    let (uid, _): (u32, OwnedObjectPath) = value(&session, "User")?;
    Ok(Seat::Session(Session {
        id,
        uid,
        class: value(&session, "Class")?,
        vt: value(&session, "VTNr")?,
        locked: value(&session, "LockedHint")?,
        remote: value(&session, "Remote")?,
        leader: value(&session, "Leader")?,
    }))
}

type Values = HashMap<String, OwnedVariant>;

async fn all(bus: &Connection, path: &str, interface: &str) -> zbus::Result<Values> {
    let answer = bus.call_method(Some(LOGIND), path, Some(PROPERTIES), "GetAll", &interface);
    answer.await?.body().deserialize()
}

fn value<T>(values: &Values, name: &str) -> zbus::Result<T>
where
    T: TryFrom<OwnedVariant>,
    T::Error: Into<zbus::Error>,
{
    let value = values.get(name).ok_or_else(|| zbus::Error::Failure(format!("no {name}")))?;
    T::try_from(value.try_clone()?).map_err(Into::into)
}
