//! A group of submissions with every name replaced by what it stands for.

use super::{IngestError, Submission, Verdict, directory::Known, writer::Work};
use domain::{
    Timestamp,
    decimal::ExactDecimal,
    device::DeviceId,
    reading::{Metric, Outcome, ReadingError},
};
use std::collections::HashMap;
use uuid::Uuid;

/// A reading on its way into `samples`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) series_id: i32,
    pub(super) recorded_at: Timestamp,
    pub(super) value: ExactDecimal,
}

/// A series that readings of the group belong to.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) device: Uuid,
    pub(super) metric: Metric,
}

/// Who a submission comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sender {
    /// A device that may post.
    Device(Known),
    /// A device that its owner has disabled.
    Disabled(Known),
    /// Nobody has the key.
    Unknown,
}

/// The submissions of one transaction, resolved.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Who sent each submission, in their order.
    pub(super) senders: Vec<Sender>,
    pub(super) series: HashMap<i32, Series>,
    /// The readings of those who may post, in order; none for one whose metric would be one too many.
    pub(super) rows: Vec<Option<Row>>,
}

impl Group {
    /// An empty group with room for these submissions.
    pub(super) fn with_room_for(batch: &[&Work]) -> Self {
        Self {
            senders: Vec::with_capacity(batch.len()),
            series: HashMap::new(),
            rows: Vec::with_capacity(batch.iter().map(|it| it.submission.readings.len()).sum()),
        }
    }

    /// Adds a submission of a device that may post; `series` holds one entry for each reading.
    pub(super) fn admit(
        &mut self,
        known: Known,
        submission: &Submission,
        series: impl Iterator<Item = Option<i32>>,
    ) {
        let mut last = None;
        for (reading, series) in submission.readings.iter().zip(series) {
            self.rows.push(series.map(|series_id| Row {
                series_id,
                recorded_at: reading.recorded_at,
                value: reading.value,
            }));
            if let Some(series) = series.filter(|_| last != series) {
                self.series.entry(series).or_insert_with(|| Series {
                    device: known.device,
                    metric: reading.metric.clone(),
                });
            }
            last = series;
        }
        self.senders.push(Sender::Device(known));
    }

    /// The devices that may post, each once, in the order in which they are locked.
    pub(super) fn devices(&self) -> Vec<Uuid> {
        let mut devices: Vec<Uuid> = self
            .senders
            .iter()
            .filter_map(|sender| match sender {
                Sender::Device(known) => Some(known.device),
                Sender::Disabled(_) | Sender::Unknown => None,
            })
            .collect();
        devices.sort_unstable();
        devices.dedup();
        devices
    }

    /// Whether a number only stands in for a series that there is none of.
    pub(super) fn has_stand_ins(&self) -> bool {
        self.series.keys().any(|id| *id < 0)
    }

    /// What each caller is told, from what became of each row.
    pub(super) fn verdicts(&self, batch: &[&Work], outcomes: Vec<Outcome>) -> Vec<Verdict> {
        let mut outcomes = outcomes.into_iter();
        let verdict = |(work, sender): (&&Work, &Sender)| match sender {
            Sender::Unknown => Err(IngestError::UnknownKey),
            Sender::Disabled(known) => Err(IngestError::Disabled(DeviceId(known.device))),
            // Rows stand in the order of the submissions that were let in.
            Sender::Device(_) => Ok(outcomes
                .by_ref()
                .take(work.submission.readings.len())
                .collect()),
        };
        batch.iter().zip(&self.senders).map(verdict).collect()
    }
}

/// The outcome of a reading beside one that is stored for the same series and time.
pub(super) fn outcome_beside(value: ExactDecimal, stored: ExactDecimal) -> Outcome {
    if value == stored {
        Outcome::Duplicate
    } else {
        Outcome::Rejected(ReadingError::Conflict)
    }
}
