// The session of the README, by a client whose types are made of the document.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];

const baseUrl = process.env["READOUT_URL"];
assert(baseUrl !== undefined, "READOUT_URL says where the service listens");

const anonymous = createClient<paths>({ baseUrl });

// Sign up.
const email = `${randomUUID()}@example.com`;
const credentials: Schemas["NewUser"] = { email, password: "correct horse battery", name: "Ada" };
const signedUp = await anonymous.POST("/api/v1/auth/sign-up", { body: credentials });
assert(signedUp.data, JSON.stringify(signedUp.error));
const user = createClient<paths>({
  baseUrl,
  headers: { Authorization: `Bearer ${signedUp.data.access_token}` },
});

// Provision a device.
const provisioned = await user.POST("/api/v1/devices", { body: { name: "Boiler room" } });
assert(provisioned.data, JSON.stringify(provisioned.error));
const path = { id: provisioned.data.id };
const device = createClient<paths>({
  baseUrl,
  headers: { "X-Device-Key": provisioned.data.device_key },
});

// Arm a rule.
const rule = await user.POST("/api/v1/devices/{id}/alert-rules", {
  params: { path },
  body: { metric: "temperature", comparator: "gt", threshold: 100 },
});
assert(rule.data, JSON.stringify(rule.error));
assert.equal(rule.data.name, "temperature gt 100");

// One reading, then a batch with a mistake in it.
const one = await device.POST("/api/v1/readings", {
  body: { metric: "temperature", value: 101.5 },
});
assert(one.data && "outcome" in one.data, JSON.stringify(one.error));
assert.equal(one.data.outcome, "created");
const batch = await device.POST("/api/v1/readings", {
  body: {
    readings: [
      { metric: "temperature", value: 104.25 },
      // The types know that a value is a number.
      { metric: "humidity", value: "wet" as unknown as number },
    ],
  },
});
assert(batch.data && "accepted" in batch.data, JSON.stringify(batch.error));
assert.deepEqual([batch.data.accepted, batch.data.rejected], [1, 1]);
assert.equal(batch.data.errors[0]?.code, "invalid_value");

// The alert fires, and resolves.
async function alerts(status: Schemas["AlertStatus"]): Promise<Schemas["Alert"][]> {
  const list = await user.GET("/api/v1/alerts", { params: { query: { status } } });
  assert(list.data, JSON.stringify(list.error));
  return list.data.data;
}
assert.deepEqual((await alerts("firing")).map((it) => it.peak_value), [104.25]);
const clear = await device.POST("/api/v1/readings", {
  body: { metric: "temperature", value: 99.9 },
});
assert(clear.data, JSON.stringify(clear.error));
assert.deepEqual((await alerts("firing")).length, 0);
assert.deepEqual((await alerts("resolved")).map((it) => it.resolved_reason), ["recovered"]);

// What it came to.
const rollup = await user.GET("/api/v1/devices/{id}/rollups", {
  params: { path, query: { metric: ["temperature"], interval: "1d", agg: "avg,min,max" } },
});
assert(rollup.data, JSON.stringify(rollup.error));
const buckets = rollup.data.data.flatMap((series) => series.buckets);
assert.equal(buckets.reduce((sum, bucket) => sum + bucket.count, 0), 3);
assert.equal(Math.max(...buckets.map((bucket) => bucket.max ?? NaN)), 104.25);

// A failure has a type too.
const missing = await user.GET("/api/v1/devices/{id}", { params: { path: { id: randomUUID() } } });
assert.equal(missing.error?.code, "not_found");
assert.equal(missing.response.status, 404);

console.log("The session went as the README says.");
