//! Places that can be no dataset, and datasets that were damaged.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says plainly what it expects"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use support::{Said, data, evscribe, files, import, recording};
use tempfile::TempDir;

/// A dataset of three recordings.
fn dataset() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset");
    let names = ["mouse.evemu", "keyboard.evemu", "pen.evemu"].map(recording);
    let paths: Vec<&Path> = names.iter().map(PathBuf::as_path).collect();
    import(&paths, &dataset, &[]).succeeds();
    data("verify", &dataset, &[]).succeeds();
    (folder, dataset)
}

fn import_to(out: &Path) -> Said {
    import(&[&recording("mouse.evemu")], out, &[])
}

/// `data verify` names the file on standard output, as it does what holds.
fn finds(dataset: &Path, path: &str, what: &str) {
    let said = data("verify", dataset, &[]).fails_with("");
    let line = said.out.lines().find(|line| line.contains(path));
    assert!(line.is_some_and(|line| line.contains(what)), "{path}: {what}: {said:?}");
    let said = data("verify", dataset, &["--json"]).fails_with("");
    assert_eq!(said.json()["holds"], false);
}

/// A sealed file, absolute and as the dataset calls it.
fn a_file(dataset: &Path) -> (PathBuf, String) {
    let file = files(dataset).swap_remove(0);
    let name = file.strip_prefix(dataset).unwrap().to_str().unwrap().to_owned();
    (file, name)
}

#[test]
fn an_output_that_is_a_file_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    import_to(&file).fails_with(&format!("{} is not a directory", file.display()));
    import_to(&file.join("below")).fails_with("is not a directory");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn an_output_that_cannot_be_written_is_refused() {
    // Nobody makes a directory here, root neither.
    import_to(Path::new("/proc/evscribe")).fails_with("/proc/evscribe cannot be written");
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if !nix::unistd::geteuid().is_root() {
        import_to(folder.path()).fails_with("cannot be written");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_output_that_holds_something_else_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    import_to(folder.path()).fails_with("holds `thesis.txt`, which is no part of a dataset");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
    // A table's name alone makes no dataset.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("events")).unwrap();
    import_to(folder.path()).fails_with("holds `events`");
}

#[test]
fn an_output_of_a_newer_schema_is_refused() {
    let (_folder, dataset) = dataset();
    let manifest = dataset.join("manifest.jsonl");
    let text = fs::read_to_string(&manifest).unwrap();
    let newer = text.replacen("\"schema_version\":1", "\"schema_version\":99", 1);
    assert_ne!(newer, text);
    fs::write(&manifest, newer).unwrap();
    import_to(&dataset).fails_with("has schema version 99");
    data("verify", &dataset, &[]).fails_with("has schema version 99");
}

#[test]
fn a_level_that_is_none_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset");
    for (option, value) in
        [("--level", "loud"), ("--level", ""), ("--pointer", "class"), ("--started-at", "noon")]
    {
        let said = import(&[&recording("mouse.evemu")], &dataset, &[option, value]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains(option), "{said:?}");
    }
    assert!(!dataset.exists());
}

#[test]
fn what_is_no_dataset_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for verb in ["verify", "stats", "head"] {
        for path in [folder.path(), &missing] {
            let words = format!("{} is no dataset", path.display());
            data(verb, path, &[]).fails_with(&words);
            data(verb, path, &["--json"]).fails_with(&words);
        }
        data(verb, Path::new("/dev/null"), &[]).fails_with("/dev/null");
    }
}

#[test]
fn a_flipped_byte_is_found() {
    let (_folder, dataset) = dataset();
    for file in files(&dataset) {
        let name = file.strip_prefix(&dataset).unwrap().to_str().unwrap();
        let sealed = fs::read(&file).unwrap();
        let mut flipped = sealed.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(&file, flipped).unwrap();
        finds(&dataset, name, "checksum");
        fs::write(&file, sealed).unwrap();
    }
    data("verify", &dataset, &[]).succeeds();
}

#[test]
fn a_file_that_was_cut_is_found() {
    let (_folder, dataset) = dataset();
    let (file, name) = a_file(&dataset);
    let sealed = fs::read(&file).unwrap();
    fs::write(&file, &sealed[..sealed.len() / 2]).unwrap();
    finds(&dataset, &name, "was sealed with");
    data("stats", &dataset, &[]).fails_with(&name);
    data("head", &dataset, &["--table", "devices"]).fails_with(&name);
}

#[test]
fn a_file_that_was_removed_is_found() {
    let (_folder, dataset) = dataset();
    let (file, name) = a_file(&dataset);
    fs::remove_file(file).unwrap();
    finds(&dataset, &name, "is in the manifest but missing");
}

#[test]
fn a_file_that_does_not_belong_is_found() {
    let (_folder, dataset) = dataset();
    let (file, _) = a_file(&dataset);
    let foreign = file.parent().unwrap().join("notes.txt");
    fs::write(&foreign, "mine").unwrap();
    finds(&dataset, "notes.txt", "is no part of a dataset");
    fs::remove_file(foreign).unwrap();
    let copy = file.with_file_name("20260101T000000.000000Z-0123456789abcdef.parquet");
    fs::copy(&file, &copy).unwrap();
    finds(&dataset, "0123456789abcdef.parquet", "is not in the manifest");
}

#[test]
fn a_file_that_was_moved_to_another_date_is_found() {
    let (_folder, dataset) = dataset();
    let (file, name) = a_file(&dataset);
    let elsewhere = dataset.join(name.replace("date=1970-01-01", "date=2026-11-23"));
    fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    fs::rename(file, elsewhere).unwrap();
    finds(&dataset, &name.replace("date=1970-01-01", "date=2026-11-23"), "is not in the manifest");
    finds(&dataset, &name, "is in the manifest but missing");
}

#[test]
fn a_damaged_manifest_is_found() {
    let (_folder, dataset) = dataset();
    let manifest = dataset.join("manifest.jsonl");
    let whole = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, format!("{whole}{{\"op\":\"seal")).unwrap();
    finds(&dataset, "manifest.jsonl", "its last line is torn");
    // The next writer cuts it off.
    import_to(&dataset).succeeds();
    data("verify", &dataset, &[]).succeeds();
    fs::write(&manifest, format!("{whole}nonsense\n")).unwrap();
    finds(&dataset, "manifest.jsonl", "is no line of a manifest");
}

#[test]
fn a_command_that_is_none_says_how_it_is_used() {
    for args in [&["import"][..], &["data"], &["data", "mend", "."], &["listen"], &["--quietly"]] {
        let said = evscribe(args);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("Usage"), "{said:?}");
    }
}
