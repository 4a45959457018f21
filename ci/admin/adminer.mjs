// Adminer in a browser, against one server, as somebody who looks after a database uses it.
//
//     adminer.mjs URL PASSWORD PORT LOG SCREENSHOTS      the server is on 127.0.0.1:PORT; LOG is what PHP wrote
import { readFileSync } from "node:fs";
import { equal, launch, open, Report } from "../browser/browser.mjs";

const [url, password, port, log, screenshots] = process.argv.slice(2);
const SERVER = `127.0.0.1:${port}`;
const DATABASE = "adminer_shop";
const browser = await launch();
const page = await open(browser);
const report = new Report("adminer", screenshots);
const broken = [];
page.on("pageerror", (error) => broken.push(`${page.url()}: ${error.message}`));
page.on("response", (response) => {
  if (response.status() >= 400) broken.push(`${response.url()}: HTTP ${response.status()}`);
});
page.on("dialog", (dialog) => dialog.accept());

async function step(name, check) {
  await report.step(name, page, async () => {
    const note = await check();
    equal((await page.locator(".error:visible").allInnerTexts()).join("\n"), "", "errors on the page");
    const text = await page.locator("body").innerText();
    equal(/^.*\b(Warning|Notice|Deprecated|Fatal error)\b: .*$/m.exec(text)?.[0] ?? "", "", "a message of PHP");
    equal(broken.splice(0).join("\n"), "", "what failed behind the page");
    return note;
  });
}

const go = (parameters = {}) => page.goto(`${url}/?${new URLSearchParams({ server: SERVER, username: "root", ...parameters })}`);
const inDatabase = (parameters = {}) => go({ db: DATABASE, ...parameters });
const success = (text) => page.locator(".message", { hasText: text }).first().waitFor();
const save = () => page.locator("#content input[value=Save]").first().click();
const cells = async (row) => (await page.locator(`#table tbody tr:nth-child(${row}) td:not(:first-child)`).allInnerTexts()).map((text) => text.trim());

await step("log_in", async () => {
  await page.goto(url);
  await page.fill("[name='auth[server]']", SERVER);
  await page.fill("#username", "root");
  await page.fill("[name='auth[password]']", password);
  await page.click("input[value=Login]");
  await page.locator("#logout").waitFor();
  return (await page.locator("#content p", { hasText: "version" }).first().innerText()).trim();
});

await step("create_a_database", async () => {
  await go({ database: "" });
  await page.fill("[name=name]", DATABASE);
  await page.selectOption("[name=collation]", "utf8mb4_general_ci");
  await save();
  await success("Database has been created.");
});

const COLUMNS = [
  { name: "id", type: "int", auto: true },
  { name: "name", type: "varchar", length: "40" },
  { name: "price", type: "decimal", length: "8,2", null: true },
  { name: "kind", type: "enum", length: "'book','game'" },
  { name: "born", type: "datetime", fallback: "CURRENT_TIMESTAMP" },
  { name: "note", type: "text", null: true },
];

/** The line of the form that defines columns: `i` counts from 0. */
const line = (i) => page.locator("#edit-fields tbody tr").nth(i);

async function define(i, column) {
  const cell = (name) => line(i).locator(`[name$='[${name}]']`);
  await cell("field").fill(column.name);
  await cell("type").selectOption(column.type);
  if (column.length) await cell("length").fill(column.length);
  if (column.null) await cell("null").check();
  if (column.auto) await line(i).locator("[name=auto_increment_col]").check();
  if (column.fallback) await cell("default").fill(column.fallback);
}

await step("create_a_table", async () => {
  await inDatabase({ create: "" });
  await page.fill("[name=name]", "goods");
  await page.check("[name=defaults]");
  // The next line appears when one gets its name.
  for (const [i, column] of COLUMNS.entries()) await define(i, column);
  await save();
  await success("Table has been created.");
});

await step("add_an_index", async () => {
  await inDatabase({ indexes: "goods" });
  await page.selectOption("[name='indexes[2][type]']", "INDEX");
  await page.selectOption("[name='indexes[2][columns][1]']", "name");
  await save();
  await success("Indexes have been altered.");
});

const ROWS = [
  { name: `O'Brien \\ "ünï" 🦡`, price: "12.50", kind: "book", note: "first\nof two" },
  { name: "Second", price: "7.00", kind: "game", note: "" },
];

await step("insert_rows", async () => {
  for (const row of ROWS) {
    await inDatabase({ edit: "goods" });
    await page.fill("[name='fields[name]']", row.name);
    await page.fill("[name='fields[price]']", row.price);
    await page.locator("label", { hasText: row.kind }).locator("[name='fields[kind]']").check();
    await page.fill("[name='fields[note]']", row.note);
    await save();
    await success("has been inserted.");
  }
});

await step("browse", async () => {
  await inDatabase({ select: "goods" });
  const [id, name, price, kind, born] = await cells(1);
  equal([id, name, price, kind].join(), ["1", ROWS[0].name, "12.50", "book"].join(), "the first row");
  equal(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(born), true, `a date: ${born}`);
});

await step("edit_a_row_in_a_form", async () => {
  await page.locator("#table tbody tr:nth-child(2) a.edit").click();
  await page.fill("[name='fields[price]']", "8.25");
  await save();
  await success("Item has been updated.");
});

await step("edit_a_row_in_place", async () => {
  await inDatabase({ select: "goods" });
  await page.locator("#table tbody tr:nth-child(2) td", { hasText: "Second" }).click({ modifiers: ["Control"] });
  await page.locator("#table tbody tr:nth-child(2) input[type=text], #table tbody tr:nth-child(2) input:not([type])").fill("Second, edited");
  await save();
  await success("1 item has been affected.");
  equal((await cells(2)).slice(0, 4).join(), "2,Second, edited,8.25,game", "the second row");
});

await step("search_a_table", async () => {
  await inDatabase({ select: "goods", "where[0][col]": "name", "where[0][op]": "LIKE %%", "where[0][val]": "edited" });
  equal(await page.locator("#table tbody tr").count(), 1, "rows found");
});

await step("search_a_database", async () => {
  await inDatabase();
  await page.fill("[name=query]", "Brien");
  await page.click("input[name=search]");
  await page.locator("#content a", { hasText: "goods" }).first().waitFor();
});

await step("add_a_column", async () => {
  await inDatabase({ create: "goods" });
  await line(COLUMNS.length - 1).locator("[name^='add[']").click();
  await define(COLUMNS.length, { name: "stock", type: "int", null: true });
  await save();
  await success("Table has been altered.");
});

await step("rename_a_column_and_a_table", async () => {
  await inDatabase({ create: "goods" });
  await line(COLUMNS.length - 1).locator("[name$='[field]']").fill("remark");
  await page.fill("[name=name]", "articles");
  await page.fill("[name=Comment]", "what there is");
  await save();
  await success("Table has been altered.");
});

await step("relate_tables", async () => {
  await inDatabase({ sql: "CREATE TABLE sales (id INT PRIMARY KEY, article INT, FOREIGN KEY (article) REFERENCES articles (id)); INSERT INTO sales VALUES (1, 2)" });
  await page.locator("input[value=Execute]").click();
  await success("Query executed OK, 1 row affected.");
  await inDatabase({ table: "sales" });
  await page.locator("a", { hasText: "articles" }).first().waitFor();
  await inDatabase({ schema: "" });
});

let before;
let dump;
const rowsOf = async (name) => {
  await inDatabase({ select: name });
  return JSON.stringify([await cells(1), await cells(2)]);
};

await step("export", async () => {
  before = await rowsOf("articles");
  await inDatabase({ dump: "" });
  await page.check("[name=output][value=file]");
  await page.selectOption("[name=table_style]", "DROP+CREATE");
  await page.selectOption("[name=data_style]", "INSERT");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#content input[value=Export]").click()]);
  dump = readFileSync(await download.path(), "utf8");
  for (const part of ["CREATE TABLE `articles`", "INSERT INTO `articles`", "AUTO_INCREMENT", "FOREIGN KEY", "🦡"]) {
    if (!dump.includes(part)) throw new Error(`the dump has no ${part}:\n${dump}`);
  }
});

await step("drop_tables", async () => {
  await inDatabase();
  for (const name of ["articles", "sales"]) await page.check(`[name='tables[]'][value=${name}]`);
  await page.click("input[name=drop]");
  await success("Tables have been dropped.");
});

await step("import_what_was_exported", async () => {
  await inDatabase({ import: "" });
  await page.setInputFiles("[name='sql_file[]']", { name: "dump.sql", mimeType: "application/sql", buffer: Buffer.from(dump) });
  await page.locator("input[value=Execute]").first().click();
  await success("queries executed OK.");
  equal(await rowsOf("articles"), before, "the rows");
});

for (const [name, parameters] of [
  ["databases", {}],
  ["processes", { processlist: "" }],
  ["variables", { variables: "" }],
  ["status", { status: "" }],
  ["privileges", { privileges: "" }],
  ["structure", { db: DATABASE, table: "articles" }],
  ["tables", { db: DATABASE }],
  ["create_a_view", { db: DATABASE, view: "" }],
  ["alter_the_database", { db: DATABASE, database: "" }],
  ["information_schema", { db: "information_schema" }],
]) {
  await step(`page_${name}`, async () => void (await go(parameters)));
}

await step("drop_the_database", async () => {
  await inDatabase({ database: "" });
  await page.click("input[name=drop]");
  await success("Database has been dropped.");
});

await step("php_logged_nothing", () => {
  const found = readFileSync(log, "utf8").match(/PHP .*/g) ?? [];
  const wrong = found.filter((line) => !line.includes("Development Server"));
  equal(wrong.slice(0, 3).join("\n"), "", `the first of ${wrong.length} lines`);
});

await browser.close();
process.exit(report.close());
