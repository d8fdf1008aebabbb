//! The machine on its way through readings in order, and the episodes that come of it.

use super::{Episode, Measured, Phase, State};
use crate::{alert_rule::Condition, decimal::ExactDecimal};

/// From one phase to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The phase before.
    pub from: Phase,
    /// The phase after.
    pub to: Phase,
    /// The reading that caused it.
    pub by: Measured,
    /// What its value was compared with.
    pub threshold: ExactDecimal,
}

/// An episode as it is after some readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpisodeChange {
    /// The episode.
    pub episode: Episode,
    /// The reading that ended it.
    pub resolved: Option<Measured>,
    /// Whether it began with these readings.
    pub is_new: bool,
    /// What these readings did to it, in order.
    pub transitions: Vec<Transition>,
}

/// The machine on its way through readings in the order of measurement, and what came of it.
#[derive(Debug)]
pub struct Run<'a> {
    condition: &'a Condition,
    state: State,
    episodes: Vec<EpisodeChange>,
}

impl<'a> Run<'a> {
    /// Begins in a state.
    #[must_use]
    pub fn new(condition: &'a Condition, state: State) -> Self {
        Self {
            condition,
            state,
            episodes: Vec::new(),
        }
    }

    /// The state after the last reading.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The episodes until now.
    #[must_use]
    pub fn into_episodes(self) -> Vec<EpisodeChange> {
        self.episodes
    }

    /// Lets go of what happened to the episodes until now, of which there may be something at each reading.
    pub fn forget_transitions(&mut self) {
        for episode in &mut self.episodes {
            episode.transitions = Vec::new();
        }
    }

    /// How many episodes there are until now.
    #[must_use]
    pub fn episodes(&self) -> usize {
        self.episodes.len()
    }

    /// Takes the next reading, and answers whether it changed the state.
    pub fn step(&mut self, by: Measured) -> bool {
        // Most readings, of most rules.
        if self.state == State::Ok && !self.condition.breaches(by.value) {
            return false;
        }
        let before = self.state;
        self.state = before.step(self.condition, by);
        if self.state == before {
            return false;
        }
        self.tell(before, by);
        true
    }

    /// Notes what a reading did.
    fn tell(&mut self, before: State, by: Measured) {
        let (from, to) = (before.phase(), self.state.phase());
        let transition = |from, to, by| self.condition.transition(from, to, by);
        match (before.episode(), self.state.episode()) {
            (None, None) => {}
            (None, Some(episode)) => {
                let mut transitions = Vec::new();
                if episode.began != episode.triggered {
                    transitions.push(transition(Phase::Ok, Phase::Pending, episode.began));
                }
                transitions.push(transition(from, to, by));
                self.episodes.push(EpisodeChange {
                    episode,
                    resolved: None,
                    is_new: true,
                    transitions,
                });
            }
            (Some(episode), after) => {
                let resolved = after.is_none().then_some(by);
                let changed = after.unwrap_or(episode);
                let moved = (from != to).then(|| transition(from, to, by));
                self.change(changed, resolved, moved);
            }
        }
    }

    /// Notes what became of the episode that goes on, also if it began before.
    fn change(&mut self, episode: Episode, resolved: Option<Measured>, moved: Option<Transition>) {
        let is_open = self.episodes.last().is_some_and(|it| it.resolved.is_none());
        if !is_open {
            self.episodes.push(EpisodeChange {
                episode,
                resolved: None,
                is_new: false,
                transitions: Vec::new(),
            });
        }
        if let Some(known) = self.episodes.last_mut() {
            known.episode = episode;
            known.resolved = resolved;
            known.transitions.extend(moved);
        }
    }
}
