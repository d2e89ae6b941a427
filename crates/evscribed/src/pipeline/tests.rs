use evscribe_model::{DeviceId, Event, PointerLevel, Run, What};
use evscribe_normalizer::Counters as Numbers;
use evscribe_sink::{Config, Keys, Writer};

use super::*;

/// A pipeline to a real writer.
struct Line {
    _folder: tempfile::TempDir,
    pipeline: Pipeline,
    normalizer: Normalizer,
}

impl Line {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(folder.path().join("dataset"), folder.path().join("journal"));
        let (store, _) = evscribe_sink::recover(config, Keys::from_bytes([7; 32]), &mut 1).unwrap();
        let writer = Writer::spawn(store, Box::new(|_| {})).unwrap();
        let level = Level { keys: KeyLevel::Class, pointer: PointerLevel::Full };
        let normalizer = Normalizer::new(Numbers::default());
        Self { _folder: folder, pipeline: Pipeline::new(level, writer), normalizer }
    }

    /// Motion at these times, milliseconds.
    fn keep(&mut self, times_ms: impl IntoIterator<Item = u64>) {
        let row = |at_ms| {
            let what = What::Motion { dx: 1, dy: 0 };
            Row::Event(Event { at: at(at_ms), run: Run(1), device: DeviceId(1), what })
        };
        self.pipeline.keep(&mut times_ms.into_iter().map(row).collect());
    }

    fn send(&mut self, waited_ms: u64) -> u64 {
        self.pipeline.send(Some(at(waited_ms)), &mut self.normalizer);
        self.pipeline.counts().events
    }

    fn discard(&mut self, since_ms: u64) -> bool {
        self.pipeline.discard_since(at(since_ms), &mut self.normalizer)
    }
}

fn at(ms: u64) -> BootUs {
    BootUs::new(ms * 1_000)
}

#[test]
fn what_came_since_the_wait_began_is_never_sent_and_all_of_it_can_be_taken_back() {
    let mut line = Line::new();
    line.keep([30, 10, 20, 25]);
    assert_eq!(line.send(25), 2);
    assert!(line.discard(25));
    assert!(!line.pipeline.is_dirty());
}

#[test]
fn a_batch_that_is_full_waits_for_the_wait_too() {
    let mut line = Line::new();
    line.keep(10..10 + BATCH_ROWS as u64);
    assert!(line.pipeline.is_full());
    assert_eq!(line.send(20), 10);
    assert!(line.discard(20));
    assert!(!line.pipeline.is_dirty());
}

#[test]
fn what_was_sent_already_is_said() {
    let mut line = Line::new();
    line.keep([10, 20]);
    line.send(25);
    assert!(!line.discard(20));
    assert!(line.discard(21));
}

#[test]
fn with_a_full_queue_what_came_since_the_wait_began_is_no_part_of_the_hole() {
    let mut line = Line::new();
    line.pipeline.outlet.block(at(1));
    line.keep([10, 30]);
    line.pipeline.lose(1);
    assert_eq!(line.pipeline.outlet.lost(), 1);
    assert!(line.discard(25));
    assert_eq!(line.pipeline.outlet.lost(), 1);
    assert!(line.pipeline.pending.is_empty());
}

#[test]
fn a_state_is_replaced_by_a_newer_one_unless_an_answer_relies_on_it() {
    let state = |path: &str, byte| Command::SaveState { path: path.into(), bytes: vec![byte] };
    let said = |waiting: VecDeque<Command>| {
        waiting
            .into_iter()
            .map(|command| match command {
                Command::SaveState { path, bytes } => format!("{} {}", path.display(), bytes[0]),
                Command::Confirm(ticket) => format!("confirm {ticket}"),
                _ => String::new(),
            })
            .collect::<Vec<_>>()
    };
    let mut waiting = VecDeque::from([
        state("people", 1),
        Command::Confirm(1),
        state("people", 2),
        state("numbers", 3),
    ]);
    drop_older(&mut waiting, Path::new("people"));
    assert_eq!(said(waiting), ["people 1", "confirm 1", "numbers 3"]);
}
