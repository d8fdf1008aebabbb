//! What plain SQL says, past the pooler and all that is tested.

use crate::{answer::Answer, question::Question, rig::Rig};
use domain::{Timestamp, device::DeviceId};
use persistence::{Db, DbSettings, Tx};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

pub(crate) struct Plain(pub(crate) Db);

#[derive(Debug, FromQueryResult)]
struct Window {
    place: String,
    values: String,
}

#[derive(Debug, FromQueryResult)]
struct Kept {
    kept: i64,
    marked: i64,
}

#[derive(Debug, FromQueryResult)]
struct Wrong {
    wrong: String,
}

const AUDIT: &str = "
with plain as (
    select series_id, floor(extract(epoch from recorded_at) / 3600)::integer as hour,
           min(recorded_at) as first_at, max(recorded_at) as last_at, count(*)::integer as count,
           sum(value) as sum, sum(value * value) as sum_squares, min(value) as min, max(value) as max,
           (array_agg(value order by recorded_at))[1] as first,
           (array_agg(value order by recorded_at desc))[1] as last
    from samples join series on series.id = series_id join devices on devices.id = device_id
    where deleted_at is null group by 1, 2),
kept as (select series_hours.* from series_hours join series on series.id = series_id
         join devices on devices.id = device_id where deleted_at is null)
select concat(plain, ' is kept as ', kept) as wrong
from plain full join kept using (series_id, hour)
where hour < (select closed_hour from rollup_horizon)
  and not exists (select from stale_hours where (stale_hours.series_id, stale_hours.hour) = (series_id, hour))
  and (plain.first_at, plain.last_at, plain.count, plain.sum, plain.sum_squares, plain.min, plain.max, plain.first, plain.last)
      is distinct from
      (kept.first_at, kept.last_at, kept.count, kept.sum, kept.sum_squares, kept.min, kept.max, kept.first, kept.last)
limit 10";

impl Plain {
    pub(crate) fn new(rig: &Rig) -> Self {
        let url = rig.postgres.url_for("readout");
        Self(Db::new(&DbSettings::parse(&url).unwrap()))
    }

    /// Begins anew, as a migration does at this hour.
    pub(crate) async fn empty(&self, hour: i64) {
        let sql = format!(
            "delete from samples; delete from stale_hours; delete from series; delete from devices; \
             update rollup_horizon set marking_hour = {hour}, closed_hour = {hour}"
        );
        let work = async |tx: &Tx| Ok(tx.execute_unprepared(&sql).await?);
        self.0.transaction("plain", work).await.unwrap();
    }

    async fn rows<T: FromQueryResult>(&self, sql: &str) -> Vec<T> {
        let work = async |tx: &Tx| {
            let statement = Statement::from_string(DbBackend::Postgres, sql);
            let rows = tx.query_all_raw(statement).await?;
            let rows = rows.iter().map(|row| T::from_query_result(row, ""));
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.0.transaction("plain", work).await.unwrap()
    }

    pub(crate) async fn answer(
        &self,
        question: &Question,
        devices: &[DeviceId],
        begin: Timestamp,
    ) -> Answer {
        let rows: Vec<Window> = self.rows(&question.plain(devices, begin)).await;
        Answer::plain(rows.into_iter().map(|it| (it.place, it.values)).collect())
    }

    /// How many hours are kept and may be used, and how many are marked, of what a question is about.
    pub(crate) async fn kept(
        &self,
        question: &Question,
        devices: &[DeviceId],
        begin: Timestamp,
    ) -> (i64, i64) {
        let rows: Vec<Kept> = self.rows(&question.kept(devices, begin)).await;
        (rows[0].kept, rows[0].marked)
    }

    /// Every hour before `closed_hour` without a mark is kept as its samples are, and none else is.
    pub(crate) async fn audit(&self) -> Result<(), String> {
        let wrong: Vec<Wrong> = self.rows(AUDIT).await;
        if wrong.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = wrong.into_iter().map(|it| it.wrong).collect();
        Err(format!("hours are kept wrong:\n{}", lines.join("\n")))
    }
}
