//! Step 2: samples, each stored at most once.

use super::{
    copy,
    group::{Row, outcome_beside},
    literal, stale,
};
use crate::{StoreError, Tx, db::Done, reading::value};
use domain::{
    decimal::ExactDecimal,
    reading::{Outcome, ReadingError},
};
use sqlx::Row as _;
use std::collections::{HashMap, HashSet, hash_map::Entry};

/// From how many rows on, for each series that they belong to, they are loaded with COPY.
///
/// COPY costs a third of what an INSERT that looks for each row costs, but one round trip more, and a
/// look at each series beforehand.
const BULK_ROWS: usize = 256;
const BULK_ROWS_PER_SERIES: usize = 8;

/// Series and microseconds since 1970.
type Key = (i32, i64);

fn key(row: &Row) -> Key {
    (row.series_id, row.recorded_at.timestamp_micros())
}

/// The rows of a group, made ready to be written.
#[derive(Debug)]
pub(super) struct Load<'a> {
    rows: &'a [Option<Row>],
    /// The first row of each key, in the order of the index, so that neighbours are written together.
    distinct: Vec<&'a Row>,
    /// The span of time of each series; empty for a load that is not worth COPY.
    spans: Vec<(i32, i64, i64)>,
}

impl<'a> Load<'a> {
    pub(super) fn new(rows: &'a [Option<Row>]) -> Self {
        let mut distinct: Vec<&Row> = rows.iter().flatten().collect();
        // Stable, so that of rows with one key the first one counts.
        distinct.sort_by_key(|row| key(row));
        distinct.dedup_by_key(|row| key(row));
        let spans = spans(&distinct);
        Self {
            rows,
            distinct,
            spans,
        }
    }

    /// The statement to begin with, which goes well with others in one message: for a bulk load a look
    /// at what is there, otherwise the insert itself.
    pub(super) fn first_statement(&self) -> String {
        if !self.spans.is_empty() {
            return overlapping(&self.spans);
        }
        if self.distinct.is_empty() {
            return "select".to_owned();
        }
        insert(&self.distinct)
    }

    /// Goes on from what the first statement came to, and answers what became of each row, in order.
    ///
    /// The transaction holds the locks of all devices, so nobody else adds to their series.
    pub(super) async fn finish(&self, tx: &Tx, first: Done) -> Result<Vec<Outcome>, StoreError> {
        let before = if self.spans.is_empty() {
            self.stored_before(tx, &self.distinct, first.affected)
                .await?
        } else {
            self.load(tx, &first).await?
        };
        Ok(self.outcomes(before))
    }

    /// The first row of each key, in the order of the index.
    pub(super) fn distinct(&self) -> &[&'a Row] {
        &self.distinct
    }

    /// The same, a series at a time.
    pub(super) fn series(&self) -> impl Iterator<Item = &[&'a Row]> {
        self.distinct
            .chunk_by(|one, next| one.series_id == next.series_id)
    }

    /// Has the hours that are to be summed up again marked together with COMMIT: those of rows that were not
    /// there before.
    pub(super) async fn mark(&self, tx: &Tx, marking_hour: i64, outcomes: &[Outcome]) {
        let created = |outcome: &Outcome| matches!(outcome, Outcome::Created | Outcome::Late);
        let rows = self.rows.iter().zip(outcomes);
        let rows = rows.filter_map(|(row, it)| row.as_ref().filter(|_| created(it)));
        if let Some(statement) = stale::mark(rows, marking_hour) {
            tx.at_commit(statement).await;
        }
    }

    /// Copies what cannot be there yet, and inserts the rest with care.
    async fn load(&self, tx: &Tx, overlapping: &Done) -> Result<Before, StoreError> {
        let mut careful = HashSet::with_capacity(overlapping.rows.len());
        for row in &overlapping.rows {
            careful.insert(row.try_get::<i32, _>(0)?);
        }
        let (old, new): (Vec<&Row>, Vec<&Row>) = self
            .distinct
            .iter()
            .partition(|row| careful.contains(&row.series_id));
        if !new.is_empty() {
            let statement =
                "copy samples (series_id, recorded_at, value) from stdin (format binary)";
            tx.copy_in(statement, &copy::encode(&new)).await?;
        }
        if old.is_empty() {
            return Ok(Before::new());
        }
        let [done] = tx.message([insert(&old)]).await?;
        self.stored_before(tx, &old, done.affected).await
    }

    /// What would become of each row, without storing any.
    pub(super) async fn try_out(&self, tx: &Tx) -> Result<Vec<Outcome>, StoreError> {
        Ok(self.outcomes(stored(tx, &self.distinct).await?))
    }

    /// The values of those rows that were there before, of which `affected` were not.
    async fn stored_before(
        &self,
        tx: &Tx,
        rows: &[&Row],
        affected: u64,
    ) -> Result<Before, StoreError> {
        if rows.is_empty() || rows.len() as u64 == affected {
            return Ok(Before::new());
        }
        let before = stored(tx, rows).await?;
        if before.len() as u64 + affected == rows.len() as u64 {
            Ok(before)
        } else {
            let detail = "a sample was refused and is not there";
            Err(StoreError::corrupt("samples", detail))
        }
    }

    /// What became of each row, beside what was there before and the rows before it.
    pub(super) fn outcomes(&self, mut stored: Before) -> Vec<Outcome> {
        if stored.is_empty() && self.distinct.len() == self.rows.len() {
            return vec![Outcome::Created; self.rows.len()];
        }
        let outcome = |row: &Option<Row>| {
            let Some(row) = row else {
                return Outcome::Rejected(ReadingError::TooManyMetrics);
            };
            match stored.entry(key(row)) {
                Entry::Occupied(there) => outcome_beside(row.value, *there.get()),
                Entry::Vacant(free) => {
                    free.insert(row.value);
                    Outcome::Created
                }
            }
        };
        self.rows.iter().map(outcome).collect()
    }
}

/// The values of those rows that others have stored before this transaction.
async fn stored(tx: &Tx, rows: &[&Row]) -> Result<Before, StoreError> {
    let times = || rows.iter().map(|row| row.recorded_at.timestamp_micros());
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Ok(Before::new());
    };
    // The bounds say the same again, so that only the partitions between them are looked at.
    let statement = format!(
        "select wanted.series, wanted.time, samples.value::text \
         from {wanted} as wanted (series, time) \
         join samples on samples.series_id = wanted.series and samples.recorded_at = {instant} \
         where samples.recorded_at between {first} and {last} \
           and samples.xmin <> pg_current_xact_id()::xid",
        wanted = literal::keys(rows),
        instant = literal::instant("wanted.time"),
        first = literal::instant(first),
        last = literal::instant(last),
    );
    let [done] = tx.message([statement]).await?;
    done.rows
        .iter()
        .map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), value(row.try_get(2)?)?)))
        .collect()
}

/// Values that were stored before this transaction.
pub(super) type Before = HashMap<Key, ExactDecimal>;

/// The span of each series, if the load is worth COPY. The rows are in the order of their keys.
fn spans(rows: &[&Row]) -> Vec<(i32, i64, i64)> {
    if rows.len() < BULK_ROWS {
        return Vec::new();
    }
    let mut spans: Vec<(i32, i64, i64)> = Vec::new();
    for (series, time) in rows.iter().map(|row| key(row)) {
        match spans.last_mut() {
            Some((current, _, last)) if *current == series => *last = time,
            Some(_) | None => spans.push((series, time, time)),
        }
    }
    if rows.len() < spans.len() * BULK_ROWS_PER_SERIES {
        spans.clear();
    }
    spans
}

fn insert(rows: &[&Row]) -> String {
    format!(
        "insert into samples (series_id, recorded_at, value) \
         select series, {instant}, value from {rows} as new (series, time, value) \
         on conflict do nothing",
        instant = literal::instant("time"),
        rows = literal::rows(rows),
    )
}

/// The series that have samples within their span.
fn overlapping(spans: &[(i32, i64, i64)]) -> String {
    format!(
        "select series from {spans} as span (series, first, last) \
         where exists (select from samples where series_id = series \
                       and recorded_at between {first} and {last})",
        spans = literal::spans(spans),
        first = literal::instant("first"),
        last = literal::instant("last"),
    )
}
