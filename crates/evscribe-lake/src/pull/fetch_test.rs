//! What it means how rsync and ssh end.

use super::*;

fn ended(code: i32, said: &str) -> Came {
    let outcome = Outcome { ended: Ended::Code(code), said: said.into() };
    came(&outcome, Duration::from_secs(60))
}

fn told(code: i32, said: &str) -> String {
    match ended(code, said) {
        Came::Broke(error) => error.told(),
        other => format!("{other:?}"),
    }
}

#[test]
fn each_end_says_what_to_do() {
    for (code, said, part) in [
        (
            255,
            "ssh: connect to host h port 22: Connection refused\nrsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\nrsync error: unexplained error (code 255) at io.c(231)",
            "Connection refused",
        ),
        (
            255,
            "No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.",
            "not known here",
        ),
        (
            255,
            "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "another than the known one",
        ),
        (255, "evscribe-pull@h: Permission denied (publickey).", "pull-access add"),
        (
            75,
            "evscribe: pulls are paused by the policy\nrsync: connection unexpectedly closed",
            "now: pulls are paused by the policy",
        ),
        (
            12,
            "evscribe: with this key you can only pull\nrsync error: x",
            "with this key you can only pull",
        ),
        (
            11,
            "rsync: [receiver] write failed on \"/x\": No space left on device (28)\nrsync error: error in file IO (code 11)",
            "make space",
        ),
        (
            30,
            "[Receiver] io timeout after 60 seconds -- exiting\nrsync error: timeout",
            "no byte came for 60 s",
        ),
        (137, "", "without a word"),
        (process::FOLDER_TAKEN, "", "earlier run"),
    ] {
        let text = told(code, said);
        assert!(text.contains(part) && !text.contains("rsync error"), "{code}: {text}");
    }
    assert!(matches!(ended(0, ""), Came::All));
    assert!(matches!(ended(23, "rsync: some files"), Came::All));
    assert!(matches!(ended(11, "write failed: File too large (27)"), Came::TooLong));
    assert!(told(1, &"evil ".repeat(1_000)).len() < 500);
}

#[test]
fn what_rsync_tells_is_understood() {
    assert_eq!(name_of("> 120 events/date=x/a.parquet"), Some("events/date=x/a.parquet"));
    assert_eq!(name_of("created directory x"), None);
    assert_eq!(received_of("Total bytes received: 1,234"), Some(1_234));
    assert_eq!(received_of("Total bytes sent: 1"), None);
}
