//! What was acknowledged, in a file of our own that is synced before an acknowledgement counts.

use crate::reading::Span;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

type Entry = (Span, oneshot::Sender<()>);

/// The ledger while it is written. A thread of its own writes what has come, and syncs it together.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    entries: mpsc::UnboundedSender<Entry>,
    writer: JoinHandle<()>,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Self {
        let file = File::create_new(path).unwrap();
        let (entries, queue) = mpsc::unbounded_channel();
        Self {
            path: path.to_owned(),
            entries,
            writer: thread::spawn(move || write(file, queue)),
        }
    }

    /// Notes readings as acknowledged, and returns when that is on disk.
    pub(crate) async fn acknowledge(&self, span: Span) {
        let (written, on_disk) = oneshot::channel();
        self.entries.send((span, written)).unwrap();
        on_disk.await.unwrap();
    }

    /// Closes the file, and reads back what stands in it.
    pub(crate) fn read_back(self) -> Vec<Span> {
        drop(self.entries);
        self.writer.join().unwrap();
        let text = std::fs::read_to_string(&self.path).unwrap();
        text.lines().map(parse).collect()
    }
}

fn write(mut file: File, mut queue: mpsc::UnboundedReceiver<Entry>) {
    let mut waiting = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        waiting.push(first);
        while let Ok(more) = queue.try_recv() {
            waiting.push(more);
        }
        let lines = waiting.iter().map(|(span, _)| line(span));
        file.write_all(lines.collect::<String>().as_bytes())
            .unwrap();
        file.sync_data().unwrap();
        for (_, written) in waiting.drain(..) {
            // Who does not wait any more need not know.
            written.send(()).ok();
        }
    }
}

fn line(span: &Span) -> String {
    format!("{} {} {}\n", span.device, span.first, span.count)
}

fn parse(line: &str) -> Span {
    let mut numbers = line.split(' ').map(|number| number.parse::<u64>().unwrap());
    let mut next = || numbers.next().unwrap();
    Span {
        device: usize::try_from(next()).unwrap(),
        first: next(),
        count: next(),
    }
}
