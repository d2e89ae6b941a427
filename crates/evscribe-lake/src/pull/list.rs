//! The list of hosts: `[user@]host[:port] [name]`, a line each.
//!
//! | line | becomes |
//! |---|---|
//! | empty, or from `#` on | nothing |
//! | `desk-1` | `evscribe-pull@desk-1`, called `desk-1` |
//! | `puller@[fe80::1%eth0]:2222 lab` | that, called `lab` |
//! | a place or a name that an earlier line has | a host that is refused, in its own line |
//! | anything else | a bad line, with why |
//!
//! Nothing that ssh or rsync could take for an option, a command or another
//! host's path gets through.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv6Addr;

/// Who asks, where the line does not say.
const USER: &str = "evscribe-pull";

/// Longest line, and longest word of one, bytes.
const LINE_MAX: usize = 1_024;
const WORD_MAX: usize = 253;
const NAME_MAX: usize = 128;

/// One host of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its line, from 1.
    pub line: usize,
    /// Who asks there.
    pub user: String,
    /// A name or an address, without brackets.
    pub address: String,
    /// Where sshd listens, where the line says it.
    pub port: Option<u16>,
    /// What it is called in reports and in the lake.
    pub name: String,
    /// Why it is not pulled: an earlier line says the same.
    pub refused: Option<String>,
}

/// A line that names no host.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// A list of hosts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostList {
    /// In the order of the list.
    pub hosts: Vec<Entry>,
    /// All lines that name none.
    pub bad: Vec<BadLine>,
}

impl HostList {
    /// Takes the text of a list apart. Never fails: what is no host is in `bad`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut list = Self::default();
        let (mut places, mut names) = (HashMap::new(), HashMap::new());
        for (line, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let mut entry = match entry(line, bytes) {
                Ok(None) => continue,
                Ok(Some(entry)) => entry,
                Err(why) => {
                    list.bad.push(BadLine { line, why });
                    continue;
                }
            };
            let place = entry.to_string();
            let (of_place, of_name) = (places.get(&place), names.get(&entry.name));
            entry.refused = match (of_place, of_name) {
                (Some(first), _) => Some(format!("line {first} names {place} already")),
                (_, Some(first)) => {
                    Some(format!("line {first} calls another host {} already", entry.name))
                }
                (None, None) => None,
            };
            places.entry(place).or_insert(line);
            names.entry(entry.name.clone()).or_insert(line);
            list.hosts.push(entry);
        }
        list
    }
}

/// As `user@host:port`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.bracketed())?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Entry {
    /// Its address, an IPv6 one in brackets.
    pub(super) fn bracketed(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]", self.address)
        } else {
            self.address.clone()
        }
    }
}

fn entry(line: usize, bytes: &[u8]) -> Result<Option<Entry>, String> {
    if bytes.len() > LINE_MAX {
        return Err(format!("it is longer than {LINE_MAX} bytes"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let text = text.split('#').next().unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let Some(place) = words.next() else { return Ok(None) };
    let name = words.next();
    if words.next().is_some() {
        return Err("a host has a place and a name, no more words".into());
    }
    let (user, rest) = place.rsplit_once('@').unwrap_or((USER, place));
    if !is_user(user) {
        return Err(format!("{:?} is no user", shortened(user)));
    }
    let (address, port) = address_of(rest)?;
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(number)
            }
            _ => return Err(format!("{:?} is no port", shortened(port))),
        },
    };
    let name = name.unwrap_or(&address).to_owned();
    if !is_name(&name) {
        return Err(format!(
            "{:?} is no name for a host: letters, digits and -_.: only, not with one of -_. first",
            shortened(&name)
        ));
    }
    let user = user.to_owned();
    Ok(Some(Entry { line, user, address, port, name, refused: None }))
}

/// Address and port.
fn address_of(text: &str) -> Result<(String, Option<&str>), String> {
    let no_host = || format!("{:?} is no host", shortened(text));
    if let Some(rest) = text.strip_prefix('[') {
        let (address, behind) = rest.split_once(']').ok_or_else(no_host)?;
        let (number, zone) = address.split_once('%').unwrap_or((address, "0"));
        let is_zone = is_word(zone, b"-_.") && zone.len() <= 32;
        if number.parse::<Ipv6Addr>().is_err() || !is_zone {
            return Err(no_host());
        }
        let port = match behind {
            "" => None,
            _ => Some(behind.strip_prefix(':').ok_or_else(no_host)?),
        };
        return Ok((address.to_owned(), port));
    }
    let (host, port) = match text.split_once(':') {
        None => (text, None),
        Some((_, port)) if port.contains(':') => {
            return Err(format!("{}: an IPv6 address stands in brackets", no_host()));
        }
        Some((host, port)) => (host, Some(port)),
    };
    if !is_word(host, b"-_.") || host.starts_with(['-', '.']) || host.len() > WORD_MAX {
        return Err(no_host());
    }
    Ok((host.to_owned(), port))
}

fn is_word(text: &str, marks: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

fn is_user(text: &str) -> bool {
    is_word(text, b"-_.") && !text.starts_with(['-', '.']) && text.len() <= 64
}

/// It is a folder's name, too.
fn is_name(text: &str) -> bool {
    is_word(text, b"-_.:%") && !text.starts_with(['-', '_', '.']) && text.len() <= NAME_MAX
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Entry {
        let list = HostList::parse(text.as_bytes());
        assert_eq!((list.hosts.len(), list.bad.len()), (1, 0), "{text:?}: {list:?}");
        list.hosts[0].clone()
    }

    #[test]
    fn a_line_names_a_host() {
        for (text, shown, name) in [
            ("desk-1", "evscribe-pull@desk-1", "desk-1"),
            ("  desk-1.lan:2222\tlab  # in the lab", "evscribe-pull@desk-1.lan:2222", "lab"),
            ("puller@10.0.0.1", "puller@10.0.0.1", "10.0.0.1"),
            ("[::1]", "evscribe-pull@[::1]", "::1"),
            ("x@[fe80::1%eth0]:22 one", "x@[fe80::1%eth0]:22", "one"),
            ("desk\r", "evscribe-pull@desk", "desk"),
        ] {
            let entry = only(text);
            assert_eq!((entry.to_string().as_str(), entry.name.as_str()), (shown, name));
        }
        assert_eq!(HostList::parse(b"\n# nobody\n   \n"), HostList::default());
    }

    #[test]
    fn nonsense_is_told_with_its_line_and_the_rest_is_there() {
        let list = HostList::parse(
            b"-oProxyCommand=id\ngood\na b c\nx@-y\n-x@y\nh:0\nh:99999\nh:+22\n::1\n[::g]\n[::1]x\n\
              h;id\n$(id)\nh ../x\nh .hidden\n\xff\xfe\nh\x00\nuser@\n@h\nh:22:23\nrsync://h/x\nh/x\ngood2",
        );
        let names: Vec<_> = list.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["good", "good2"]);
        let lines: Vec<_> = list.bad.iter().map(|bad| bad.line).collect();
        let expected: Vec<_> = (1..=22).filter(|line| *line != 2).collect();
        assert_eq!(lines, expected);
        let long = format!("{}\n{}", "a".repeat(2_000), "b".repeat(300));
        assert_eq!(HostList::parse(long.as_bytes()).bad.len(), 2);
    }

    #[test]
    fn what_an_earlier_line_says_is_refused_in_its_own_line() {
        let list = HostList::parse(b"a one\nb two\na three\nc one\na:22 four\n");
        let refused: Vec<_> =
            list.hosts.iter().filter_map(|host| Some((host.line, host.refused.clone()?))).collect();
        assert_eq!(
            refused,
            [
                (3, "line 1 names evscribe-pull@a already".to_owned()),
                (4, "line 1 calls another host one already".to_owned()),
            ]
        );
        assert_eq!(list.hosts.len(), 5);
    }
}
