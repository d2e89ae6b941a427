use std::fmt::Write as _;

use zbus::object_server::Interface;

use super::*;

/// What the service serves, as tools are told it.
fn introspected() -> String {
    let poll = mio::Poll::new().unwrap();
    let (calls, _) = bounded(1);
    let collector = Collector {
        shown: Arc::default(),
        limits: Arc::default(),
        calls,
        waker: Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap()),
        places: Places::default(),
        keyring: Keyring::default(),
        files: Files::start().unwrap(),
    };
    let mut text = String::from(
        "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
         \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n",
    );
    collector.introspect_to_writer(&mut text, 2);
    let _ = writeln!(text, "</node>");
    text
}

#[test]
fn what_is_installed_for_tools_is_what_is_served() {
    let installed = include_str!("../../../../systemd/org.evscribe.Collector1.xml");
    let served = introspected();
    assert_eq!(installed, served, "systemd/org.evscribe.Collector1.xml should be:\n{served}");
}
