//! Rollups, computed from the raw samples at the moment of asking.

use crate::{
    Db, StoreError, Tx, device,
    reading::{metric, names},
    session::OwnerId,
};
use domain::{
    decimal::WideDecimal,
    device::DeviceId,
    reading::{Metric, earliest},
    rollup::{Aggregate, Bucket, MetricRollup, RollupQuery},
};
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};

/// Buckets of each metric that was asked for; none where the owner has no such device.
pub async fn find(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    query: &RollupQuery,
) -> Result<Option<Vec<MetricRollup>>, StoreError> {
    db.transaction("rollup.find", async |tx| {
        if !device::exists(tx, owner, id).await? {
            return Ok(None);
        }
        let buckets = buckets(tx, id, query).await?;
        Ok(Some(by_metric(&query.metrics, buckets)))
    })
    .await
}

async fn buckets(
    tx: &Tx,
    id: DeviceId,
    query: &RollupQuery,
) -> Result<Vec<(Metric, Bucket)>, StoreError> {
    let sql = statement(query);
    let statement = sqlx::query(AssertSqlSafe(sql.as_str()))
        .bind(id.0)
        .bind(names(&query.metrics))
        .bind(query.start)
        .bind(query.end)
        .bind(query.interval.seconds())
        .bind(earliest());
    let rows = tx.fetch_all(statement).await?;
    rows.iter().map(|row| bucket(row, query)).collect()
}

/// Numbers leave the database as text, since a sum may have more digits than a decimal here holds.
fn statement(query: &RollupQuery) -> String {
    let column = |aggregate, expression: &'static str| {
        if query.aggregates.contains(aggregate) {
            expression
        } else {
            "null::text"
        }
    };
    format!(
        "select series.metric,
                date_bin(make_interval(secs => $5::bigint), sample.recorded_at, $6) as bucket,
                count(*), {avg}, {min}, {max}, {sum}
         from series
         join samples as sample on sample.series_id = series.id
         where series.device_id = $1 and series.metric = any($2)
           and sample.recorded_at >= $3 and sample.recorded_at < $4
         group by series.metric, bucket
         order by series.metric, bucket",
        avg = column(Aggregate::Avg, "trim_scale(avg(sample.value))::text"),
        min = column(Aggregate::Min, "min(sample.value)::text"),
        max = column(Aggregate::Max, "max(sample.value)::text"),
        sum = column(Aggregate::Sum, "sum(sample.value)::text"),
    )
}

fn bucket(row: &PgRow, query: &RollupQuery) -> Result<(Metric, Bucket), StoreError> {
    let start: domain::Timestamp = row.try_get(1)?;
    let number = |column: usize| -> Result<Option<WideDecimal>, StoreError> {
        let text: Option<String> = row.try_get(column)?;
        text.map(WideDecimal::parse)
            .transpose()
            .map_err(|error| StoreError::corrupt("samples.value", error))
    };
    let bucket = Bucket {
        start,
        end: start + query.interval.width(),
        count: row.try_get(2)?,
        avg: number(3)?,
        min: number(4)?,
        max: number(5)?,
        sum: number(6)?,
    };
    Ok((metric(row.try_get(0)?)?, bucket))
}

/// Sorts buckets under their metrics, in the order in which these were asked for.
fn by_metric(metrics: &[Metric], buckets: Vec<(Metric, Bucket)>) -> Vec<MetricRollup> {
    let mut rollups: Vec<MetricRollup> = Vec::new();
    for metric in metrics {
        if rollups.iter().all(|rollup| rollup.metric != *metric) {
            rollups.push(MetricRollup {
                metric: metric.clone(),
                buckets: Vec::new(),
            });
        }
    }
    for (metric, bucket) in buckets {
        if let Some(rollup) = rollups.iter_mut().find(|rollup| rollup.metric == metric) {
            rollup.buckets.push(bucket);
        }
    }
    rollups
}
