//! `readout import`: a CSV file, posted as its devices would post it.

mod chunk;
mod columns;
mod leash;
mod number;
mod options;
mod rejected;
mod send;
mod state;
mod time;

pub use options::Options;

use crate::{
    Ended,
    api::Api,
    failure::{AtPath, Failure},
    progress::{Progress, grouped},
    secret,
    sheet::Sheet,
    stop::Stop,
};
use chunk::{Chunk, Chunks};
use columns::Columns;
use csv::Position;
use rejected::RejectedFile;
use send::Sender;
use state::{Counts, State};
use std::{fs, sync::Arc};
use tokio::{
    sync::mpsc::{Receiver, channel},
    task::{JoinHandle, spawn_blocking},
};

/// Imports the file, or the rest of it.
pub(crate) async fn run(options: Options) -> Result<Ended, Failure> {
    let stop = Stop::listen()?;
    let (sheet, is_sheet) = keys(&options)?;
    let sheet = Arc::new(sheet);
    if options.rejected() == options.file {
        return Err(Failure::file(&options.file, "cannot be --rejected as well"));
    }
    // What is wrong with the file or its columns is told before anything else happens.
    let opened = Chunks::open(&options.file, options.delimiter)?;
    let header = opened.header().clone();
    Columns::find(&options, &header, is_sheet.then_some(&sheet))?;
    drop(opened);
    let api = Api::connect(options.service.url.clone()).await?;

    let state = State::open(&options)?;
    let rejected = RejectedFile::open(
        options.rejected(),
        &header,
        options.delimiter,
        state.rejected_bytes(),
    )?;
    let length = fs::metadata(&options.file).at(&options.file)?.len();
    let progress = Progress::bytes("Importing", length);
    if let Some(position) = state.position() {
        println!("Going on at line {}.", grouped(position.line()));
        progress.reach(position.byte());
    }
    let (chunks, reading) = read(&options, &sheet, is_sheet, state.position());
    let sender = Sender {
        api: &api,
        sheet: &sheet,
        parallel: options.parallel.into(),
        progress: &progress,
        stop: &stop,
    };
    let mut import = Import { state, rejected };
    let is_complete = import.post(chunks, &sender).await;
    progress.end();
    if !is_complete? {
        let path = import.state.path().display();
        println!("Stopped. The same command goes on from here, by {path}.");
        return Ok(Ended::Stopped);
    }
    reading
        .await
        .map_err(|_| Failure::other("the file could not be read to its end"))??;
    let counts = import.state.counts();
    import.state.forget()?;
    Ok(sum_up(&options, counts))
}

/// The keys that were given, and whether it is a sheet of them.
fn keys(options: &Options) -> Result<(Sheet, bool), Failure> {
    if let Some(path) = &options.sheet {
        return Ok((Sheet::read(path)?, true));
    }
    let key = secret::device_key(options.device_key_file.as_deref())?.ok_or_else(|| {
        Failure::other(
            "whose readings are these? Give READOUT_DEVICE_KEY, --device-key-file or --sheet: see --help",
        )
    })?;
    Ok((Sheet::of_one(key), false))
}

/// Reads pieces of the file ahead of those that are posted, by one.
fn read(
    options: &Options,
    sheet: &Arc<Sheet>,
    is_sheet: bool,
    from: Option<Position>,
) -> (Receiver<Chunk>, JoinHandle<Result<(), Failure>>) {
    let (send, chunks) = channel(1);
    let (options, sheet) = (options.clone(), Arc::clone(sheet));
    let reading = spawn_blocking(move || {
        let mut chunks = Chunks::open(&options.file, options.delimiter)?;
        let header = chunks.header().clone();
        let sheet = is_sheet.then_some(&*sheet);
        let mut columns = Columns::find(&options, &header, sheet)?;
        let is_beginning = from.is_none();
        if let Some(position) = from {
            chunks.seek(position, &mut columns, sheet)?;
        }
        let mut is_first = is_beginning;
        while let Some(chunk) = chunks.next(&mut columns, sheet)? {
            if let (true, 0, Some(first)) = (is_first, chunk.readings, chunk.rejected.first()) {
                let (lines, line, reason) = (chunk.records.len(), first.line, &first.reason);
                return Err(Failure::file(
                    &options.file,
                    format!("none of the first {lines} lines is a reading: line {line}: {reason}"),
                ));
            }
            is_first = false;
            if send.blocking_send(chunk).is_err() {
                break;
            }
        }
        Ok(())
    });
    (chunks, reading)
}

/// What is written down while a file is imported.
#[derive(Debug)]
struct Import {
    state: State,
    rejected: RejectedFile,
}

impl Import {
    /// Posts piece by piece; answers false if someone asks to stop.
    async fn post(
        &mut self,
        mut chunks: Receiver<Chunk>,
        sender: &Sender<'_>,
    ) -> Result<bool, Failure> {
        while let Some(mut chunk) = chunks.recv().await {
            let Some(sent) = sender.send(&chunk).await? else {
                return Ok(false);
            };
            let before = self.state.counts();
            let (stored, duplicates) = (sent.stored, sent.duplicates);
            let rejected = sent.rejected(&mut chunk);
            let number = |count: usize| u64::try_from(count).unwrap_or_default();
            let counts = Counts {
                lines: before.lines + number(chunk.records.len()),
                stored: before.stored + stored,
                duplicates: before.duplicates + duplicates,
                rejected: before.rejected + number(rejected.len()),
                skipped: before.skipped + chunk.skipped,
            };
            let rejected_bytes = self.rejected.add(&rejected)?;
            self.state.save(&chunk.end, counts, rejected_bytes)?;
            sender.progress.reach(chunk.end.byte());
            sender.progress.tell(format!(
                "{} stored, {} rejected",
                grouped(counts.stored),
                grouped(counts.rejected)
            ));
        }
        Ok(true)
    }
}

/// Says what it came to.
fn sum_up(options: &Options, counts: Counts) -> Ended {
    let Counts {
        lines,
        stored,
        duplicates,
        rejected,
        skipped,
    } = counts;
    println!(
        "{} lines: {} readings stored, {} were there before, {} lines rejected, {} of other devices.",
        grouped(lines),
        grouped(stored),
        grouped(duplicates),
        grouped(rejected),
        grouped(skipped)
    );
    if rejected == 0 {
        return Ended::Well;
    }
    println!("Rejected lines and why: {}", options.rejected().display());
    Ended::InPart
}
