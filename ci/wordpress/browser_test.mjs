// The same site in a real browser: what a page shows once its scripts have run, on all three nodes, with screenshots.
//
//     node browser_test.mjs WEB_BASE SCREENSHOTS      the site was installed by drive.py; CHROMIUM names the browser
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const [webBase, folder] = process.argv.slice(2);
const site = (node) => `http://127.0.0.1:${Number(webBase) + node}`;
const PASSWORD = "Setts-and-sounds-1";
const TITLE = "Written in a browser";
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1200, height: 900 } })).newPage();
const broken = [];
page.on("pageerror", (error) => broken.push(`${page.url()}: ${error.message}`));
page.on("response", (response) => {
  if (response.status() >= 500) broken.push(`${response.url()}: HTTP ${response.status()}`);
});
let passed = 0;
let failed = 0;

async function step(name, check) {
  const started = performance.now();
  let result = "ok";
  try {
    await check();
    passed += 1;
  } catch (error) {
    result = `FAILED  ${error.message}`;
    failed += 1;
  }
  await page.screenshot({ path: `${folder}/${String(passed + failed).padStart(2, "0")}-${name}.png` });
  console.log(`test browser_${name} ... ${result} (${Math.round(performance.now() - started)} ms)`);
}

function equal(found, expected, what) {
  if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
}

await step("home_on_all", async () => {
  for (const node of [1, 2, 3]) {
    await page.goto(`${site(node)}/`);
    await page.getByText("Hello world!").first().waitFor({ timeout: 5000 });
  }
});

await step("log_in_on_2", async () => {
  await page.goto(`${site(2)}/wp-login.php`);
  await page.fill("#user_login", "admin");
  await page.fill("#user_pass", PASSWORD);
  await page.click("#wp-submit");
  await page.locator("#wpadminbar").waitFor({ timeout: 15000 });
});

await step("write_in_the_block_editor_on_2", async () => {
  await page.goto(`${site(2)}/wp-admin/post-new.php`);
  const guide = page.locator(".components-modal__header button, .edit-post-welcome-guide button[aria-label='Close dialog']");
  await page.locator(".editor-post-publish-panel__toggle, .editor-post-publish-button__button").first().waitFor({ timeout: 30000 });
  if (await guide.count()) await guide.first().click();
  // The editor's own store, as the keyboard would change it; the buttons that save are the real ones.
  await page.evaluate((title) => {
    window.wp.data.dispatch("core/editor").editPost({ title });
    window.wp.data.dispatch("core/block-editor").insertBlocks(window.wp.blocks.createBlock("core/paragraph", { content: "Typed, ünïcode too" }));
  }, TITLE);
  await page.locator(".editor-post-publish-panel__toggle").click();
  await page.locator(".editor-post-publish-panel .editor-post-publish-button").click();
  await page.getByText("is now live").first().waitFor({ timeout: 15000 });
});

let address;
await step("read_on_3", async () => {
  await page.goto(`${site(3)}/`);
  const link = page.getByRole("link", { name: TITLE }).first();
  await link.waitFor({ timeout: 1000 });
  address = new URL(await link.getAttribute("href"));
  await page.goto(site(3) + address.pathname + address.search);
  await page.getByText("Typed, ünïcode too").first().waitFor({ timeout: 1000 });
});

await step("comment_on_3_read_on_1", async () => {
  await page.fill("#comment", "Seen in a browser");
  await page.locator("#submit").click();
  await page.getByText("Seen in a browser").first().waitFor({ timeout: 5000 });
  await page.goto(site(1) + address.pathname + address.search);
  await page.getByText("Seen in a browser").first().waitFor({ timeout: 1000 });
});

await step("trash_on_1_gone_on_all", async () => {
  await page.goto(`${site(1)}/wp-admin/edit.php`);
  const row = page.locator("#the-list tr", { hasText: TITLE });
  await row.hover();
  await row.locator(".submitdelete").click();
  await page.getByText("1 post moved to the Trash").waitFor({ timeout: 5000 });
  for (const node of [1, 2, 3]) {
    await page.goto(`${site(node)}/`);
    equal(await page.getByRole("link", { name: TITLE }).count(), 0, `links to the post on node ${node}`);
  }
});

await step("no_script_or_server_failed", async () => equal(broken.join("\n"), "", "errors"));
await browser.close();
console.log(`test result: ${failed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed;`);
process.exit(failed ? 1 : 0);
