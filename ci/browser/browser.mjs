// Chromium without a window, and the list of what was checked in it.
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";

// ci/browser/install.sh puts it there.
const { chromium, request } = createRequire(new URL("../../target/browser/", import.meta.url))("playwright-core");
export { request };

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  // Nothing that a page mentions (fonts, avatars) is asked of the world.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** How long anything on a page is waited for, in ms. */
const PATIENCE = 30_000;

/** Chromium with a profile of its own, removed when it is closed. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** A new window of a person of its own: its own cookies, its own logins. */
export async function open(browser) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
  context.setDefaultTimeout(PATIENCE);
  return context.newPage();
}

export function equal(found, expected, what) {
  if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
}

/** Runs steps one after the other, whatever became of the ones before, and keeps a screenshot of what each left. */
export class Report {
  passed = 0;
  failed = 0;

  constructor(prefix, folder) {
    this.prefix = prefix;
    this.folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }

  /** `check` works in `page`; what it returns, if anything, is printed beside the result. */
  async step(name, page, check) {
    const started = performance.now();
    let result = "ok";
    let note = "";
    try {
      note = (await check(page)) ?? "";
      this.passed += 1;
    } catch (error) {
      result = "FAILED";
      note = error.stack ?? String(error);
      this.failed += 1;
    }
    const ms = Math.round(performance.now() - started);
    const number = String(this.passed + this.failed).padStart(2, "0");
    await page.screenshot({ path: `${this.folder}/${number}-${name}.png` });
    console.log(`test ${this.prefix}_${name} ... ${result} (${ms} ms)${note && `  ${note}`}`);
  }

  /** The closing line, in the form that ci/all.sh adds up; the exit code. */
  close() {
    const word = this.failed ? "FAILED" : "ok";
    console.log(`test result: ${word}. ${this.passed} passed; ${this.failed} failed;`);
    return this.failed ? 1 : 0;
  }
}
