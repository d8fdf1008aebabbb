//! Holds the OpenAPI document against the running service: lints it, makes clients of it that go through the session of
//! the README, asks thousands of questions that are made of it, and uses Swagger UI in a browser.
//!
//! The tools are in `target/contract`, where `prepare` has fetched them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod answers;
mod rig;
mod step;

use answers::Answers;
use clap::Parser;
use rig::Rig;
use serde_json::Value;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use step::{Place, Step};

/// Holds the OpenAPI document against the running service
#[derive(Debug, Parser)]
#[command(name = "contract")]
struct Options {
    /// Most questions of each operation and phase that are made by chance
    #[arg(long, value_name = "N", default_value_t = 40)]
    examples: u32,

    /// Only the steps whose name begins so: lint, typescript, python, browser or fuzz
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let folder = tempfile::Builder::new()
        .prefix("readout-contract-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let target = target();
    let program = target.join("debug/readout");
    let rig = tokio::select! {
        rig = Rig::start(folder.path(), &program) => rig,
        _ = tokio::signal::ctrl_c() => return ExitCode::FAILURE,
    };
    let wrong = tokio::select! {
        wrong = run(&options, &rig, &target) => Some(wrong),
        _ = tokio::signal::ctrl_c() => None,
    };
    rig.stop().await;
    let Some(mut wrong) = wrong else {
        return ExitCode::FAILURE;
    };
    wrong.extend(rig::complaints(folder.path()));
    if wrong.is_empty() {
        println!("\nwell: the service does what the document says");
        return ExitCode::SUCCESS;
    }
    println!("\nWRONG:\n{}", wrong.join("\n"));
    ExitCode::FAILURE
}

/// Goes through all steps, and answers what was wrong.
async fn run(options: &Options, rig: &Rig, target: &Path) -> Vec<String> {
    let place = lay_out(&rig.url, &target.join("contract")).await;
    let mut wrong = Vec::new();
    let mut ran = 0;
    for group in step::groups(options.examples) {
        let chosen = group.into_iter();
        let chosen: Vec<Step> = chosen
            .filter(|it| it.name.starts_with(&options.only))
            .collect();
        ran += chosen.len();
        let outcomes = chosen.iter().map(|step| step.run(&place));
        let failed = futures_util::future::join_all(outcomes).await;
        wrong.extend(failed.into_iter().flatten());
    }
    assert!(ran > 0, "no step is named {}…", options.only);
    if options.only.is_empty() {
        wrong.extend(Answers::read(&place.work).complaints());
    }
    wrong
}

/// The folder that everything is built into.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let built = program.parent().and_then(Path::parent);
    built.expect("target/debug/contract").to_owned()
}

/// Puts the sources of the tests and the document of the running service into a fresh folder beside the tools, so that
/// nothing is written into the repository.
async fn lay_out(url: &str, tools: &Path) -> Place {
    let work = tools.join("work");
    fs::remove_dir_all(&work).ok();
    fs::create_dir_all(&work).unwrap();
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/contract");
    for source in fs::read_dir(sources).unwrap() {
        let source = source.unwrap();
        if source.file_type().unwrap().is_file() {
            fs::copy(source.path(), work.join(source.file_name())).unwrap();
        }
    }
    let document = reqwest::get(format!("{url}/api/openapi.json")).await;
    let document = document.unwrap().text().await.unwrap();
    fs::write(work.join("openapi.json"), &document).unwrap();
    let document = serde_json::from_str(&document).unwrap();
    let plain = with_json_bodies_alone(document).to_string();
    fs::write(work.join("openapi.python.json"), plain).unwrap();
    Place {
        url: url.to_owned(),
        tools: tools.to_owned(),
        work,
    }
}

/// The document without other media types of bodies than JSON: where there are several, openapi-python-client 0.29
/// writes a test for lists that Python refuses.
fn with_json_bodies_alone(mut document: Value) -> Value {
    let paths = document["paths"].as_object_mut().unwrap();
    let operations = paths
        .values_mut()
        .flat_map(|it| it.as_object_mut().unwrap().values_mut());
    for content in operations.filter_map(|it| it.pointer_mut("/requestBody/content")) {
        let content = content.as_object_mut().unwrap();
        content.retain(|media_type, _| media_type == "application/json");
    }
    document
}
