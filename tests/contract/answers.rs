//! What the questions that were made of the document came to: that there were enough, and that they reached something.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

/// Fewest questions altogether.
const QUESTIONS: u64 = 2_000;

/// How often each status was answered, by operation.
type ByOperation = BTreeMap<String, BTreeMap<String, u64>>;

/// What each identity was answered.
#[derive(Debug)]
pub(crate) struct Answers {
    document: Document,
    anonymous: ByOperation,
    device: ByOperation,
    user: ByOperation,
}

#[derive(Debug, Deserialize)]
struct Document {
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    operation_id: String,
    /// None for what every user may ask.
    security: Option<Vec<BTreeMap<String, Vec<String>>>>,
}

/// What no question by chance can reach, and why.
const UNREACHABLE: [(&str, &str); 2] = [
    ("verification_reset_password", "needs a token from a mail"),
    ("verification_verify_email", "needs a token from a mail"),
];

impl Answers {
    /// Reads what the hooks have written.
    pub(crate) fn read(work: &Path) -> Self {
        let open = |name: &str| File::open(work.join(name)).unwrap();
        let answers = |identity: &str| {
            let file = open(&format!("fuzz-{identity}.json"));
            serde_json::from_reader(file).unwrap()
        };
        Self {
            document: serde_json::from_reader(open("openapi.json")).unwrap(),
            anonymous: answers("anonymous"),
            device: answers("device"),
            user: answers("user"),
        }
    }

    /// Too few questions, and operations that whoever may use them never used with success.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let all = [&self.anonymous, &self.device, &self.user];
        let counts = all.iter().flat_map(|it| it.values());
        let total: u64 = counts.flat_map(BTreeMap::values).sum();
        println!("{total} questions were made of the document");
        let mut complaints = Vec::new();
        if total < QUESTIONS {
            complaints.push(format!("there were only {total} questions"));
        }
        let unreachable: BTreeSet<_> = UNREACHABLE.iter().map(|(id, _)| *id).collect();
        let operations = self.document.paths.values().flat_map(BTreeMap::values);
        for operation in operations {
            let id = operation.operation_id.as_str();
            let answers = self.whom_it_is_for(operation).get(id);
            let succeeded = answers
                .into_iter()
                .flatten()
                .any(|(status, _)| status.starts_with('2'));
            if succeeded == unreachable.contains(id) {
                let found = if succeeded {
                    "succeeds"
                } else {
                    "never succeeded"
                };
                complaints.push(format!("{id} {found}: {answers:?}"));
            }
        }
        complaints
    }

    fn whom_it_is_for(&self, operation: &Operation) -> &ByOperation {
        match operation.security.as_deref() {
            Some([]) => &self.anonymous,
            Some(schemes) if schemes.iter().any(|it| it.contains_key("device_key")) => &self.device,
            None | Some(_) => &self.user,
        }
    }
}
