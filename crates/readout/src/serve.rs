//! `readout serve`: start everything, serve, and stop it in the right order.

use crate::{
    Failure,
    database::Database,
    keys, logging,
    mail::{Carrier, Outbox},
    settings::Settings,
    signals::Signals,
    workers::Workers,
};
use http::{AppState, AuthSettings, Bound, Parts, RateLimits, SigningKeys};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use persistence::{
    Db,
    ingest::{Ingest, IngestSettings},
    rejection::Rejections,
};
use tokio::task::{JoinHandle, spawn_local};

pub(crate) async fn run(settings: Settings) -> Result<(), Failure> {
    logging::start(&settings)?;
    let metrics = start_metrics()?;
    // Before anything is started: a signal that comes meanwhile stops it in order, afterwards.
    let signals = Signals::listen()?;
    let database = Database::open(&settings).await?;
    let outcome = serve(&settings, &database, metrics, signals).await;
    if let Some(postgres) = database.embedded {
        postgres.stop().await?;
    }
    outcome
}

async fn serve(
    settings: &Settings,
    database: &Database,
    metrics: PrometheusHandle,
    signals: Signals,
) -> Result<(), Failure> {
    let db = Db::new(&database.settings);
    let signing_keys = SigningKeys::new(&db, database.sealer.clone());
    keys::open(&signing_keys).await?;
    let (ingest, writer) = Ingest::new(
        &db,
        IngestSettings {
            max_readings: settings.ingest_queue_readings,
            max_bytes: settings.ingest_queue_bytes,
            lateness: settings.alert_lateness(),
        },
    );
    let beside = settings.rollup_hours().then(|| ingest.count());
    let auth = AuthSettings {
        hashing_threads: settings.password_threads(),
        throttling: settings.rate_limits().is_some(),
        trusted_proxies: settings.throttle.trusted_proxies,
    };
    let carrier = settings.mail.carrier(database.embedded.is_some())?;
    let rejections = Rejections::default();
    let rate_limits = RateLimits::new(settings.rate_limits());
    let parts = Parts {
        db: db.clone(),
        ingest,
        rejections: rejections.clone(),
        signing_keys: signing_keys.clone(),
        sealer: database.sealer.clone(),
        rate_limits: rate_limits.clone(),
        metrics: metrics.clone(),
        migrations: migration::names(),
    };
    let state = AppState::new(parts, &auth)?;
    let bound = http::bind(
        &state,
        settings.web.settings(settings.mail.is_https()),
        settings.listen_addr,
        settings.http_workers.map(usize::from),
    )
    .map_err(|error| {
        format!(
            "LISTEN_ADDR {} cannot be served on: {error}",
            settings.listen_addr
        )
    })?;
    let writer = spawn_local(writer);
    announce(&bound, database, &carrier);
    let outbox = Outbox {
        db: db.clone(),
        sealer: database.sealer.clone(),
        carrier,
        links: settings.mail.links(bound.address),
    };
    let workers = Workers::start(&db, metrics, &rejections, rate_limits, beside, outbox)
        .and_refresh(signing_keys);
    let outcome = until_stopped(bound, state, writer, workers, signals).await;
    close(&db, &rejections).await;
    outcome?;
    tracing::info!("stopped");
    Ok(())
}

/// Writes what is only in memory. Nobody notes anything any more: requests are answered, and the writer has ended.
async fn close(db: &Db, rejections: &Rejections) {
    if let Err(error) = rejections.flush(db).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "rejections not written"
        );
    }
    db.close().await;
}

/// Serves until a signal, or until something that must not end ends; then stops in the order that
/// loses nothing: say that we are not ready, take no more connections, finish what was begun, let
/// the writer commit what waits.
async fn until_stopped(
    bound: Bound,
    state: AppState,
    mut writer: JoinHandle<()>,
    mut workers: Workers,
    mut signals: Signals,
) -> Result<(), Failure> {
    let Bound { handle, server, .. } = bound;
    let mut server = spawn_local(server);
    let failure: Option<Failure> = tokio::select! {
        () = signals.next() => None,
        _ = &mut server => Some("the HTTP server ended by itself".into()),
        _ = &mut writer => Some("the ingest writer ended by itself".into()),
        () = workers.died() => Some("a background worker ended by itself".into()),
    };
    tracing::info!("stopping");
    state.stop();
    handle.stop(true).await;
    if !server.is_finished() {
        let _ = server.await;
    }
    workers.stop().await;
    // The writer ends with the last handle to its queue, which is ours now.
    drop(state);
    if !writer.is_finished() {
        let _ = writer.await;
    }
    failure.map_or(Ok(()), Err)
}

/// Tells the one who started us where everything is.
fn announce(bound: &Bound, database: &Database, carrier: &Carrier) {
    let url = format!("http://{}", bound.address);
    println!("Readout is listening on {url}");
    println!("  API         {url}/api/v1");
    println!("  Swagger UI  {url}/docs/");
    match &database.embedded {
        Some(postgres) => println!(
            "  Data        {} (private PostgreSQL)",
            postgres.data_directory().display()
        ),
        None => println!("  Data        in the database of DATABASE_URL"),
    }
    println!("  Mail        {}", carrier.describe());
    carrier.announce();
    tracing::info!(%url, "listening");
}

/// Collects figures; durations are kept in buckets that span a millisecond to half a minute.
fn start_metrics() -> Result<PrometheusHandle, Failure> {
    let seconds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ];
    let amounts = [
        1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0,
    ];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
        .set_buckets_for_metric(Matcher::Prefix("readout_ingest_group".to_owned()), &amounts)?
        .install_recorder()?;
    Ok(handle)
}
