//! What a device is told of each reading that it posted.

use super::{ReadingView, new_reading::ReceiptDetail};
use crate::problem::{ItemErrorCode, Problem, ProblemKind, ProblemView};
use actix_web::HttpResponse;
use domain::reading::{Outcome, Reading, ReadingError};
use serde::Serialize;

/// What became of a single reading.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReadingReceipt)]
pub(super) struct SingleReceipt {
    outcome: OutcomeView,
    /// Whether it was measured too long before the newest reading of its metric for alert rules to judge it.
    late: bool,
    #[serde(flatten)]
    reading: ReadingView,
}

/// What became of a single reading that is stored.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Outcome)]
enum OutcomeView {
    /// Stored now.
    Created,
    /// Stored before, with this same value.
    Duplicate,
}

/// What became of a reading of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ItemOutcome)]
enum ItemOutcome {
    /// Stored now.
    Created,
    /// Stored before, with this same value.
    Duplicate,
    /// Not stored: another value is there for its metric and time, and stays.
    Conflict,
    /// Not stored.
    Rejected,
}

/// What became of a batch.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[schema(as = BatchReceipt)]
pub(super) struct BatchReceipt {
    /// Readings that were stored now.
    #[schema(example = 998)]
    accepted: usize,
    /// Those of them that were measured too long before the newest reading of their metric for alert rules to judge
    /// them.
    #[schema(example = 0)]
    late: usize,
    /// Readings that were stored before, with the same value.
    #[schema(example = 1)]
    duplicates: usize,
    /// Readings that were not stored, conflicts included; each has an entry in `errors`.
    #[schema(example = 1)]
    rejected: usize,
    errors: Vec<ItemError>,
    /// Every reading in the order of the request; only with `receipt=full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    items: Option<Vec<ItemView>>,
}

/// Why one reading of a batch was not stored.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct ItemError {
    /// Its place in the batch, from 0.
    #[schema(example = 17)]
    index: usize,
    #[schema(inline)]
    outcome: ItemOutcome,
    /// A stable word for programs.
    #[schema(value_type = ItemErrorCode, example = "invalid_value")]
    code: &'static str,
    /// What is wrong, for people.
    #[schema(example = "value must be a JSON number")]
    detail: String,
    /// Whether the very same reading may be taken later.
    retryable: bool,
}

/// What became of one reading of a batch.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReceiptItem)]
struct ItemView {
    /// Its place in the batch, from 0.
    #[schema(example = 17)]
    index: usize,
    outcome: ItemOutcome,
    /// Whether it was measured too long before the newest reading of its metric for alert rules to judge it.
    late: bool,
}

/// A batch of which nothing could be taken: the problem, and why each reading was refused.
#[derive(utoipa::ToSchema)]
#[schema(as = RejectedBatch)]
#[expect(dead_code, reason = "describes the answer in the document")]
pub(crate) struct RejectedBatchView<'a> {
    #[serde(flatten)]
    problem: ProblemView<'a>,
    #[serde(flatten)]
    receipt: BatchReceipt,
}

/// Answers a single reading.
pub(super) fn single(reading: Reading, outcome: Outcome) -> Result<HttpResponse, Problem> {
    let late = outcome == Outcome::Late;
    let (mut response, outcome) = match outcome {
        Outcome::Created | Outcome::Late => (HttpResponse::Created(), OutcomeView::Created),
        Outcome::Duplicate => (HttpResponse::Ok(), OutcomeView::Duplicate),
        Outcome::Rejected(error) => return Err(error.into()),
    };
    Ok(response.json(SingleReceipt {
        outcome,
        late,
        reading: reading.into(),
    }))
}

/// Answers a batch, from the outcomes in the order of the request.
pub(super) fn batch(
    outcomes: &[Outcome],
    detail: ReceiptDetail,
    atomic: bool,
) -> Result<HttpResponse, Problem> {
    let mut receipt = BatchReceipt::default();
    for (index, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::Created => receipt.accepted += 1,
            Outcome::Late => {
                receipt.accepted += 1;
                receipt.late += 1;
            }
            Outcome::Duplicate => receipt.duplicates += 1,
            Outcome::Rejected(error) => receipt.errors.push(ItemError::new(index, error)),
        }
    }
    receipt.rejected = receipt.errors.len();
    let refused = match (receipt.rejected, receipt.accepted + receipt.duplicates) {
        (0, _) => None,
        (_, 0) => Some(ProblemKind::NoUsableReading),
        (..) => atomic.then_some(ProblemKind::AtomicRefused),
    };
    if let Some(kind) = refused {
        // Nothing of it was stored, also not of what could have been.
        receipt.accepted = 0;
        receipt.late = 0;
        return Err(Problem::new(kind).with_receipt(&receipt));
    }
    if detail == ReceiptDetail::Full {
        receipt.items = Some(outcomes.iter().enumerate().map(ItemView::from).collect());
    }
    Ok(HttpResponse::Ok().json(receipt))
}

impl From<&Outcome> for ItemOutcome {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Created | Outcome::Late => Self::Created,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Rejected(ReadingError::Conflict) => Self::Conflict,
            Outcome::Rejected(_) => Self::Rejected,
        }
    }
}

impl From<(usize, &Outcome)> for ItemView {
    fn from((index, outcome): (usize, &Outcome)) -> Self {
        Self {
            index,
            outcome: outcome.into(),
            late: *outcome == Outcome::Late,
        }
    }
}

impl ItemError {
    fn new(index: usize, error: &ReadingError) -> Self {
        Self {
            index,
            outcome: (&Outcome::Rejected(error.clone())).into(),
            code: error.code(),
            detail: error.to_string(),
            retryable: error.is_retryable(),
        }
    }
}
