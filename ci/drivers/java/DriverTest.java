import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.*;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.*;
import java.util.concurrent.CyclicBarrier;

/** One smoke test of a JDBC driver, "connector-j" or "mariadb-connector-j", against the server that the environment names. */
public class DriverTest {
    static final String NAME = System.getProperty("driver"), DATABASE = "drv_" + NAME.replace('-', '_');
    static final boolean MYSQL = NAME.equals("connector-j"), MARMOT = env("DB_KIND").equals("marmot");

    static String env(String key) {
        return System.getenv(key);
    }

    /** A topic of the test. */
    interface Topic {
        void run() throws Exception;
    }

    static Connection connect(String database, String options) throws SQLException {
        String url = (MYSQL ? "jdbc:mysql" : "jdbc:mariadb") + "://" + env("DB_HOST") + ":" + env("DB_PORT") + "/" + database;
        // Connector/J encrypts by default, trusting anybody.
        String common = MYSQL ? "?connectionTimeZone=UTC&forceConnectionTimeZoneToSession=true&allowMultiQueries=true"
            : "?timezone=UTC&allowMultiQueries=true";
        return DriverManager.getConnection(url + common + options, env("DB_USER"), env("DB_PASSWORD"));
    }

    static Connection connect() throws SQLException {
        return connect(DATABASE, "");
    }

    static void same(Object wanted, Object got, String what) {
        boolean equal = wanted instanceof byte[] a && got instanceof byte[] b ? Arrays.equals(a, b) : Objects.equals(wanted, got);
        if (!equal) {
            String shown = String.valueOf(got instanceof byte[] b ? Arrays.toString(Arrays.copyOf(b, Math.min(20, b.length))) : got);
            throw new AssertionError(what + ": got " + shown + ", wanted " + wanted);
        }
    }

    static void fails(int code, String state, Class<?> kind, Topic topic) throws Exception {
        try {
            topic.run();
        } catch (SQLException error) {
            same(code + " " + state, error.getErrorCode() + " " + error.getSQLState(), error.getMessage());
            same(true, kind.isInstance(error), error.getClass() + " is " + kind);
            return;
        }
        throw new AssertionError("error " + code + " was expected");
    }

    static int update(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            return s.executeUpdate(sql);
        }
    }

    /** The rows, each with its cells joined by blanks. */
    static List<String> rows(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            return rows(r);
        }
    }

    static List<String> rows(ResultSet r, String... columns) throws SQLException {
        List<String> rows = new ArrayList<>();
        int n = r.getMetaData().getColumnCount();
        while (r.next()) {
            StringJoiner row = new StringJoiner(" ");
            for (String column : columns) row.add(r.getString(column));
            for (int i = 1; columns.length == 0 && i <= n; i++) row.add(r.getString(i));
            rows.add(row.toString());
        }
        return rows;
    }

    // ---------------------------------------------------------------------------------------------------------- topics

    static void login() throws Exception {
        try (Connection c = connect()) {
            same(List.of(DATABASE + " 2"), rows(c, "SELECT DATABASE(), 1 + 1"), "select");
            same(true, c.isValid(5), "valid");
            same(DATABASE, c.getCatalog(), "catalog");
            c.setCatalog("information_schema");
            same(List.of("information_schema"), rows(c, "SELECT LOWER(DATABASE())"), "catalog set");
            update(c, "USE " + DATABASE);
            // Connector/J does not follow the session here.
            same(true, MYSQL || c.getCatalog().equals(DATABASE), "the catalog after USE");
        }
        String plain = MYSQL ? "&sslMode=DISABLED&allowPublicKeyRetrieval=true" : "&sslMode=disable&allowPublicKeyRetrieval=true";
        connect(DATABASE, plain).close();
        if (MYSQL && MARMOT) {
            for (String plugin : List.of("caching_sha2_password", "mysql_native_password")) {
                connect(DATABASE, "&defaultAuthenticationPlugin=" + plugin).close();
            }
        }
        String url = (MYSQL ? "jdbc:mysql" : "jdbc:mariadb") + "://" + env("DB_HOST") + ":" + env("DB_PORT") + "/";
        fails(1045, "28000", SQLException.class, () -> DriverManager.getConnection(url, env("DB_USER"), "wrong"));
        fails(1049, "42000", SQLException.class, () -> connect("no_such_database", ""));
    }

    static void tls() throws Exception {
        String options = MYSQL
            ? "&sslMode=VERIFY_IDENTITY&trustCertificateKeyStoreType=PKCS12&trustCertificateKeyStorePassword=changeit"
                + "&trustCertificateKeyStoreUrl=file:" + env("DB_TRUST")
            : "&sslMode=verify-full&serverSslCert=" + env("DB_CA");
        try (Connection c = connect(DATABASE, options)) {
            same(false, rows(c, "SHOW STATUS LIKE 'Ssl_cipher'").get(0).equals("Ssl_cipher "), "the cipher is empty");
        }
    }

    static final String[] COLUMNS = ("i8 u8 i16 u16 i24 u24 i32 u32 i64 u64 f32 f64 deci day span moment stamp year fixed "
        + "text_short text_long bin_fixed bin_short bin_long bits choice flags doc").split(" ");

    static Object[][] values() {
        byte[] all = new byte[256];
        for (int i = 0; i < 256; i++) all[i] = (byte) i;
        byte[] many = new byte[25600];
        for (int i = 0; i < many.length; i++) many[i] = (byte) i;
        Object[] lowest = {-128, 0, -32768, 0, -8388608, 0, Integer.MIN_VALUE, 0L, Long.MIN_VALUE, BigDecimal.ZERO, -1.5f,
            -Double.MAX_VALUE, new BigDecimal("-99999999999999999999.9999999999"), LocalDate.of(1000, 1, 1), "-838:59:58.999999",
            LocalDateTime.of(1000, 1, 1, 0, 0, 0, 1000), Timestamp.from(java.time.Instant.parse("1970-01-02T03:04:05.000006Z")), 1901,
            "", "", "", new byte[4], new byte[0], new byte[0], new byte[] {0, 0}, "red", "", "[]"};
        Object[] highest = {127, 255, 32767, 65535, 8388607, 16777215, Integer.MAX_VALUE, 4294967295L, Long.MAX_VALUE,
            new BigDecimal("18446744073709551615"), 0.25f, Double.MIN_NORMAL, new BigDecimal("99999999999999999999.9999999999"),
            LocalDate.of(9999, 12, 31), "838:59:58.999999", LocalDateTime.of(9999, 12, 31, 23, 59, 59, 999999000),
            Timestamp.from(java.time.Instant.parse("2038-01-18T03:14:07.999999Z")), 2155, "ten 🦡 x \\", "it's 🦡 \"%s\" \\ \0 \n ü",
            "🦡".repeat(5000), new byte[] {-1, 0, 39, 92}, Arrays.copyOf(all, 100), many, new byte[] {3, -1}, "grün 🦡", "x,z",
            "{\"a\": [1, 2.5, null, \"🦡\"]}"};
        // Connector/J takes MariaDB for a server without fractions of seconds.
        for (Object[] row : MYSQL && !MARMOT ? List.of(lowest, highest) : List.<Object[]>of()) {
            row[15] = ((LocalDateTime) row[15]).withNano(0);
            ((Timestamp) row[16]).setNanos(0);
        }
        return new Object[][] {lowest, highest, new Object[COLUMNS.length]};
    }

    static void types() throws Exception {
        update(connect(), Files.readString(Path.of(env("DB_TYPES"))));
        String marks = String.join(", ", Collections.nCopies(COLUMNS.length, "?"));
        for (String prepares : List.of("true", "false")) {
            try (Connection c = connect(DATABASE, "&useServerPrepStmts=" + prepares)) {
                PreparedStatement insert = c.prepareStatement("INSERT INTO types (" + String.join(", ", COLUMNS) + ") VALUES (" + marks + ")");
                for (Object[] values : values()) {
                    for (int i = 0; i < values.length; i++) insert.setObject(i + 1, values[i]);
                    same(1, insert.executeUpdate(), "inserted");
                }
            }
        }
        for (String prepares : List.of("true", "false")) {
            try (Connection c = connect(DATABASE, "&useServerPrepStmts=" + prepares)) {
                PreparedStatement select = c.prepareStatement("SELECT " + String.join(", ", COLUMNS) + " FROM types WHERE id > ? ORDER BY id");
                select.setInt(1, 0);
                ResultSet r = select.executeQuery();
                for (int n = 0; n < 6; n++) {
                    same(true, r.next(), "a row");
                    for (int i = 0; i < COLUMNS.length; i++) {
                        Object wanted = values()[n % 3][i];
                        same(wanted, cell(r, i, wanted), COLUMNS[i] + " of row " + n + ", prepared " + prepares);
                    }
                }
                PreparedStatement find = c.prepareStatement("SELECT COUNT(*) FROM types WHERE u64 = ? AND deci = ? AND day = ? AND moment = ? AND stamp = ? AND text_short = ? AND bin_short = ?");
                int at = 1;
                for (int i : new int[] {9, 12, 13, 15, 16, 19, 22}) find.setObject(at++, values()[1][i]);
                same(List.of("2"), rows(find.executeQuery()), "rows found again");
            }
        }
    }

    /** A cell by the getter that fits the value. Times beyond a day have only text. */
    static Object cell(ResultSet r, int i, Object wanted) throws SQLException {
        String column = COLUMNS[i];
        if (wanted == null) {
            r.getObject(column);
            return r.wasNull() ? null : "not null";
        }
        if (column.equals("span") || column.equals("doc")) return r.getString(column);
        if (column.equals("year")) return r.getInt(column);
        if (wanted instanceof byte[]) return r.getBytes(column);
        if (wanted instanceof Timestamp) return r.getTimestamp(column);
        return r.getObject(column, wanted.getClass());
    }

    static void transactions() throws Exception {
        try (Connection c = connect(); Connection other = connect()) {
            update(c, "CREATE TABLE steps (id INT PRIMARY KEY)");
            c.setAutoCommit(false);
            update(c, "INSERT INTO steps VALUES (1)");
            same("1 0", count(c) + " " + count(other), "before");
            c.rollback();
            update(c, "INSERT INTO steps VALUES (2)");
            Savepoint a = c.setSavepoint("a");
            update(c, "INSERT INTO steps VALUES (3)");
            c.rollback(a);
            c.releaseSavepoint(a);
            fails(1305, "42000", SQLException.class, () -> update(c, "ROLLBACK TO SAVEPOINT a"));
            c.commit();
            same(List.of("2"), rows(other, "SELECT id FROM steps"), "committed");
            c.setAutoCommit(true);
            update(c, "INSERT INTO steps VALUES (4)");
            same("2", count(other), "autocommit");
            c.setReadOnly(true);
            c.setReadOnly(false);
            for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ}) {
                c.setTransactionIsolation(level);
                same(level, c.getTransactionIsolation(), "isolation");
            }
        }
    }

    static String count(Connection c) throws SQLException {
        return rows(c, "SELECT COUNT(*) FROM steps").get(0);
    }

    static void conflict() throws Exception {
        update(connect(), "CREATE TABLE pair (id INT PRIMARY KEY, n INT)");
        update(connect(), "INSERT INTO pair VALUES (1, 0), (2, 0)");
        CyclicBarrier meet = new CyclicBarrier(2);
        List<String> told = Collections.synchronizedList(new ArrayList<>());
        List<Thread> writers = new ArrayList<>();
        for (int mine : new int[] {1, 2}) {
            Thread writer = new Thread(() -> {
                try (Connection c = connect()) {
                    c.setAutoCommit(false);
                    update(c, "UPDATE pair SET n = n + 1 WHERE id = " + mine);
                    meet.await();
                    update(c, "UPDATE pair SET n = n + 1 WHERE id = " + (3 - mine));
                    c.commit();
                } catch (SQLException error) {
                    told.add(error.getErrorCode() + " " + error.getSQLState() + " " + (error instanceof SQLTransientException));
                } catch (Exception error) {
                    told.add(error.toString());
                }
            });
            writer.start();
            writers.add(writer);
        }
        for (Thread writer : writers) writer.join();
        same("[1213 40001 true]", told.toString(), "told");
        same(List.of("1", "1"), rows(connect(), "SELECT n FROM pair"), "values");
    }

    static void blob() throws Exception {
        byte[] data = new byte[8 << 20];
        for (int i = 0; i < data.length; i++) data[i] = (byte) i;
        update(connect(), "CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)");
        int id = 0;
        for (String prepares : List.of("true", "false")) {
            try (Connection c = connect(DATABASE, "&useServerPrepStmts=" + prepares)) {
                PreparedStatement insert = c.prepareStatement("INSERT INTO blobs VALUES (?, ?)");
                insert.setInt(1, ++id);
                insert.setBytes(2, data);
                insert.executeUpdate();
                insert.setInt(1, ++id);
                insert.setBinaryStream(2, new ByteArrayInputStream(data), data.length);
                insert.executeUpdate();
                ResultSet r = c.prepareStatement("SELECT b FROM blobs").executeQuery();
                for (int n = 0; n < id; n++) {
                    r.next();
                    same(data, r.getBytes(1), "the blob");
                    same(8L << 20, r.getBlob(1).length(), "its length");
                }
            }
        }
    }

    static void errors() throws Exception {
        try (Connection c = connect()) {
            update(c, "CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)");
            update(c, "INSERT INTO names VALUES (1, 'a')");
            Class<?> constraint = SQLIntegrityConstraintViolationException.class, syntax = SQLSyntaxErrorException.class;
            for (String prepares : List.of("true", "false")) {
                Connection p = connect(DATABASE, "&useServerPrepStmts=" + prepares);
                fails(1062, "23000", constraint, () -> p.prepareStatement("INSERT INTO names VALUES (2, 'a')").executeUpdate());
                fails(1064, "42000", syntax, () -> p.prepareStatement("SELEKT 1").execute());
                fails(1146, "42S02", syntax, () -> p.prepareStatement("SELECT * FROM nothing").executeQuery());
                fails(1048, "23000", constraint, () -> p.prepareStatement("INSERT INTO names VALUES (2, NULL)").executeUpdate());
                fails(1054, "42S22", syntax, () -> p.prepareStatement("SELECT nothing FROM names").executeQuery());
            }
            fails(1406, "22001", MYSQL ? DataTruncation.class : SQLException.class,
                () -> update(c, "INSERT INTO names VALUES (2, 'abcdef')"));
            update(c, "SET sql_mode = ''");
            try (Statement s = c.createStatement()) {
                s.executeUpdate("INSERT INTO names VALUES (3, 'abcdefgh')");
                same(1265, s.getWarnings().getErrorCode(), "the warning");
            }
        }
    }

    static void ids() throws Exception {
        try (Connection c = connect(DATABASE, "&useAffectedRows=true"); Connection matching = connect(DATABASE, "&useAffectedRows=false")) {
            update(c, "CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)");
            List<Long> first = generated(c, "INSERT INTO counted (k, n) VALUES (1, 1)");
            same(rows(c, "SELECT id FROM counted"), List.of(first.get(0).toString()), "the id");
            List<Long> three = generated(c, "INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)");
            same(rows(c, "SELECT MIN(id) FROM counted WHERE k > 1"), List.of(three.get(0).toString()), "the first of three");
            String upsert = "INSERT INTO counted (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)";
            same(first.get(0), generated(c, upsert).get(0), "the id of an upsert that updates");
            same(0, update(c, upsert), "an upsert that changes nothing");
            same(2, update(c, upsert.replace("9", "10")), "an upsert that updates");
            same(2, update(c, "UPDATE counted SET n = 5 WHERE k IN (3, 4)"), "changed");
            same(0, update(c, "UPDATE counted SET n = 5 WHERE k IN (3, 4)"), "unchanged");
            same(2, update(c, "REPLACE INTO counted (k, n) VALUES (3, 1)"), "replaced");
            same(2, update(c, "DELETE FROM counted WHERE k < 3"), "deleted");
            same(1, update(matching, "UPDATE counted SET n = 5 WHERE k = 4"), "found");
            same(1, update(matching, "INSERT INTO counted (k, n) VALUES (4, 5) ON DUPLICATE KEY UPDATE n = 5"), "found");
        }
    }

    static List<Long> generated(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.executeUpdate(sql, Statement.RETURN_GENERATED_KEYS);
            List<Long> keys = new ArrayList<>();
            for (ResultSet r = s.getGeneratedKeys(); r.next(); ) keys.add(r.getLong(1));
            return keys;
        }
    }

    static void batch() throws Exception {
        update(connect(), "CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))");
        String bulk = MYSQL ? "&rewriteBatchedStatements=" : "&useBulkStmts=";
        for (String options : List.of(bulk + "true", bulk + "false", bulk + "true&useServerPrepStmts=true")) {
            try (Connection c = connect(DATABASE, options)) {
                c.setAutoCommit(false);
                PreparedStatement insert = c.prepareStatement("INSERT INTO many (a, b) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS);
                for (int n = 0; n < 1000; n++) {
                    insert.setInt(1, n);
                    insert.setString(2, n % 2 == 0 ? "name " + n : null);
                    insert.addBatch();
                }
                same(1000, insert.executeBatch().length, "batch");
                int keys = rows(insert.getGeneratedKeys()).size();
                same(1000, MYSQL ? keys : 1000, "keys");
                c.commit();
            }
        }
        same(List.of("3000 1498500 1500"), rows(connect(), "SELECT COUNT(*), SUM(a), COUNT(b) FROM many"), "rows");
    }

    static void multi() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            StringJoiner got = new StringJoiner("; ");
            boolean isRows = s.execute("SELECT 1 AS one; SET @x = 3; SELECT @x AS x, 'y' AS y; DO 0; SELECT 2");
            while (isRows || s.getUpdateCount() != -1) {
                got.add(isRows ? String.join(",", rows(s.getResultSet())) : "-");
                isRows = s.getMoreResults();
            }
            same("1; -; 3 y; -; 2", got.toString(), "results");
        }
    }

    static void metadata() throws Exception {
        try (Connection c = connect()) {
            update(c, "CREATE TABLE parent (a INT NOT NULL, b INT NOT NULL, PRIMARY KEY (b, a))");
            update(c, "CREATE TABLE child (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, pa INT, pb INT, name VARCHAR(20) NOT NULL "
                + "DEFAULT 'x' COMMENT 'a name', UNIQUE KEY by_name (name), KEY by_parent (pb, pa), "
                + "CONSTRAINT to_parent FOREIGN KEY (pb, pa) REFERENCES parent (b, a) ON DELETE CASCADE)");
            update(c, "CREATE VIEW seen AS SELECT id, name FROM child");
            DatabaseMetaData m = c.getMetaData();
            String tables = String.join("; ", rows(m.getTables(DATABASE, null, "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME", "TABLE_TYPE"));
            for (String one : List.of("child TABLE", "parent TABLE", "types TABLE", "seen VIEW")) same(true, tables.contains(one), one + " in " + tables);
            same("[id -5 NO YES, pa 4 YES NO, pb 4 YES NO, name 12 NO NO]",
                rows(m.getColumns(DATABASE, null, "child", "%"), "COLUMN_NAME", "DATA_TYPE", "IS_NULLABLE", "IS_AUTOINCREMENT").toString(), "columns");
            same("[BIGINT UNSIGNED null, INT null, INT null, VARCHAR x]",
                rows(m.getColumns(DATABASE, null, "child", "%"), "TYPE_NAME", "COLUMN_DEF").toString().replace("'", "").replace("NULL", "null"), "types");
            same("[20 a name]", rows(m.getColumns(DATABASE, null, "child", "name"), "COLUMN_SIZE", "REMARKS").toString(), "remarks");
            same("[a 2, b 1]", rows(m.getPrimaryKeys(DATABASE, null, "parent"), "COLUMN_NAME", "KEY_SEQ").toString(), "key");
            List<String> indexes = rows(m.getIndexInfo(DATABASE, null, "child", false, false), "INDEX_NAME", "ORDINAL_POSITION", "COLUMN_NAME");
            same("[by_name 1 name, PRIMARY 1 id, by_parent 1 pb, by_parent 2 pa]", indexes.toString(), "indexes");
            same("[parent b pb 0 to_parent, parent a pa 0 to_parent]",
                rows(m.getImportedKeys(DATABASE, null, "child"), "PKTABLE_NAME", "PKCOLUMN_NAME", "FKCOLUMN_NAME", "DELETE_RULE", "FK_NAME").toString(), "imported");
            same("[b, a]", rows(m.getExportedKeys(DATABASE, null, "parent"), "PKCOLUMN_NAME").toString(), "exported");
            same(true, rows(m.getCatalogs()).contains(DATABASE), "catalogs");
            same(true, m.getSQLKeywords().length() > 100 && m.getTypeInfo().next(), "keywords and types");
            ResultSetMetaData r = c.createStatement().executeQuery("SELECT t.*, t.id + 1 AS next FROM types t").getMetaData();
            StringJoiner types = new StringJoiner(" ");
            for (int i = 1; i <= 26; i++) types.add(String.valueOf(r.getColumnType(i)));
            same("4 -6 -6 5 5 4 4 4 4 -5 -5 7 8 3 91 92 93 93 91 1 12 " + (MYSQL ? "-1 -2 -3 -4 -7" : "12 -3 -3 -3 -7"), types.toString(), "types");
            same("id types id " + DATABASE + " 0 true", r.getColumnLabel(1) + " " + (MYSQL ? r.getTableName(1) : "types") + " " + r.getColumnName(1) + " " + r.getCatalogName(1) + " " + r.isNullable(1) + " " + r.isAutoIncrement(1), "first");
            same("30 10 false true 10", r.getPrecision(14) + " " + r.getScale(14) + " " + r.isSigned(3) + " " + r.isSigned(2) + " " + r.getColumnDisplaySize(20), "numbers");
            PreparedStatement p = connect(DATABASE, "&useServerPrepStmts=true").prepareStatement("SELECT id, name FROM child WHERE id = ?");
            same("1 name", p.getParameterMetaData().getParameterCount() + " " + p.getMetaData().getColumnLabel(2), "prepared");
        }
    }

    static void stream() throws Exception {
        for (String options : List.of(MYSQL ? "&useCursorFetch=true&defaultFetchSize=100" : "&defaultFetchSize=100", "")) {
            try (Connection c = connect(DATABASE, options); Statement s = c.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
                if (options.isEmpty() && MYSQL) s.setFetchSize(Integer.MIN_VALUE);
                long sum = 0;
                for (ResultSet r = s.executeQuery("SELECT a FROM many ORDER BY id"); r.next(); ) sum += r.getInt(1);
                same(1498500L, sum, "sum");
                PreparedStatement p = c.prepareStatement("SELECT a FROM many WHERE a >= ? ORDER BY id");
                p.setInt(1, 500);
                sum = 0;
                for (ResultSet r = p.executeQuery(); r.next(); ) sum += r.getInt(1);
                same(1498500L - 3L * 499 * 500 / 2, sum, "sum of some");
                ResultSet part = p.executeQuery();
                part.next();
                part.close();
                same(List.of("1"), rows(c, "SELECT 1"), "after a part");
            }
        }
        try (Connection c = connect(); Statement s = c.createStatement(ResultSet.TYPE_SCROLL_SENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            ResultSet r = s.executeQuery("SELECT id, a, b FROM many ORDER BY id LIMIT 1");
            r.next();
            r.updateString("b", "changed 🦡");
            r.updateRow();
            same(List.of("changed 🦡"), rows(c, "SELECT b FROM many ORDER BY id LIMIT 1"), "an updatable row");
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection admin = connect("", "")) {
            update(admin, "DROP DATABASE IF EXISTS " + DATABASE);
            update(admin, "CREATE DATABASE " + DATABASE + " CHARACTER SET utf8mb4");
        }
        Map<String, Topic> topics = new LinkedHashMap<>();
        topics.put("login", DriverTest::login);
        topics.put("tls", DriverTest::tls);
        topics.put("types", DriverTest::types);
        topics.put("transactions", DriverTest::transactions);
        topics.put("conflict", DriverTest::conflict);
        topics.put("blob", DriverTest::blob);
        topics.put("errors", DriverTest::errors);
        topics.put("ids", DriverTest::ids);
        topics.put("batch", DriverTest::batch);
        topics.put("multi", DriverTest::multi);
        topics.put("metadata", DriverTest::metadata);
        topics.put("stream", DriverTest::stream);
        int failed = 0;
        for (Map.Entry<String, Topic> topic : topics.entrySet()) {
            String result = "ok";
            try {
                topic.getValue().run();
            } catch (Throwable error) {
                error.printStackTrace(System.out);
                result = "FAILED";
                failed++;
            }
            System.out.println("test " + NAME + "::" + topic.getKey() + " ... " + result);
        }
        System.exit(failed > 0 ? 1 : 0);
    }
}
