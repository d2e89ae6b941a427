//! What the data team's tool is asked through this command.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says plainly what it expects")]

mod support;

use std::fs;

use support::{command, evscribe};

/// A folder with an `evscribe-data` that says what it was asked, a line each. It lies
/// there: one that was just written cannot be executed while any child, that another
/// test starts, has it open for writing.
const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool");

fn asked(args: &[&str]) -> (Option<i32>, Vec<String>) {
    let output = command(args).env("PATH", TOOL).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), out.lines().map(str::to_owned).collect())
}

#[test]
fn arguments_go_over_as_they_are_and_its_exit_code_comes_back() {
    for verb in ["query", "merge", "erase"] {
        let args =
            ["data", verb, "lake", "SELECT  '--x' ", "--format", "csv", "-V", "--help", "--", "-"];
        let expected = [&[verb], &args[2..]].concat();
        assert_eq!(asked(&args), (Some(7), expected.iter().map(|arg| (*arg).into()).collect()));
    }
    let (code, said) = asked(&["pull", "--hosts", "hosts.toml", "--into", "lake"]);
    assert_eq!((code, said.join(" ").as_str()), (Some(7), "pull --hosts hosts.toml --into lake"));
    let (_, said) = asked(&["data", "query", "--help"]);
    assert_eq!(said, ["query", "--help"]);
    for args in [["--json", "data", "query", "q"], ["data", "query", "--json", "q"]] {
        assert_eq!(asked(&args).1, ["--json", "query", "q"]);
    }
}

#[test]
fn a_lake_is_checked_by_the_tool_and_a_dataset_is_not() {
    let lake = tempfile::tempdir().unwrap();
    let shown = lake.path().to_str().unwrap();
    let args = ["data", "verify", shown, "--key", "a.key", "--key", "b.key"];
    assert_eq!(asked(&args).0, Some(1), "no dataset");
    fs::create_dir(lake.path().join("_evscribe")).unwrap();
    let (code, said) = asked(&args);
    assert_eq!((code, said.join(" ")), (Some(7), args[1..].join(" ")));
    let (code, said) = asked(&["data", "verify", "s3://bucket/lake"]);
    assert_eq!((code, said.join(" ").as_str()), (Some(7), "verify s3://bucket/lake"));
}

#[test]
fn without_the_tool_it_says_what_to_install() {
    let empty = tempfile::tempdir().unwrap();
    let output = command(["data", "query", "SELECT 1"]).env("PATH", empty.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    for words in ["Debian package evscribe-data", "make build-data install-data"] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn help_names_what_the_tool_does() {
    let pull = evscribe(["--help"]).succeeds().out;
    assert!(pull.contains("by evscribe-data"), "{pull}");
    let data = evscribe(["data", "--help"]).succeeds().out;
    for verb in ["query", "merge", "erase"] {
        assert!(data.contains(verb), "{data}");
    }
}
