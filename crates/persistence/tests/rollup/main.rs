//! Rollups are never stale: whatever comes in between, an answer is what plain SQL over samples says.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answer;
mod life;
mod neighbours;
mod plain;
mod question;
#[path = "../pooling/rig.rs"]
mod rig;
mod story;

use life::Life;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::cell::RefCell;
use story::Story;
use tokio::{runtime::Builder, task::LocalSet};

/// An eighth of the usual number, since each is a whole life: `PROPTEST_CASES=8000` makes it 1,000.
fn config() -> Config {
    let usual = Config::default();
    Config {
        cases: usual.cases / 8,
        failure_persistence: None,
        max_shrink_iters: 300,
        max_shrink_time: 60_000,
        ..usual
    }
}

#[test]
fn an_answer_is_what_the_samples_come_to_whatever_comes_in_between() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let local = LocalSet::new();
    let life = RefCell::new(local.block_on(&runtime, Life::start()));
    let mut runner = TestRunner::new(config());
    let outcome = runner.run(&Story::any(), |story| {
        let lived = local.block_on(&runtime, life.borrow_mut().live(&story));
        lived.map_err(TestCaseError::fail)
    });
    let life = life.into_inner();
    let tally = life.tally;
    local.block_on(&runtime, life.stop());
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, story)) => panic!("{reason}\n{}", history(&story)),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    println!("{tally:?}");
    let cases = u64::from(config().cases);
    assert!(tally.answers > 5 * cases, "{tally:?}");
    assert!(tally.disturbed > 2 * cases, "{tally:?}");
    assert!(tally.with_kept_hours > cases / 2, "{tally:?}");
    assert!(tally.with_marks > cases / 4, "{tally:?}");
    assert!(tally.summed_up > 20 * cases, "{tally:?}");
}

/// What happened, a step in each line.
fn history(story: &Story) -> String {
    let steps = story.steps.iter().enumerate();
    let lines: Vec<String> = steps
        .map(|(number, step)| format!("{number}: {step:?}"))
        .collect();
    format!("from {} on\n{}", story.begin, lines.join("\n"))
}
