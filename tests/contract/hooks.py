"""Hooks of schemathesis: who asks, for things that there are, and what no schema can say.

READOUT_URL is where the service listens, READOUT_IDENTITY who asks: anonymous, user or device.
"""

import atexit
import collections
import gzip
import json
import os
import threading
import urllib.parse
import uuid
import zlib
import zoneinfo
from datetime import datetime, timedelta, timezone

import requests
import schemathesis
from hypothesis import strategies
from schemathesis.core.parameters import ParameterLocation

URL = os.environ["READOUT_URL"]
IDENTITY = os.environ["READOUT_IDENTITY"]
API = URL + "/api/v1"
PASSWORD = "correct horse battery"


# --- Who asks ---------------------------------------------------------------------------------------------------


def call(method, path, token=None, key=None, body=None):
    """Asks for what a test needs before it begins."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if key:
        headers["X-Device-Key"] = key
    answer = requests.request(method, API + path, headers=headers, json=body, timeout=30)
    answer.raise_for_status()
    return answer.json() if answer.content else None


class Owner:
    """A user with something of each kind, made when it is first needed."""

    def __init__(self):
        self.email = f"{uuid.uuid4()}@example.com"
        signed_in = call("POST", "/auth/sign-up", body={"email": self.email, "password": PASSWORD})
        self.token, self.refresh_token = signed_in["access_token"], signed_in["refresh_token"]
        self.things = {}
        self.lock = threading.RLock()

    def device(self):
        return call("POST", "/devices", self.token, body={"name": "Fuzzed"})

    def rule(self):
        rule = {"metric": f"m{uuid.uuid4().hex}", "comparator": "gt", "threshold": 1}
        return call("POST", f"/devices/{self.device()['id']}/alert-rules", self.token, body=rule)

    def alert(self):
        device = self.device()
        rule = {"metric": "m", "comparator": "gt", "threshold": 1}
        call("POST", f"/devices/{device['id']}/alert-rules", self.token, body=rule)
        call("POST", "/readings", key=device["device_key"], body={"metric": "m", "value": 2})
        return call("GET", f"/alerts?device_id={device['id']}", self.token)["data"][0]

    def api_key(self):
        """One more, of which there may be fifty."""
        for key in call("GET", "/auth/api-keys", self.token)["data"][10:]:
            call("DELETE", f"/auth/api-keys/{key['id']}", self.token)
        return call("POST", "/auth/api-keys", self.token, body={"name": "Fuzzed", "scopes": ["devices:read"]})

    def session(self):
        """Another than the one that asks."""
        other = call("POST", "/auth/sign-in", body={"email": self.email, "password": PASSWORD})
        return call("GET", "/auth/session", other["access_token"])["session"]

    def one(self, noun, is_used_up=False):
        """The identifier of a thing: always the same, unless what is asked for uses it up."""
        make = {
            "devices": self.device,
            "alert-rules": self.rule,
            "alerts": self.alert,
            "api-keys": self.api_key,
            "sessions": self.session,
        }[noun]
        if is_used_up:
            return make()["id"]
        with self.lock:
            if noun not in self.things:
                self.things[noun] = make()["id"]
            return self.things[noun]


OWNER = None if IDENTITY == "anonymous" else Owner()
KEY = OWNER.device()["device_key"] if OWNER else None

# What ends the session that asks for it, or its user, has a user of its own each time.
ENDING = {"session_sign_out", "session_delete", "session_revoke_others", "user_delete", "user_change_password"}

# What uses up the thing that it is about has a thing of its own each time. So has what adds rules to a device, of
# which it may have a hundred.
CONSUMING = {
    "device_delete",
    "alert_rule_delete",
    "alert_resolve",
    "alert_rule_create",
    "api_key_delete",
    "session_delete",
}


def name(case):
    return case.operation.definition.raw.get("operationId")


if IDENTITY == "user":

    @schemathesis.auth(refresh_interval=None)
    class Token:
        def get(self, case, context):
            if name(case) not in ENDING:
                return OWNER.token
            owner = Owner()
            if case.path_parameters and case.meta and case.meta.generation.mode.is_positive:
                case.path_parameters["id"] = owner.one("sessions")
            return owner.token

        def set(self, case, token, context):
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


if IDENTITY == "device":

    @schemathesis.auth(refresh_interval=None)
    class Key:
        def get(self, case, context):
            return KEY

        def set(self, case, key, context):
            case.headers = {**(case.headers or {}), "X-Device-Key": key}


# --- What no schema can say -------------------------------------------------------------------------------------

# Names of zones are those of the IANA, which are too many for a list in the document and change.
schemathesis.openapi.format("iana-timezone", strategies.sampled_from(sorted(zoneinfo.available_timezones())))

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 2678400, "q": 7948800, "y": 31622400}


def duration(text, most):
    """At most so many seconds: how large a number may be depends on the unit after it."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(digits) :]
    if unit not in SECONDS or not digits.isdigit():
        return text
    return f"{min(int(digits), most // SECONDS[unit])}{unit}"


def exact(number):
    """At most 28 digits, and as many after the point: JSON Schema has no word for digits."""
    return round(number, 9) + 0.0 if isinstance(number, float) and abs(number) < 1e28 else number


def measured(text):
    """From 2000 to ten minutes from now, which moves: the schema can only say that it is a time."""
    span = int((datetime.now(timezone.utc) - datetime(2000, 1, 1, tzinfo=timezone.utc)).total_seconds())
    at = datetime(2000, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=zlib.crc32(str(text).encode()) % span)
    return at.isoformat().replace("+00:00", "Z")


def notes(value, levels=7):
    """At most 4 KiB and eight levels, without U+0000: JSON Schema knows neither the size nor the depth of a value."""
    if isinstance(value, dict):
        return {k.replace("\0", "")[:20]: notes(v, levels - 1) for k, v in list(value.items())[:4]} if levels else None
    if isinstance(value, list):
        return [notes(v, levels - 1) for v in value[:4]] if levels else None
    return value.replace("\0", "")[:20] if isinstance(value, str) else value


def valid(value, member=None, reading=False):
    """What was made by the schema, within what the schema cannot say."""
    if isinstance(value, dict):
        if member == "metadata":
            return notes(value, 2)
        return {k: valid(v, k, reading) for k, v in value.items()}
    if isinstance(value, list):
        return [valid(v, member, reading) for v in value]
    if isinstance(value, str) and member in ("offline_after", "for", "keep_firing_for", "after"):
        return duration(value, 3650 * 86400)
    if reading and member == "recorded_at" and value is not None:
        return measured(value)
    if member in ("password", "new_password") and isinstance(value, str):
        # Common ones are refused, which are too many for a list in the document, and those that are an address; this
        # is as long, and neither.
        return value[:-8] + "Zw¶9qLx7"
    if member == "expires_at" and value is not None:
        # A time to come, and what that is changes all the time.
        return (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
    return exact(value)


def pack(records):
    """Records that come to readings: what a record says goes on in those after it, which no schema can follow."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for record in records:
        for member in ("vs", "vb", "vd"):
            record.pop(member, None)
        for member in [it for it in record if it.endswith("_")]:
            # What is called so must be understood (RFC 8428, section 4.4), and is not.
            record.pop(member)
        record["bver"] = 10
        # What is added to it may make it longer than it is allowed to be.
        record["v"] = exact(record.get("v", 1)) % 1_000_000
        for member in ("bv", "bt", "t"):
            if member in record:
                record[member] = -(abs(exact(record[member])) % 1000)
        for member in ("bn", "n"):
            record[member] = member + "".join(it for it in record.get(member, "") if it in letters)[:20]
    return records


def together(operation, query, body):
    """Parts that go together, so that not all of what is made by chance is refused for that."""
    if operation in ("rollup_show", "rollup_list"):
        if query.get("interval") != "auto":
            query.pop("max_points", None)
        if "device_id" in query:
            query.pop("tag", None)
            query.pop("search", None)
        elif "tag" not in query:
            query.setdefault("search", "a")
        query.update(interval="auto", start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z", limit=11000)
        query["metric"] = query["metric"][:5]
        if "device_id" in query:
            query["device_id"] = [OWNER.one("devices")] if OWNER else query["device_id"][:1]
    rule = body.get("rule", body) if isinstance(body, dict) else {}
    if isinstance(rule, dict) and operation.startswith("alert_rule_"):
        if rule.get("clear_threshold") is not None:
            rule["clear_threshold"] = rule.setdefault("threshold", 1)
        if operation == "alert_rule_update":
            # The one that is edited watches a single device.
            rule.pop("selector", None)
            if isinstance(rule.get("no_data"), dict):
                rule["no_data"] = {"after": "5m", "action": "alert", **rule["no_data"]}
    if operation == "alert_rule_preview":
        body.pop("start", None)
        body.pop("end", None)


# Refused though each part of the request is valid, as the problem says by its code: what does not go together, and
# what depends on what is there already.
TOGETHER = {
    "invalid_combination",
    "not_for_streams",
    "empty_range",
    "too_many_api_keys",
    "too_many_buckets",
    "too_many_devices",
    "too_many_rules",
    "too_many_metrics",
    "reading_conflict",
}

# The same by a code that is also used for what a schema does say.
ALSO_TOGETHER = {
    # One of device_id, tag and search is needed.
    ("rollup_list", "device_id", "missing_parameter"),
    # Which tokens were mailed nobody knows who has no mail.
    ("verification_reset_password", "/token", "invalid_token"),
    ("verification_verify_email", "/token", "invalid_token"),
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    kind = type(failure).__name__
    if kind == "AcceptedNegativeData" and (case.headers or {}).get("Content-Encoding") == "":
        # An empty list of codings is no coding (RFC 9110, section 5.6.1), and a header is always text.
        return False
    if kind == "AcceptedNegativeData" and name(case) == "device_create_bulk" and response.status_code == 200:
        # Each device is judged by itself, and the answer says which were refused.
        return response.json()["rejected"] == 0
    if kind != "RejectedPositiveData" or response.status_code != 422:
        return True
    errors = response.json().get("errors", [])
    known = [
        error["code"] in TOGETHER
        or (name(case), error.get("parameter", error.get("pointer")), error["code"]) in ALSO_TOGETHER
        for error in errors
    ]
    return not (known and all(known))


# --- Requests and answers ---------------------------------------------------------------------------------------


@schemathesis.serializer("text/csv")
def sheet(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.serializer("application/json", "application/senml+json", "application/x-ndjson")
def packed(context, value):
    """JSON, or lines of it, packed where the header says so."""
    if isinstance(value, str) and context.case.media_type == "application/x-ndjson":
        value = value.encode()
    data = value if isinstance(value, bytes) else json.dumps(value, default=lambda it: it.decode("latin-1")).encode()
    coding = (context.case.headers or {}).get("Content-Encoding")
    return gzip.compress(data) if coding == "gzip" else data


@schemathesis.deserializer("application/x-ndjson")
def first_line(context, response):
    """The schema is that of one line."""
    text = response.content.decode()
    return json.loads(text.splitlines()[0]) if text else {"metric": "m", "value": 0, "recorded_at": "2000-01-01T00:00:00Z"}


def is_negative(case, location):
    component = case.meta and case.meta.components.get(location)
    return component is not None and component.mode.is_negative


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.headers and "If-Match" in case.headers and not is_negative(case, ParameterLocation.HEADER):
        # What version a thing has is known only to who has just read it.
        case.headers["If-Match"] = "*"
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    operation = name(case)
    is_linked = case.meta.phase.name.value == "stateful"
    if case.path_parameters and "id" in case.path_parameters and OWNER and not is_linked:
        noun = case.operation.path.split("/{id}")[0].rsplit("/", 1)[1]
        if operation not in ENDING:
            case.path_parameters["id"] = OWNER.one(noun, operation in CONSUMING)
    query = case.query or {}
    if "cursor" not in (case._override.query if case._override else {}):
        # It is opaque, and comes from a page of the same list: by a link.
        query.pop("cursor", None)
    if isinstance(query.get("interval"), str):
        query["interval"] = duration(query["interval"], 3660 * 86400)
    if isinstance(query.get("fill"), str) and query["fill"] not in ("none", "null", "previous", "linear"):
        query["fill"] = str(exact(float(query["fill"])) if abs(float(query["fill"])) < 1e28 else 1)
    while len(urllib.parse.urlencode(query, doseq=True)) > 60_000:
        # An address has at most 64 KiB, however long a list in it may be.
        for name_, values in query.items():
            query[name_] = values[: len(values) // 2] if isinstance(values, list) and len(values) > 1 else values
    if isinstance(case.body, (dict, list)):
        case.body = valid(case.body, reading=operation == "reading_create")
    if case.media_type == "application/senml+json":
        case.body = pack(case.body)
        # Its times are in seconds.
        query.pop("precision", None)
    if (case.headers or {}).get("Content-Encoding") == "zstd":
        # Python comes with gzip alone.
        case.headers["Content-Encoding"] = "gzip"
    if case.meta.phase.name.value == "fuzzing":
        together(operation, query, case.body)
    if OWNER and isinstance(case.body, dict):
        if operation == "session_refresh":
            case.body["refresh_token"] = Owner().refresh_token
        if operation == "session_sign_in":
            case.body.update(email=OWNER.email, password=PASSWORD)
        if operation == "user_change_password":
            case.body["current_password"] = PASSWORD
        if operation == "user_delete":
            case.body["password"] = PASSWORD
    if case.media_type == "application/x-ndjson":
        # What its lines are, its example tells.
        case.body = json.dumps({"metric": "m", "value": 1}) + "\n"
    if isinstance(case.body, dict) and operation == "device_update" and {"metadata", "tags"} & case.body.keys():
        # Whoever takes all of them away has to say so.
        case.headers = {**(case.headers or {}), "If-Match": "*"}
    if case.media_type == "text/csv":
        # What a sheet is, its example tells.
        case.body = f"name,offline_after,tag:site\r\n{uuid.uuid4()},5m,north\r\n"
    if "Idempotency-Key" in (case.headers or {}):
        # The same key for another request is refused, and so it should be.
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


# --- What was asked and answered, for whoever runs this ------------------------------------------------------------

ANSWERS = collections.defaultdict(collections.Counter)


@schemathesis.hook
def after_call(context, case, response):
    if response.request.method.upper() != case.operation.method.upper():
        # It was asked what there is, or for what there is not.
        return
    ANSWERS[name(case)][str(response.status_code)] += 1


@atexit.register
def report():
    with open(f"fuzz-{IDENTITY}.json", "w") as file:
        json.dump(ANSWERS, file, indent=1)
