//! Progress on standard error: a bar on a terminal, now and then a line elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{IsTerminal, stderr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often a bar is drawn anew by itself.
const TICK: Duration = Duration::from_millis(250);

const COUNT: &str = "{prefix} {bar:20} {human_pos}/{human_len}, {eta} left  {wide_msg}";
const BYTES: &str = "{prefix} {bar:20} {bytes}/{total_bytes}, {eta} left  {wide_msg}";
const OPEN: &str = "{spinner} {prefix}  {elapsed}  {wide_msg}";

/// What is being done, and how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// When the last line was written, where there is no terminal.
    last: Option<Arc<Mutex<Instant>>>,
}

impl Progress {
    /// Towards a number of things.
    pub(crate) fn count(what: &'static str, of: u64) -> Self {
        Self::new(ProgressBar::new(of), COUNT, what)
    }

    /// Towards a number of bytes.
    pub(crate) fn bytes(what: &'static str, of: u64) -> Self {
        Self::new(ProgressBar::new(of), BYTES, what)
    }

    /// Towards an end that nobody knows.
    pub(crate) fn open(what: &'static str) -> Self {
        Self::new(ProgressBar::new_spinner(), OPEN, what)
    }

    fn new(bar: ProgressBar, template: &str, what: &'static str) -> Self {
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(what);
        let is_terminal = stderr().is_terminal();
        if is_terminal {
            bar.enable_steady_tick(TICK);
        }
        let last = (!is_terminal).then(|| Arc::new(Mutex::new(Instant::now())));
        Self { bar, last }
    }

    /// So much more is done.
    pub(crate) fn add(&self, more: u64) {
        self.bar.inc(more);
        self.line();
    }

    /// So much is done in all.
    pub(crate) fn reach(&self, position: u64) {
        self.bar.set_position(position);
        self.line();
    }

    /// What else there is to tell.
    pub(crate) fn tell(&self, message: String) {
        self.bar.set_message(message);
        self.line();
    }

    /// Prints a line on standard output, above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Where there is no bar, a line now and then.
    fn line(&self) {
        let Some(last) = &self.last else {
            return;
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        let (done, of) = (self.bar.position(), self.bar.length());
        let of = of.map_or_else(String::new, |of| format!(" {done}/{of}"));
        eprintln!("{}{of}  {}", self.bar.prefix(), self.bar.message());
    }
}

/// A number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}
