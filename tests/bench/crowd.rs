//! Clients that ask over and over, until they are stopped.

use reqwest::RequestBuilder;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often which status was answered.
pub(crate) type Answers = BTreeMap<u16, u32>;

/// Clients that ask over and over.
#[derive(Default)]
pub(crate) struct Crowd {
    is_over: Arc<AtomicBool>,
    tasks: JoinSet<Answers>,
}

impl Crowd {
    /// Adds one, which pauses for so long where it is told that there is too much to do.
    pub(crate) fn add(&mut self, request: RequestBuilder, pause: Duration) {
        let is_over = Arc::clone(&self.is_over);
        self.tasks.spawn(async move {
            let mut answers = Answers::new();
            while !is_over.load(Ordering::Relaxed) {
                let answer = request.try_clone().unwrap().send().await.unwrap();
                let status = answer.status().as_u16();
                *answers.entry(status).or_insert(0) += 1;
                answer.bytes().await.unwrap();
                if status == 503 {
                    tokio::time::sleep(pause).await;
                }
            }
            answers
        });
    }

    /// Lets each have its last answer, and adds what they were answered.
    pub(crate) async fn stop(self, all: &mut Answers) {
        self.is_over.store(true, Ordering::Relaxed);
        for (status, count) in self.tasks.join_all().await.into_iter().flatten() {
            *all.entry(status).or_insert(0) += count;
        }
    }
}
