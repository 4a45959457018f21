// One smoke test of mysql2 against the server that the environment names (see ci/drivers.sh).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import mysql from 'mysql2/promise';
import callbacks from 'mysql2';

const env = process.env;
const MARMOT = env.DB_KIND === 'marmot';
const NAME = 'mysql2';
const DATABASE = 'drv_mysql2';
const open = [];

async function connect(options = {}) {
  const connection = await mysql.createConnection({
    host: env.DB_HOST, port: Number(env.DB_PORT), user: env.DB_USER, password: env.DB_PASSWORD, database: DATABASE,
    charset: 'utf8mb4', timezone: 'Z', ...options,
  });
  open.push(connection);
  return connection;
}

const rows = async (connection, sql, values) => (await connection.query({ sql, rowsAsArray: true }, values))[0];
const affected = async (connection, sql) => {
  const [done] = await connection.query(sql);
  return [done.affectedRows, done.insertId];
};
const fails = (code, sqlState, name, promise) =>
  assert.rejects(promise, (error) => {
    assert.deepEqual([error.errno, error.sqlState, error.code], [code, sqlState, name], error.message);
    return true;
  });

const topics = {
  async login() {
    const connection = await connect();
    assert.deepEqual(await rows(connection, 'SELECT DATABASE(), 1 + 1'), [[DATABASE, 2]]);
    await connection.ping();
    await fails(1045, '28000', 'ER_ACCESS_DENIED_ERROR', connect({ password: 'wrong' }));
    await fails(1049, '42000', 'ER_BAD_DB_ERROR', connect({ database: 'no_such_database' }));
    await connection.changeUser({ user: env.DB_USER, password: env.DB_PASSWORD, database: DATABASE });
    await connection.query('SET @a = 5');
    await new Promise((done, failed) => connection.connection.reset((e) => (e ? failed(e) : done())));
    assert.deepEqual(await rows(connection, 'SELECT @a'), [[null]]);
  },

  async tls() {
    const connection = await connect({ ssl: { ca: readFileSync(env.DB_CA), rejectUnauthorized: true } });
    const [[, cipher]] = await rows(connection, "SHOW STATUS LIKE 'Ssl_cipher'");
    assert.notEqual(cipher, '');
    await assert.rejects(connect({ ssl: { rejectUnauthorized: true } }), /self.signed|first certificate/);
  },

  async types() {
    const connection = await connect({ supportBigNumbers: true, bigNumberStrings: false, dateStrings: true });
    await connection.query("SET time_zone = '+00:00'");
    await connection.query(readFileSync(env.DB_TYPES, 'utf8'));
    const lowest = {
      i8: -128, u8: 0, i16: -32768, u16: 0, i24: -8388608, u24: 0, i32: -2147483648, u32: 0,
      i64: '-9223372036854775808', u64: 0, f32: -1.5, f64: -1.7976931348623157e308, deci: '-99999999999999999999.9999999999',
      day: '1000-01-01', span: '-838:59:58.999999', moment: '1000-01-01 00:00:00.000001',
      stamp: '1970-01-02 03:04:05.000006', year: 1901, fixed: '', text_short: '', text_long: '',
      bin_fixed: Buffer.alloc(4), bin_short: Buffer.alloc(0), bin_long: Buffer.alloc(0), bits: Buffer.from([0, 0]),
      choice: 'red', flags: '', doc: '[]',
    };
    const all = Buffer.from([...Array(256).keys()]);
    const highest = {
      i8: 127, u8: 255, i16: 32767, u16: 65535, i24: 8388607, u24: 16777215, i32: 2147483647, u32: 4294967295,
      i64: '9223372036854775807', u64: '18446744073709551615', f32: 0.25, f64: 2.2250738585072014e-308,
      deci: '99999999999999999999.9999999999', day: '9999-12-31', span: '838:59:58.999999', moment: '9999-12-31 23:59:59.999999',
      stamp: '2038-01-18 03:14:07.999999', year: 2155, fixed: 'ten 🦡 x \\', text_short: 'it\'s 🦡 "%s" \\ \0 \n ü',
      text_long: '🦡'.repeat(5000), bin_fixed: Buffer.from([0xff, 0, 0x27, 0x5c]), bin_short: all.subarray(0, 100),
      bin_long: Buffer.concat(Array(100).fill(all)), bits: Buffer.from([3, 0xff]), choice: 'grün 🦡', flags: 'x,z',
      doc: '{"a": [1, 2.5, null, "🦡"], "b": {"c": true}}',
    };
    const columns = Object.keys(lowest);
    const nothing = Object.fromEntries(columns.map((c) => [c, null]));
    const wanted = [lowest, highest, nothing];
    const insert = `INSERT INTO types (${columns}) VALUES (${columns.map(() => '?')})`;
    for (const how of ['query', 'execute']) {
      for (const values of wanted) {
        const [done] = await connection[how](insert, Object.values(values));
        assert.equal(done.affectedRows, 1);
      }
    }
    const normal = (column, value) => {
      if (value === null) return null;
      if (column === 'doc') return typeof value === 'string' ? JSON.parse(value) : value;
      if (column === 'i64' || column === 'u64') return String(value);
      return value;
    };
    for (const how of ['query', 'execute']) {
      const [got] = await connection[how](`SELECT ${columns} FROM types WHERE id > ? ORDER BY id`, [0]);
      assert.equal(got.length, 6);
      for (const [number, row] of got.entries()) {
        for (const column of columns) {
          const value = wanted[number % 3][column];
          assert.deepEqual(normal(column, row[column]), normal(column, value), `${how}: ${column}`);
        }
      }
    }
    for (const column of ['i64', 'u64', 'f64', 'deci', 'day', 'span', 'moment', 'stamp', 'text_short', 'bin_short']) {
      const [[row]] = await connection.execute(`SELECT COUNT(*) AS n FROM types WHERE ${column} = ?`, [highest[column]]);
      assert.equal(row.n, 2, column);
    }
    // JavaScript's own types for dates, numbers, booleans and objects.
    const typed = await connect();
    await typed.query("SET time_zone = '+00:00'");
    const moment = new Date(Date.UTC(2024, 1, 29, 12, 30, 15, 250));
    const [[row]] = await typed.execute('SELECT CAST(? AS DATETIME(6)) AS m, ? AS f, ? AS b, ? AS o', [moment, 1.5, true, 7]);
    assert.deepEqual([row.m.getTime(), Number(row.f), Number(row.b), Number(row.o)], [moment.getTime(), 1.5, 1, 7]);
  },

  async transactions() {
    const connection = await connect();
    const other = await connect();
    const count = async (who) => (await rows(who, 'SELECT COUNT(*) FROM steps'))[0][0];
    await connection.query('CREATE TABLE steps (id INT PRIMARY KEY)');
    await connection.beginTransaction();
    await connection.execute('INSERT INTO steps VALUES (?)', [1]);
    assert.deepEqual([await count(connection), await count(other)], [1, 0]);
    await connection.rollback();
    assert.equal(await count(connection), 0);
    await connection.query('SET autocommit = 0');
    await connection.query('INSERT INTO steps VALUES (2)');
    await connection.query('SAVEPOINT a');
    await connection.query('INSERT INTO steps VALUES (3)');
    await connection.query('ROLLBACK TO a');
    await connection.query('RELEASE SAVEPOINT a');
    await fails(1305, '42000', 'ER_SP_DOES_NOT_EXIST', connection.query('ROLLBACK TO a'));
    await connection.commit();
    assert.deepEqual(await rows(other, 'SELECT id FROM steps'), [[2]]);
    await connection.query('SET autocommit = 1');
    await connection.query('INSERT INTO steps VALUES (4)');
    assert.equal(await count(other), 2);
  },

  async conflict() {
    const first = await connect();
    await first.query('CREATE TABLE pair (id INT PRIMARY KEY, n INT)');
    await first.query('INSERT INTO pair VALUES (1, 0), (2, 0)');
    const add = 'UPDATE pair SET n = n + 1 WHERE id = ?';
    const writers = [await connect(), await connect()];
    for (const [i, writer] of writers.entries()) {
      await writer.beginTransaction();
      await writer.execute(add, [i + 1]);
    }
    const ends = await Promise.allSettled(writers.map(async (writer, i) => {
      await writer.execute(add, [2 - i]);
      await writer.commit();
    }));
    const failed = ends.filter((end) => end.status === 'rejected').map((end) => end.reason);
    assert.deepEqual(failed.map((e) => [e.errno, e.sqlState, e.code]), [[1213, '40001', 'ER_LOCK_DEADLOCK']]);
    assert.deepEqual(await rows(first, 'SELECT n FROM pair'), [[1], [1]]);
  },

  async blob() {
    const connection = await connect();
    await connection.query('CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)');
    const data = Buffer.alloc(8 << 20, Buffer.from([...Array(256).keys()]));
    await connection.query('INSERT INTO blobs VALUES (?, ?)', [1, data]);
    await connection.execute('INSERT INTO blobs VALUES (?, ?)', [2, data]);
    for (const how of ['query', 'execute']) {
      const [got] = await connection[how]('SELECT b FROM blobs WHERE id < ?', [5]);
      assert.ok(got.length === 2 && got.every((row) => row.b.equals(data)), how);
    }
  },

  async errors() {
    const connection = await connect();
    await connection.query('CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)');
    await connection.query("INSERT INTO names VALUES (1, 'a')");
    for (const [code, state, name, sql] of [
      [1062, '23000', 'ER_DUP_ENTRY', "INSERT INTO names VALUES (2, 'a')"],
      [1064, '42000', 'ER_PARSE_ERROR', 'SELEKT 1'],
      [1146, '42S02', 'ER_NO_SUCH_TABLE', 'SELECT * FROM nothing'],
      [1406, '22001', 'ER_DATA_TOO_LONG', "INSERT INTO names VALUES (2, 'abcdef')"],
      [1048, '23000', 'ER_BAD_NULL_ERROR', 'INSERT INTO names VALUES (2, NULL)'],
      [1054, '42S22', 'ER_BAD_FIELD_ERROR', 'SELECT nothing FROM names'],
    ]) {
      await fails(code, state, name, connection.query(sql));
      await fails(code, state, name, connection.execute(sql));
    }
    assert.deepEqual(await rows(connection, 'SELECT COUNT(*) FROM names'), [[1]]);
  },

  async ids() {
    // The driver asks for rows found by default.
    const connection = await connect({ flags: ['-FOUND_ROWS'] });
    const change = (sql, who = connection) => affected(who, sql);
    await connection.query('CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)');
    const [one, first] = await change('INSERT INTO counted (k, n) VALUES (1, 1)');
    assert.deepEqual([one, await rows(connection, 'SELECT id, LAST_INSERT_ID() FROM counted')], [1, [[first, first]]]);
    const [three, second] = await change('INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)');
    assert.deepEqual([three, await rows(connection, 'SELECT MIN(id) FROM counted WHERE k > 1')], [3, [[second]]]);
    const upsert = 'INSERT INTO counted (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)';
    assert.deepEqual(await change(upsert), [2, first]);
    assert.equal((await change(upsert))[0], 0);
    assert.deepEqual(await rows(connection, 'SELECT LAST_INSERT_ID()'), [[second]]);
    const [done] = await connection.query('UPDATE counted SET n = 5 WHERE k IN (3, 4)');
    assert.deepEqual([done.affectedRows, done.changedRows], [2, 2]);
    assert.match(done.info, /^Rows matched: 2 {2}Changed: 2 {2}Warnings: 0$/);
    assert.equal((await change('UPDATE counted SET n = 5 WHERE k IN (3, 4)'))[0], 0);
    assert.equal((await change('REPLACE INTO counted (k, n) VALUES (3, 1)'))[0], 2);
    assert.equal((await change('DELETE FROM counted WHERE k < 3'))[0], 2);
    const matching = await connect();
    assert.equal((await change('UPDATE counted SET n = 5 WHERE k = 4', matching))[0], 1);
    assert.equal((await change('INSERT INTO counted (k, n) VALUES (4, 5) ON DUPLICATE KEY UPDATE n = 5', matching))[0], 1);
  },

  async batch() {
    const connection = await connect();
    await connection.query('CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))');
    const values = [...Array(2000).keys()].map((n) => [n, `name ${n}`]);
    const [done] = await connection.query('INSERT INTO many (a, b) VALUES ?', [values]);
    assert.equal(done.affectedRows, 2000);
    assert.match(done.info, /^Records: 2000 {2}Duplicates: 0 {2}Warnings: 0$/);
  },

  async multi() {
    const connection = await connect({ multipleStatements: true });
    const [got, fields] = await connection.query('SELECT 1 AS one; SET @x = 3; SELECT @x AS x; DO 0; SELECT 2 AS two');
    assert.deepEqual([got[0], got[2], got[4]], [[{ one: 1 }], [{ x: 3 }], [{ two: 2 }]]);
    assert.deepEqual(fields.map((list) => list?.[0].name), ['one', undefined, 'x', undefined, 'two']);
    await fails(1064, '42000', 'ER_PARSE_ERROR', (await connect()).query('SELECT 1; SELECT 2'));
  },

  async metadata() {
    const connection = await connect();
    const [, fields] = await connection.query('SELECT * FROM types t LIMIT 0');
    const types = fields.map((field) => field.columnType);
    const json = MARMOT ? 245 : 252;
    assert.deepEqual(types, [
      3, 1, 1, 2, 2, 9, 9, 3, 3, 8, 8, 4, 5, 246, 10, 11, 12, 7, 13, 254, 253, 252, 254, 253, 252, 16, 254, 254, json,
    ]);
    const [id, i8, u8] = fields;
    assert.deepEqual([id.name, id.orgName, id.table, id.orgTable, id.db], ['id', 'id', 't', 'types', DATABASE]);
    const flags = { NOT_NULL: 1, PRIMARY: 2, UNSIGNED: 32, AUTO_INCREMENT: 512 };
    assert.equal(id.flags & (flags.NOT_NULL | flags.PRIMARY | flags.AUTO_INCREMENT), 1 + 2 + 512);
    assert.deepEqual([i8.flags & flags.UNSIGNED, u8.flags & flags.UNSIGNED, i8.flags & flags.NOT_NULL], [0, 32, 0]);
    const lengths = Object.fromEntries(fields.map((field) => [field.name, [field.columnLength, field.decimals]]));
    assert.deepEqual(lengths.deci, [32, 10]);
    assert.deepEqual([lengths.fixed, lengths.text_short, lengths.bin_fixed], [[40, 0], [400, 0], [4, 0]]);
    assert.deepEqual([lengths.moment, lengths.day, lengths.bits], [[26, 6], [10, 0], [10, 0]]);
  },

  async stream() {
    const pool = callbacks.createConnection({
      host: env.DB_HOST, port: Number(env.DB_PORT), user: env.DB_USER, password: env.DB_PASSWORD, database: DATABASE,
    });
    let sum = 0;
    for await (const row of pool.query('SELECT a FROM many ORDER BY id').stream({ highWaterMark: 5 })) sum += row.a;
    assert.equal(sum, 1999000);
    sum = 0;
    for await (const row of pool.execute('SELECT a FROM many WHERE a >= ?', [0]).stream()) sum += row.a;
    assert.equal(sum, 1999000);
    pool.end();
    // A pool: each connection is reset or reused without trace.
    const connections = mysql.createPool({
      host: env.DB_HOST, port: Number(env.DB_PORT), user: env.DB_USER, password: env.DB_PASSWORD, database: DATABASE,
      connectionLimit: 3,
    });
    const answers = await Promise.all([...Array(20).keys()].map((n) => connections.execute('SELECT ? + 1 AS n', [n])));
    assert.deepEqual(answers.map(([[row]]) => Number(row.n)), [...Array(20).keys()].map((n) => n + 1));
    await connections.end();
  },
};

const admin = await connect({ database: undefined });
await admin.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
await admin.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
let failed = 0;
for (const [name, topic] of Object.entries(topics)) {
  try {
    await topic();
    console.log(`test ${NAME}::${name} ... ok`);
  } catch (error) {
    failed += 1;
    console.log(error);
    console.log(`test ${NAME}::${name} ... FAILED`);
  }
  for (const connection of open.splice(0)) connection.destroy();
}
process.exit(failed ? 1 : 0);
