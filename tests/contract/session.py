"""The session of the README, by a client that is made of the document."""

import os
import uuid

from readout_client import AuthenticatedClient, Client
from readout_client.api.alert_rules import alert_rule_create
from readout_client.api.alerts import alert_list
from readout_client.api.auth import user_sign_up
from readout_client.api.devices import device_create, device_show
from readout_client.api.readings import reading_create
from readout_client.api.rollups import rollup_show
from readout_client.models import (
    AlertStatus,
    BatchReceipt,
    Comparator,
    NewAlertRule,
    NewDevice,
    NewReading,
    NewUser,
    PageAlert,
    Problem,
    ProvisionedDevice,
    ReadingReceipt,
    Rollup,
    SignedIn,
)
from readout_client.models import AlertRule as Rule
from readout_client.models import NewReadingsType1 as Batch

URL = os.environ["READOUT_URL"]

# Sign up.
new_user = NewUser(email=f"{uuid.uuid4()}@example.com", password="correct horse battery", name="Ada")
signed_up = user_sign_up.sync(client=Client(URL), body=new_user)
assert isinstance(signed_up, SignedIn), signed_up
user = AuthenticatedClient(URL, token=signed_up.access_token)

# Provision a device.
provisioned = device_create.sync(client=user, body=NewDevice(name="Boiler room"))
assert isinstance(provisioned, ProvisionedDevice), provisioned
device = AuthenticatedClient(URL, token=provisioned.device_key, prefix="", auth_header_name="X-Device-Key")

# Arm a rule.
new_rule = NewAlertRule(metric="temperature", comparator=Comparator.GT, threshold=100)
rule = alert_rule_create.sync(provisioned.id, client=user, body=new_rule)
assert isinstance(rule, Rule), rule

# One reading, then a batch.
one = reading_create.sync(client=device, body=NewReading(metric="temperature", value=101.5))
assert isinstance(one, ReadingReceipt), one
readings = [NewReading(metric="temperature", value=104.25), NewReading(metric="humidity", value=40)]
batch = reading_create.sync(client=device, body=Batch(readings=readings))
assert isinstance(batch, BatchReceipt), batch
assert (batch.accepted, batch.rejected) == (2, 0)


# The alert fires, and resolves.
def alerts(status: AlertStatus) -> PageAlert:
    page = alert_list.sync(client=user, status=status)
    assert isinstance(page, PageAlert), page
    return page


assert [alert.peak_value for alert in alerts(AlertStatus.FIRING).data] == [104.25]
clear = reading_create.sync(client=device, body=NewReading(metric="temperature", value=99.9))
assert isinstance(clear, ReadingReceipt), clear
assert not alerts(AlertStatus.FIRING).data
assert len(alerts(AlertStatus.RESOLVED).data) == 1

# What it came to.
rollup = rollup_show.sync(provisioned.id, client=user, metric=["temperature"], interval="1d", agg="avg,min,max")
assert isinstance(rollup, Rollup), rollup
assert sum(bucket.count for series in rollup.data for bucket in series.buckets) == 3

# A failure has a type too.
missing = device_show.sync(uuid.uuid4(), client=user)
assert isinstance(missing, Problem), missing
assert (missing.code, missing.status) == ("not_found", 404)

print("The session went as the README says.")
