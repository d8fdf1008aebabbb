//! Readings as a SenML Pack in JSON (RFC 8428, section 5).

use super::{
    Items, Shape, Stop,
    scan::{NotJson, Scanner, string},
};
use crate::{
    body::escape,
    problem::{FieldError, Problem},
};
use domain::{
    decimal::ExactDecimal,
    reading::{MetricError, ReadingError, SenmlBase, SenmlRecord},
};
use std::borrow::Cow;

/// The version that is understood (RFC 8428, section 4.4).
const VERSION: u64 = 10;

/// A SenML Record (RFC 8428), resolved with the base fields before it.
///
/// `bn` and `n` together are the metric, `bv` and `v` the value, `bt` and `t` the time in seconds: below 2^28 relative
/// to the time of arrival. Units are not stored, nor are sums and update times. Records without `v`, or with `vs`, `vb`
/// or `vd`, are refused. A record of base fields alone is no item. A version above 10, a base field of the wrong type,
/// or an unknown field that ends in `_` refuses the pack.
#[derive(utoipa::ToSchema)]
#[schema(as = SenmlRecord, example = json!({"bn": "urn:dev:ow:10e2073a01080063:", "n": "voltage", "u": "V", "v": 120.1}))]
#[expect(
    dead_code,
    reason = "describes the body in the document; it is read without this type"
)]
pub(in crate::reading) struct SenmlRecordView {
    /// Base name.
    #[schema(nullable = false)]
    bn: Option<String>,
    /// Base time in seconds.
    #[schema(nullable = false)]
    bt: Option<ExactDecimal>,
    /// Base unit, which is not stored.
    #[schema(nullable = false)]
    bu: Option<String>,
    /// Base value.
    #[schema(nullable = false)]
    bv: Option<ExactDecimal>,
    /// Version, the same in all records.
    #[schema(nullable = false, minimum = 1, maximum = 10)]
    bver: Option<u64>,
    /// Name.
    #[schema(nullable = false)]
    n: Option<String>,
    /// Unit, which is not stored.
    #[schema(nullable = false)]
    u: Option<String>,
    /// Value.
    #[schema(nullable = false)]
    v: Option<ExactDecimal>,
    /// Time in seconds: since 1970, or from now where it is below 2^28.
    #[schema(nullable = false)]
    t: Option<ExactDecimal>,
}

/// Reads a whole pack.
pub(super) fn parse(text: &str, items: &mut Items) -> Result<Shape, Stop> {
    let mut scanner = Scanner::new(text);
    if scanner.peek() != Some(b'[') {
        scanner.value()?;
        scanner.end()?;
        let detail = "must be a JSON array of SenML records".to_owned();
        return Err(fault(String::new(), "invalid_value", detail).into());
    }
    let mut pack = Pack::default();
    scanner.array(|scanner| pack.record(scanner, items))?;
    scanner.end()?;
    pack.fault
        .map_or(Ok(Shape::Batch), |problem| Err(problem.into()))
}

fn fault(pointer: String, code: &str, detail: String) -> Problem {
    Problem::invalid(FieldError::at_pointer(pointer, code, detail))
}

/// What is carried from record to record.
#[derive(Debug, Default)]
struct Pack<'a> {
    base: SenmlBase<'a>,
    version: Option<u64>,
    /// How many records came before.
    place: usize,
    /// The first reason to refuse the whole pack, unless it turns out to be no JSON at all.
    fault: Option<Problem>,
}

/// The fields of a record, each as its JSON text.
#[derive(Debug, Default)]
struct Fields<'a> {
    base_name: Option<&'a str>,
    base_time: Option<&'a str>,
    base_value: Option<&'a str>,
    version: Option<&'a str>,
    name: Option<&'a str>,
    value: Option<&'a str>,
    time: Option<&'a str>,
    /// A base field is there, or one that is not.
    has_base: bool,
    has_regular: bool,
    /// A value that is no number.
    has_other_value: bool,
    twice: Option<&'static str>,
}

impl<'a> Pack<'a> {
    fn record(&mut self, scanner: &mut Scanner<'a>, items: &mut Items) -> Result<(), Stop> {
        let begin = scanner.place();
        let parsed = if scanner.peek() == Some(b'{') {
            let fields = self.fields(scanner)?;
            self.apply(&fields);
            if fields.has_base && !fields.has_regular {
                self.place += 1;
                return Ok(());
            }
            fields.record().and_then(|(name, value)| {
                let (name, time) = (name.as_deref(), fields.time);
                let record = SenmlRecord { name, value, time };
                items.intake.senml(&self.base, record)
            })
        } else {
            scanner.value()?;
            Err(ReadingError::Malformed("must be a JSON object".to_owned()))
        };
        items.has_room()?;
        items.push(parsed, scanner.since(begin).as_bytes());
        self.place += 1;
        Ok(())
    }

    fn fields(&mut self, scanner: &mut Scanner<'a>) -> Result<Fields<'a>, NotJson> {
        let mut fields = Fields::default();
        scanner.object::<NotJson>(|scanner, label| {
            fields.take(label, scanner.value()?, |label| {
                self.refuse(label, "unknown_field", "must be understood, and is not");
            });
            Ok(())
        })?;
        Ok(fields)
    }

    /// Puts the base fields of a record in force. One that cannot be read would leave nobody knowing
    /// what the records after it mean.
    fn apply(&mut self, fields: &Fields<'a>) {
        if let Some(name) = fields.twice.filter(|name| name.starts_with('b')) {
            self.refuse(name, "duplicate_field", "is there twice");
        }
        if let Some(text) = fields.base_name {
            self.base.name = string(text);
            if self.base.name.is_none() {
                self.refuse("bn", "invalid_value", "must be a string");
            }
        }
        if let Some(text) = fields.base_time {
            self.base.time = self.number("bt", text);
        }
        if let Some(text) = fields.base_value {
            self.base.value = self.number("bv", text);
        }
        if let Some(text) = fields.version {
            self.check_version(text);
        }
        // A pack that does not say so has this version from its first record on.
        self.version.get_or_insert(VERSION);
    }

    fn number(&mut self, name: &str, text: &str) -> Option<ExactDecimal> {
        let number = ExactDecimal::parse(text);
        if let Err(error) = &number {
            self.refuse(name, "invalid_value", &error.to_string());
        }
        number.ok()
    }

    /// All records have one version, and none above ours (RFC 8428, section 4.4).
    fn check_version(&mut self, text: &str) {
        let version = text.parse::<u64>().ok();
        match version.filter(|version| (1..=VERSION).contains(version)) {
            None => self.refuse("bver", "invalid_value", "must be a version from 1 to 10"),
            Some(version) if self.version.is_some_and(|before| before != version) => {
                let detail = "must be the same version in all records";
                self.refuse("bver", "invalid_value", detail);
            }
            Some(version) => self.version = Some(version),
        }
    }

    fn refuse(&mut self, name: &str, code: &str, detail: &str) {
        let pointer = format!("/{}/{}", self.place, escape(name));
        self.fault
            .get_or_insert_with(|| fault(pointer, code, detail.to_owned()));
    }
}

impl<'a> Fields<'a> {
    /// Takes a field; `misunderstood` is told of one that must be understood (RFC 8428, section 4.4).
    fn take(&mut self, label: &'a str, text: &'a str, misunderstood: impl FnOnce(&str)) {
        let label = string(label).unwrap_or_default();
        let (slot, name) = match label.as_ref() {
            "bn" => (&mut self.base_name, "bn"),
            "bt" => (&mut self.base_time, "bt"),
            "bv" => (&mut self.base_value, "bv"),
            "bver" => (&mut self.version, "bver"),
            "n" => (&mut self.name, "n"),
            "v" => (&mut self.value, "v"),
            "t" => (&mut self.time, "t"),
            "bu" | "bs" => {
                self.has_base = true;
                return;
            }
            "u" | "s" | "ut" | "vs" | "vb" | "vd" => {
                self.has_regular = true;
                self.has_other_value |= matches!(label.as_ref(), "vs" | "vb" | "vd");
                return;
            }
            unknown => {
                if unknown.ends_with('_') {
                    let short: String = unknown.chars().take(64).collect();
                    misunderstood(&short);
                }
                return;
            }
        };
        if slot.replace(text).is_some() {
            self.twice.get_or_insert(name);
        }
        let is_base = name.starts_with('b');
        self.has_base |= is_base;
        self.has_regular |= !is_base;
    }

    /// The name and the numeric value of the record itself.
    fn record(&self) -> Result<(Option<Cow<'a, str>>, &'a str), ReadingError> {
        if let Some(name) = self.twice {
            let detail = format!("has the field {name} twice");
            return Err(ReadingError::Malformed(detail));
        }
        let name = match self.name {
            Some(text) => Some(string(text).ok_or(MetricError)?),
            None => None,
        };
        let value = self.value.filter(|_| !self.has_other_value);
        Ok((name, value.ok_or(ReadingError::NotNumeric)?))
    }
}
