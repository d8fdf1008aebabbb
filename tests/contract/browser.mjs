// Swagger UI in a real browser: someone who has only the address of /docs signs up, provisions a device, posts a reading
// with its key, and reads what it came to.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const url = process.env.READOUT_URL;
const screenshot = process.env.SCREENSHOT;
const program = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
].find((path) => path && existsSync(path));
assert(program, "no Chromium is installed: run ./install chromium, or set CHROMIUM");

const browser = await chromium.launch({
  executablePath: program,
  // It is run as root in CI, where Chromium has no sandbox; it opens nothing but the service.
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
page.setDefaultTimeout(30_000);
const complaints = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => {
  if (message.type() === "error") complaints.push(message.text());
});
page.on("request", (request) => {
  const isOurs = request.url().startsWith(url) || request.url().startsWith("data:");
  if (!isOurs) complaints.push(`asks ${request.url()}`);
});

const block = (operation) => page.locator(`.opblock[id$="-${operation}"]`);

// Opens an operation, fills in what it takes, executes it, and answers what the service said.
async function execute(operation, { parameters = {}, body } = {}) {
  const it = block(operation);
  await it.locator(".opblock-summary-control").click();
  for (const [name, value] of Object.entries(parameters)) {
    const row = it.locator(`tr[data-param-name="${name}"]`);
    const add = row.getByRole("button", { name: /add/i });
    if (await add.count()) await add.click();
    await row.locator("input").last().fill(value);
  }
  if (body !== undefined) await it.locator("textarea.body-param__text").fill(JSON.stringify(body));
  const path = it.locator(".opblock-summary-path").getAttribute("data-path");
  const pattern = new RegExp((await path).replace(/\{[^}]*\}/g, "[^/]+") + "(\\?|$)");
  const answered = page.waitForResponse((response) => pattern.test(response.url()));
  await it.getByRole("button", { name: "Execute" }).click();
  const response = await answered;
  // What the page shows is what counts.
  const live = it.locator(".live-responses-table .response").first();
  const status = Number((await live.locator(".response-col_status").innerText()).trim());
  assert.equal(status, response.status(), `${operation} shows ${status}`);
  return { status, body: JSON.parse(await response.text()), shown: await live.innerText() };
}

async function authorise(scheme, value) {
  await page.locator(".auth-wrapper .authorize").first().click();
  const heading = page.locator("h4 code", { hasText: new RegExp(`^${scheme}$`) });
  const form = page.locator(".auth-container", { has: heading });
  await form.locator("input").fill(value);
  await form.getByRole("button", { name: "Apply credentials" }).click();
  await form.getByRole("button", { name: "Remove authorization" }).waitFor();
  await page.locator(".modal-ux .btn-done").first().click();
}

try {
  await page.goto(`${url}/docs`);
  await page.locator(".info .title", { hasText: "Readout" }).waitFor();

  const signedUp = await execute("user_sign_up", {
    body: { email: `${randomUUID()}@example.com`, password: "correct horse battery" },
  });
  assert.equal(signedUp.status, 201);
  await authorise("bearer", signedUp.body.access_token);

  const device = await execute("device_create", { body: { name: "Boiler room" } });
  assert.equal(device.status, 201);
  assert(device.shown.includes(device.body.device_key), "the page shows the key");
  await authorise("device_key", device.body.device_key);

  const reading = await execute("reading_create", { body: { metric: "temperature", value: 21.5 } });
  assert.equal(reading.status, 201);
  assert.equal(reading.body.outcome, "created");

  const rollup = await execute("rollup_show", {
    parameters: { id: device.body.id, metric: "temperature", interval: "1h" },
  });
  assert.equal(rollup.status, 200);
  assert.equal(rollup.body.data[0].buckets[0].avg, 21.5);
  assert(rollup.shown.includes("21.5"), "the page shows the mean");

  await block("rollup_show").locator(".live-responses-table").scrollIntoViewIfNeeded();
  await page.screenshot({ path: screenshot });
  assert.deepEqual(complaints, []);
  console.log(`The browser did it all; see ${screenshot}.`);
} catch (error) {
  await page.screenshot({ path: screenshot });
  throw error;
} finally {
  await browser.close();
}
