// The page on a node's admin address, as somebody who wonders how the cluster is sees it.
//
//     page.mjs URL healthy|alone|healed SCREENSHOTS      alone: the two other nodes were just killed
import { equal, launch, open, Report } from "../browser/browser.mjs";

const [url, phase, screenshots] = process.argv.slice(2);
const browser = await launch();
const report = new Report(`page_${phase}`, screenshots);
const broken = [];

async function look(scheme, check) {
  const page = await open(browser);
  await page.emulateMedia({ colorScheme: scheme });
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) broken.push(message.text()); });
  page.on("pageerror", (error) => broken.push(error.message));
  page.on("request", (request) => { if (!request.url().startsWith(url)) broken.push(`it asks for ${request.url()}`); });
  await page.goto(url);
  await report.step(scheme, page, async () => {
    await check(page);
    equal(broken.splice(0).join("\n"), "", "what failed behind the page");
  });
  await page.close();
}

/** Waits until an element says so. */
const says = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();

async function whole(page) {
  await says(page, "#verdict.good", "Ready");
  await says(page, "#identity", "3 of 3 voters alive");
  await page.waitForFunction(() => document.querySelectorAll("#picture .node.alive").length === 3);
  await page.waitForFunction(() => [...document.querySelectorAll("#picture .link text")].every((t) => t.textContent === "in step"));
  equal(await page.locator("#nodes tr").count(), 3, "rows of the table");
  equal(await page.locator("#picture .link.up").count(), 2, "links");
  equal((await page.locator("#problems li").allInnerTexts()).join("\n"), "", "problems");
  // Something was drawn, and it is alive: the lines of the chart move.
  await says(page, "#throughput .legend", "reads");
  equal(await page.locator("#throughput path").count(), 3, "lines of the chart");
  const before = await page.locator("#throughput path").first().getAttribute("d");
  await page.waitForFunction((line) => document.querySelector("#throughput path").getAttribute("d") !== line, before);
}

async function alone(page) {
  await says(page, "#verdict.bad", "Not ready");
  await says(page, "#problems li.bad", "no majority: 1 of 3 voting members are alive");
  equal(await page.locator("#problems li", { hasText: "is away" }).count(), 2, "nodes said to be away");
  equal(await page.locator("#picture .node.away").count(), 2, "nodes drawn as away");
  equal(await page.locator("#picture .link.down").count(), 2, "links drawn as down");
}

const check = phase === "alone" ? alone : whole;
for (const scheme of ["light", "dark"]) await look(scheme, check);
await browser.close();
process.exitCode = report.close();
