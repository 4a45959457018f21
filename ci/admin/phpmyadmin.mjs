// phpMyAdmin in a browser, against one server, as somebody who looks after a database uses it.
//
//     phpmyadmin.mjs URL PASSWORD LOG SCREENSHOTS      LOG is what PHP wrote
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { equal, launch, open, Report } from "../browser/browser.mjs";

const [url, password, log, screenshots] = process.argv.slice(2);
const DATABASE = "pma_shop";
const browser = await launch();
const page = await open(browser);
const report = new Report("phpmyadmin", screenshots);
const broken = [];
page.on("pageerror", (error) => broken.push(`${page.url()}: ${error.message}`));
page.on("response", (response) => {
  if (response.status() >= 400) broken.push(`${response.url()}: HTTP ${response.status()}`);
});
page.on("dialog", (dialog) => dialog.accept());

/** After each step: no error, no warning, no trouble in a script. */
async function step(name, check) {
  await report.step(name, page, async () => {
    const note = await check();
    equal((await page.locator(".alert-danger:visible, .alert-warning:visible, #pma_errors").allInnerTexts()).join("\n"), "", "errors on the page");
    equal(broken.splice(0).join("\n"), "", "what failed behind the page");
    return note;
  });
}

async function go(route, parameters = {}) {
  const query = new URLSearchParams(parameters);
  await page.goto(`${url}/index.php?route=${route}&${query}`);
  await page.locator("#page_content").waitFor();
  await settled();
}

/** Until what the page asks for in the background has come. */
async function settled() {
  await page.waitForLoadState("networkidle");
}

const table = (name) => ({ db: DATABASE, table: name });
const success = (text) => page.locator("#page_content .alert-success:visible", { hasText: text }).first().waitFor();
const cells = async (row) => (await page.locator(`.table_results tbody tr:nth-child(${row}) td.data`).allInnerTexts()).map((text) => text.trim());

/** Runs statements as somebody who types them does. */
async function type(sql, parameters = { db: DATABASE }) {
  await go(parameters.db ? "/database/sql" : "/server/sql", parameters);
  await page.evaluate((text) => window.codeMirrorEditor.setValue(text), sql);
  await page.click("#button_submit_query");
}

await step("log_in", async () => {
  await page.goto(url);
  await page.fill("#input_username", "root");
  await page.fill("#input_password", password);
  await page.click("#input_go");
  await page.locator("#pma_navigation_tree").waitFor();
  await page.locator("text=Database server").waitFor();
  return (await page.locator("#page_content li", { hasText: "Server version" }).innerText()).trim();
});

await step("create_a_database", async () => {
  await go("/server/databases");
  await page.fill("#text_create_db", DATABASE);
  await page.selectOption("#create_database_form select[name=db_collation]", "utf8mb4_general_ci");
  await page.click("#buttonGo");
  await page.getByText("No tables found in database.").waitFor();
  await settled();
});

// The order of the form's columns; `key` and `auto` are the choices in its columns "Index" and "A_I".
const COLUMNS = [
  { name: "id", type: "INT", auto: true },
  { name: "name", type: "VARCHAR", length: "40", key: "index" },
  { name: "price", type: "DECIMAL", length: "8,2", null: true },
  { name: "kind", type: "ENUM", length: "'book','game'" },
  { name: "born", type: "DATETIME", fallback: "CURRENT_TIMESTAMP" },
  { name: "note", type: "TEXT", null: true },
];

/** Fills line `i` of the form that defines columns. */
async function define(i, column) {
  await page.fill(`#field_${i}_1`, column.name);
  await page.selectOption(`#field_${i}_2`, column.type);
  if (column.length) await page.fill(`#field_${i}_3`, column.length);
  if (column.fallback) await page.selectOption(`[name='field_default_type[${i}]']`, column.fallback);
  if (column.null) await page.check(`[name='field_null[${i}]']`);
  if (column.auto) await page.check(`[name='field_extra[${i}]']`);
  if (column.key) {
    await page.selectOption(`[name='field_key[${i}]']`, `${column.key}_${i}`);
    await page.locator(".ui-dialog:visible .ui-dialog-buttonset .btn-primary").click();
  }
}

async function save() {
  await page.click("input[name=do_save_data]");
  await page.locator("#tablestructure").waitFor();
  await settled();
}

await step("create_a_table", async () => {
  await go("/database/structure", { db: DATABASE });
  await page.fill("#createTableMinimalForm input[name=table]", "goods");
  await page.fill("#createTableMinimalForm input[name=num_fields]", String(COLUMNS.length));
  await page.click("#createTableMinimalForm input[type=submit]");
  await page.locator("#field_0_1").waitFor();
  for (const [i, column] of COLUMNS.entries()) await define(i, column);
  // After a database's first table phpMyAdmin asks for the page of the database and for that of the table at once, and shows
  // the one that comes last, whichever that is.
  const created = page.waitForResponse((response) => response.request().method() === "POST" && response.url().includes("/table/create"));
  await page.click("input[name=do_save_data]");
  equal((await (await created).json()).success, true, "the table was created");
  await go("/table/structure", table("goods"));
  const names = await page.locator("#tablestructure tbody th label").allInnerTexts();
  equal(names.map((name) => name.trim()).join(), COLUMNS.map(({ name }) => name).join(), "columns");
  equal(await page.locator("#table_index tbody tr").count(), 2, "indexes");
});

const field = (row, name) => `#insertForm [name='fields[multi_edit][${row}][${createHash("md5").update(name).digest("hex")}]']`;
const ROWS = [
  { name: `O'Brien \\ "ünï" 🦡`, price: "12.50", kind: "book", note: "first\nof two" },
  { name: "Second", price: "7.00", kind: "game", note: "" },
];

await step("insert_rows", async () => {
  await go("/table/change", table("goods"));
  for (const [i, row] of ROWS.entries()) {
    await page.fill(field(i, "name"), row.name);
    await page.fill(field(i, "price"), row.price);
    await page.check(`${field(i, "kind")}[value=${row.kind}]`);
    await page.fill(field(i, "note"), row.note);
  }
  await page.click("#buttonYes");
  await success("2 rows inserted.");
});

await step("browse", async () => {
  await go("/sql", { ...table("goods"), pos: 0 });
  const [id, name, price, kind, born] = await cells(1);
  equal([id, name, price, kind].join(), ["1", ROWS[0].name, "12.50", "book"].join(), "the first row");
  equal(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(born), true, `a date: ${born}`);
});

await step("edit_a_row_in_a_form", async () => {
  await page.locator(".table_results tbody tr:nth-child(2) .edit_row_anchor a").click();
  await page.locator("#insertForm").waitFor();
  await page.fill(field(0, "price"), "8.25");
  await page.click("#buttonYes");
  await success("1 row affected.");
});

await step("edit_a_row_in_place", async () => {
  await go("/sql", { ...table("goods"), pos: 0 });
  await page.locator(".table_results tbody tr:nth-child(2) td.data").nth(1).dblclick();
  await page.locator(".cEdit textarea.edit_box").fill("Second, edited");
  await page.keyboard.press("Enter");
  await page.getByText("1 row affected.").first().waitFor();
  await go("/sql", { ...table("goods"), pos: 0 });
  equal((await cells(2)).slice(0, 4).join(), "2,Second, edited,8.25,game", "the second row");
});

await step("search_a_table", async () => {
  await go("/table/search", table("goods"));
  await page.selectOption("[name='criteriaColumnOperators[1]']", "LIKE %...%");
  await page.fill("#fieldID_1", "edited");
  await page.click("#tbl_search_form input[name=submit]");
  await page.locator(".table_results").waitFor();
  equal(await page.locator(".table_results tbody tr").count(), 1, "rows found");
});

await step("search_a_database", async () => {
  await go("/database/search", { db: DATABASE });
  await page.fill("[name=criteriaSearchString]", "Brien");
  await page.click("#select_all");
  await page.click("#buttonGo");
  await page.getByText("1 match").first().waitFor();
});

await step("add_a_column", async () => {
  await go("/table/structure", table("goods"));
  await page.click("#addColumns input[type=submit]");
  await page.locator("#field_0_1").waitFor();
  await define(0, { name: "stock", type: "INT", null: true });
  await save();
});

await step("rename_a_column", async () => {
  await page.locator("#tablestructure tr", { hasText: "note" }).locator(".change_column_anchor").click();
  await page.locator("#field_0_1").waitFor();
  await page.fill("#field_0_1", "remark");
  await save();
  await page.locator("#tablestructure tr", { hasText: "remark" }).waitFor();
});

await step("add_an_index", async () => {
  // After a change of a column, parts of the page come again when it is already there, and would close an open menu.
  await go("/table/structure", table("goods"));
  await page.locator("#tablestructure tr", { hasText: "born" }).getByRole("button", { name: "More" }).click();
  await page.locator("#tablestructure tr", { hasText: "born" }).locator("a.add_index_anchor, .add_index a").first().click();
  await page.locator("#functionConfirmOkButton:visible, .ui-dialog .btn:visible").first().click();
  await page.locator("#table_index tr", { hasText: "born" }).waitFor();
});

await step("rename_and_comment_a_table", async () => {
  await go("/table/operations", table("goods"));
  await page.fill("#renameTableInput", "articles");
  await page.fill("#tableCommentsInput", "what there is");
  await page.click("#tableOptionsForm input[type=submit]");
  await success("");
});

await step("copy_a_table", async () => {
  await go("/table/operations", table("articles"));
  await page.fill("#copyTable input[name=new_name]", "copied");
  await page.click("#copyTable input[name=submit_copy]");
  await page.getByText("has been copied to").first().waitFor();
  await page.locator("#pma_navigation_tree a", { hasText: "copied" }).first().waitFor();
});

await step("relate_tables", async () => {
  await type("CREATE TABLE sales (id INT PRIMARY KEY, article INT, FOREIGN KEY (article) REFERENCES articles (id)); INSERT INTO sales VALUES (1, 2)");
  await success("");
  await go("/table/relation", table("sales"));
  const target = page.locator("[name='destination_foreign_table[0]'] option:checked");
  equal((await target.innerText()).trim(), "articles", "the table referred to");
  await go("/database/designer", { db: DATABASE });
});

let dump;
const rowsOf = async (name) => {
  await go("/sql", { ...table(name), pos: 0 });
  return JSON.stringify([await cells(1), await cells(2)]);
};
let before;

await step("export", async () => {
  before = await rowsOf("articles");
  await go("/database/export", { db: DATABASE });
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#buttonGo")]);
  dump = readFileSync(await download.path(), "utf8");
  for (const part of ["CREATE TABLE `articles`", "INSERT INTO `articles`", "AUTO_INCREMENT", "ADD CONSTRAINT", "🦡"]) {
    if (!dump.includes(part)) throw new Error(`the dump has no ${part}:\n${dump}`);
  }
  writeFileSync(`${screenshots}/dump.sql`, dump);
});

await step("drop_tables", async () => {
  for (const name of ["sales", "articles", "copied"]) {
    await go("/database/structure", { db: DATABASE });
    await page.locator("#structureTable tr, table.data tr", { hasText: name }).locator("a.drop_table_anchor").click();
    await page.locator("#functionConfirmOkButton:visible, .ui-dialog .btn:visible").first().click();
    await page.getByText(`${name}`).first().waitFor({ state: "hidden" });
  }
});

await step("import_what_was_exported", async () => {
  await go("/database/import", { db: DATABASE });
  await page.setInputFiles("#input_import_file", { name: "dump.sql", mimeType: "application/sql", buffer: Buffer.from(dump) });
  await page.click("#buttonGo");
  await success("Import has been successfully finished");
  equal(await rowsOf("articles"), before, "the rows");
});

for (const [name, route, parameters] of [
  ["databases", "/server/databases", {}],
  ["status", "/server/status", {}],
  ["processes", "/server/status/processes", {}],
  ["query_statistics", "/server/status/queries", {}],
  ["status_variables", "/server/status/variables", {}],
  ["monitor", "/server/status/monitor", {}],
  ["advisor", "/server/status/advisor", {}],
  ["variables", "/server/variables", {}],
  ["collations", "/server/collations", {}],
  ["engines", "/server/engines", {}],
  ["plugins", "/server/plugins", {}],
  ["accounts", "/server/privileges", {}],
  ["replication", "/server/replication", {}],
  ["server_export", "/server/export", {}],
  ["structure_of_information_schema", "/database/structure", { db: "information_schema" }],
  ["structure", "/table/structure", table("articles")],
  ["operations", "/database/operations", { db: DATABASE }],
  ["data_dictionary", "/database/data-dictionary", { db: DATABASE }],
  ["query_by_example", "/database/multi-table-query", { db: DATABASE }],
  ["triggers", "/database/triggers", { db: DATABASE }],
  ["routines", "/database/routines", { db: DATABASE }],
  ["events", "/database/events", { db: DATABASE }],
]) {
  await step(`page_${name}`, () => go(route, parameters));
}

await step("drop_the_database", async () => {
  await go("/database/operations", { db: DATABASE });
  await page.click("#drop_db_anchor");
  await page.locator("#functionConfirmOkButton:visible, .ui-dialog .btn:visible").first().click();
  await page.locator("#text_create_db").waitFor();
  equal(await page.locator("#tableDatabases, #databases", { hasText: DATABASE }).count(), 0, "the database in the list");
});

await step("php_logged_nothing", () => {
  const found = readFileSync(log, "utf8").match(/PHP .*/g) ?? [];
  const wrong = found.filter((line) => !line.includes("Development Server"));
  equal(wrong.slice(0, 3).join("\n"), "", `the first of ${wrong.length} lines`);
});

await browser.close();
process.exit(report.close());
