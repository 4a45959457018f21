// One smoke test of go-sql-driver against the server that the environment names (see ci/drivers.sh).
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

const name, database = "go-sql-driver", "drv_go"

var marmot = os.Getenv("DB_KIND") == "marmot"

// check ends the topic; run tells of it.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

func same(got, wanted any, what string) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Sprintf("%s: got %.200v, wanted %.200v", what, got, wanted))
	}
}

// open gives a pool; options are parameters of the data source name.
func open(database string, options ...string) *sql.DB {
	return openAs(os.Getenv("DB_PASSWORD"), database, options...)
}

func openAs(password, database string, options ...string) *sql.DB {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net = os.Getenv("DB_USER"), password, "tcp"
	config.Addr, config.DBName = os.Getenv("DB_HOST")+":"+os.Getenv("DB_PORT"), database
	dsn := config.FormatDSN()
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	db, err := sql.Open("mysql", dsn+separator+strings.Join(append(options, "charset=utf8mb4"), "&"))
	check(err)
	db.SetMaxOpenConns(4)
	return db
}

func exec(db interface {
	Exec(string, ...any) (sql.Result, error)
}, statement string, values ...any) (int64, int64) {
	done, err := db.Exec(statement, values...)
	check(err)
	count, err := done.RowsAffected()
	check(err)
	id, err := done.LastInsertId()
	check(err)
	return count, id
}

func number(db interface {
	QueryRow(string, ...any) *sql.Row
}, query string, values ...any) (n int64) {
	check(db.QueryRow(query, values...).Scan(&n))
	return n
}

func fails(code uint16, state string, err error) {
	var told *mysql.MySQLError
	if !errors.As(err, &told) {
		panic(fmt.Sprintf("error %d was expected, not %v", code, err))
	}
	same([]any{told.Number, string(told.SQLState[:])}, []any{code, state}, told.Message)
}

func login() {
	db := open(database)
	defer db.Close()
	check(db.Ping())
	var current string
	check(db.QueryRow("SELECT DATABASE()").Scan(&current))
	same(current, database, "the database")
	fails(1045, "28000", openAs("wrong", database).Ping())
	fails(1049, "42000", open("no_such_database").Ping())
	// What a connection had is gone when the pool hands it out again only if it was reset; variables are the server's.
	with := open(database, "time_zone=%27%2B03%3A00%27", "sql_mode=ANSI_QUOTES")
	defer with.Close()
	var zone string
	check(with.QueryRow(`SELECT @@time_zone AS "zone"`).Scan(&zone))
	same(zone, "+03:00", "a variable of the data source name")
}

func encryption() {
	pem, err := os.ReadFile(os.Getenv("DB_CA"))
	check(err)
	roots := x509.NewCertPool()
	same(roots.AppendCertsFromPEM(pem), true, "the certificate")
	check(mysql.RegisterTLSConfig("own", &tls.Config{RootCAs: roots, ServerName: "localhost"}))
	db := open(database, "tls=own")
	defer db.Close()
	var variable, cipher string
	check(db.QueryRow("SHOW STATUS LIKE 'Ssl_cipher'").Scan(&variable, &cipher))
	same(cipher != "", true, "encrypted")
	same(open(database, "tls=true").Ping() != nil, true, "a certificate of nobody we know is refused")
}

var columns = strings.Fields("i8 u8 i16 u16 i24 u24 i32 u32 i64 u64 f32 f64 deci day span moment stamp year fixed text_short " +
	"text_long bin_fixed bin_short bin_long bits choice flags doc")

func values() [][]any {
	all := make([]byte, 25600)
	for i := range all {
		all[i] = byte(i)
	}
	day := func(text string) time.Time {
		t, err := time.Parse("2006-01-02 15:04:05.999999", text)
		check(err)
		return t
	}
	lowest := []any{int64(-128), int64(0), int64(-32768), int64(0), int64(-8388608), int64(0), int64(-2147483648), int64(0),
		int64(-9223372036854775808), int64(0), float32(-1.5), -1.7976931348623157e308, "-99999999999999999999.9999999999", day("1000-01-01 00:00:00"),
		"-838:59:58.999999", day("1000-01-01 00:00:00.000001"), day("1970-01-02 03:04:05.000006"), int64(1901), "", "", "",
		[]byte{0, 0, 0, 0}, []byte{}, []byte{}, []byte{0, 0}, "red", "", "[]"}
	highest := []any{int64(127), int64(255), int64(32767), int64(65535), int64(8388607), int64(16777215), int64(2147483647),
		int64(4294967295), int64(9223372036854775807), uint64(18446744073709551615), float32(0.25), 2.2250738585072014e-308,
		"99999999999999999999.9999999999", day("9999-12-31 00:00:00"), "838:59:58.999999", day("9999-12-31 23:59:59.999999"),
		day("2038-01-18 03:14:07.999999"), int64(2155), "ten 🦡 x \\", "it's 🦡 \"%s\" \\ \x00 \n ü", strings.Repeat("🦡", 5000),
		[]byte{255, 0, '\'', '\\'}, all[:100], all, []byte{3, 255}, "grün 🦡", "x,z", `{"a": [1, 2.5, null, "🦡"]}`}
	return [][]any{lowest, highest, make([]any, len(columns))}
}

// scan reads a row of all columns, each into a variable of the wanted value's type.
func scan(rows *sql.Rows, wanted []any) []any {
	targets := make([]any, len(wanted))
	for i, value := range wanted {
		if value == nil {
			targets[i] = new(any)
		} else {
			targets[i] = reflect.New(reflect.TypeOf(value)).Interface()
		}
	}
	check(rows.Scan(targets...))
	got := make([]any, len(wanted))
	for i, target := range targets {
		got[i] = reflect.ValueOf(target).Elem().Interface()
	}
	return got
}

func types() {
	statement, err := os.ReadFile(os.Getenv("DB_TYPES"))
	check(err)
	exec(open(database), string(statement))
	list := strings.Join(columns, ", ")
	insert := "INSERT INTO types (" + list + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	for _, interpolate := range []string{"false", "true"} {
		db := open(database, "parseTime=true", "interpolateParams="+interpolate, "time_zone=%27%2B00%3A00%27")
		for _, row := range values() {
			count, _ := exec(db, insert, row...)
			same(count, int64(1), "inserted")
		}
		db.Close()
	}
	for _, interpolate := range []string{"false", "true"} {
		db := open(database, "parseTime=true", "interpolateParams="+interpolate, "time_zone=%27%2B00%3A00%27")
		rows, err := db.Query("SELECT "+list+" FROM types WHERE id > ? ORDER BY id", 0)
		check(err)
		n := 0
		for ; rows.Next(); n++ {
			wanted := values()[n%3]
			for i, got := range scan(rows, wanted) {
				if columns[i] == "doc" && wanted[i] != nil {
					var a, b any
					check(json.Unmarshal([]byte(got.(string)), &a))
					check(json.Unmarshal([]byte(wanted[i].(string)), &b))
					same(a, b, "doc")
					continue
				}
				same(got, wanted[i], columns[i])
			}
		}
		check(rows.Err())
		same(n, 6, "rows")
		high := values()[1]
		found := number(db, "SELECT COUNT(*) FROM types WHERE i64 = ? AND u64 = ? AND f64 = ? AND deci = ? AND day = ? AND span = ?"+
			" AND moment = ? AND stamp = ? AND text_short = ? AND bin_short = ?",
			high[8], high[9], high[11], high[12], high[13], high[14], high[15], high[16], high[19], high[22])
		same(found, int64(2), "rows found again")
		db.Close()
	}
}

func transactions() {
	db := open(database)
	defer db.Close()
	count := "SELECT COUNT(*) FROM steps"
	exec(db, "CREATE TABLE steps (id INT PRIMARY KEY)")
	tx, err := db.Begin()
	check(err)
	exec(tx, "INSERT INTO steps VALUES (?)", 1)
	same([]int64{number(tx, count), number(db, count)}, []int64{1, 0}, "before")
	check(tx.Rollback())
	tx, err = db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	check(err)
	exec(tx, "INSERT INTO steps VALUES (2)")
	exec(tx, "SAVEPOINT a")
	exec(tx, "INSERT INTO steps VALUES (3)")
	exec(tx, "ROLLBACK TO a")
	exec(tx, "RELEASE SAVEPOINT a")
	_, err = tx.Exec("ROLLBACK TO a")
	fails(1305, "42000", err)
	check(tx.Commit())
	same(number(db, "SELECT SUM(id) FROM steps"), int64(2), "after")
	tx, err = db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	check(err)
	_, err = tx.Exec("INSERT INTO steps VALUES (4)")
	fails(1792, "25006", err)
	check(tx.Rollback())
	// A query whose context ends is given up, and the pool goes on.
	short, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err = db.QueryContext(short, "SELECT SLEEP(5)")
	same(errors.Is(err, context.DeadlineExceeded), true, "the deadline")
	same(number(db, count), int64(1), "the pool goes on")
}

func conflict() {
	db := open(database)
	defer db.Close()
	exec(db, "CREATE TABLE pair (id INT PRIMARY KEY, n INT)")
	exec(db, "INSERT INTO pair VALUES (1, 0), (2, 0)")
	const add = "UPDATE pair SET n = n + 1 WHERE id = ?"
	writers, ends := make([]*sql.Tx, 2), make([]error, 2)
	for i := range writers {
		tx, err := db.Begin()
		check(err)
		exec(tx, add, i+1)
		writers[i] = tx
	}
	var all sync.WaitGroup
	for i, tx := range writers {
		all.Add(1)
		go func(i int, tx *sql.Tx) {
			defer all.Done()
			if _, ends[i] = tx.Exec(add, 2-i); ends[i] == nil {
				ends[i] = tx.Commit()
			} else {
				_ = tx.Rollback()
			}
		}(i, tx)
	}
	all.Wait()
	if ends[0] == nil {
		ends[0], ends[1] = ends[1], ends[0]
	}
	fails(1213, "40001", ends[0])
	check(ends[1])
	same(number(db, "SELECT 10 * MIN(n) + MAX(n) FROM pair"), int64(11), "the values")
}

func blob() {
	data := bytes.Repeat(values()[1][23].([]byte)[:256], 8*4096)
	for i, interpolate := range []string{"false", "true"} {
		db := open(database, "interpolateParams="+interpolate, "maxAllowedPacket=0")
		if i == 0 {
			exec(db, "CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)")
		}
		exec(db, "INSERT INTO blobs VALUES (?, ?)", i, data)
		var got []byte
		check(db.QueryRow("SELECT b FROM blobs WHERE id = ?", i).Scan(&got))
		same(bytes.Equal(got, data), true, "the blob")
		db.Close()
	}
}

func errorsTold() {
	db := open(database)
	defer db.Close()
	exec(db, "CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)")
	exec(db, "INSERT INTO names VALUES (1, 'a')")
	for _, bad := range []struct {
		code       uint16
		state, sql string
	}{
		{1062, "23000", "INSERT INTO names VALUES (2, 'a')"},
		{1064, "42000", "SELEKT 1"},
		{1146, "42S02", "SELECT * FROM nothing"},
		{1406, "22001", "INSERT INTO names VALUES (2, 'abcdef')"},
		{1048, "23000", "INSERT INTO names VALUES (2, NULL)"},
		{1054, "42S22", "SELECT nothing FROM names"},
	} {
		_, err := db.Exec(bad.sql)
		fails(bad.code, bad.state, err)
		statement, err := db.Prepare(bad.sql)
		if err == nil {
			_, err = statement.Exec()
		}
		fails(bad.code, bad.state, err)
	}
	same(number(db, "SELECT COUNT(*) FROM names"), int64(1), "rows")
}

func ids() {
	db := open(database)
	defer db.Close()
	exec(db, "CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)")
	change := func(statement string) []int64 {
		count, id := exec(db, statement)
		return []int64{count, id}
	}
	first := number(db, "SELECT ?", change("INSERT INTO counted (k, n) VALUES (1, 1)")[1])
	same(number(db, "SELECT id FROM counted"), first, "the id")
	three := change("INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)")
	same(three, []int64{3, number(db, "SELECT MIN(id) FROM counted WHERE k > 1")}, "the first of three")
	upsert := "INSERT INTO counted (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)"
	same(change(upsert), []int64{2, first}, "an upsert that updates")
	same(change(upsert)[0], int64(0), "an upsert that changes nothing")
	same(change("UPDATE counted SET n = 5 WHERE k IN (3, 4)")[0], int64(2), "changed")
	same(change("UPDATE counted SET n = 5 WHERE k IN (3, 4)")[0], int64(0), "unchanged")
	same(change("REPLACE INTO counted (k, n) VALUES (3, 1)")[0], int64(2), "replaced")
	same(change("DELETE FROM counted WHERE k < 3")[0], int64(2), "deleted")
	db = open(database, "clientFoundRows=true")
	same(change("UPDATE counted SET n = 5 WHERE k = 4")[0], int64(1), "found")
	same(change("INSERT INTO counted (k, n) VALUES (4, 5) ON DUPLICATE KEY UPDATE n = 5")[0], int64(1), "found")
}

func batch() {
	db := open(database)
	defer db.Close()
	exec(db, "CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))")
	parameters := make([]any, 0, 4000)
	for n := 0; n < 2000; n++ {
		parameters = append(parameters, n, fmt.Sprintf("name %d", n))
	}
	count, _ := exec(db, "INSERT INTO many (a, b) VALUES (?, ?)"+strings.Repeat(", (?, ?)", 1999), parameters...)
	same(count, int64(2000), "rows")
	insert, err := db.Prepare("INSERT INTO many (a, b) VALUES (?, ?)")
	check(err)
	var all sync.WaitGroup
	for n := 0; n < 200; n++ {
		all.Add(1)
		go func(n int) {
			defer all.Done()
			_, err := insert.Exec(n, nil)
			check(err)
		}(n)
	}
	all.Wait()
	same(number(db, "SELECT SUM(a) FROM many"), int64(1999000+19900), "sum")
}

func multi() {
	db := open(database, "multiStatements=true")
	defer db.Close()
	rows, err := db.Query("SELECT 1 AS one; SELECT 3 AS x, 'y' AS y; SELECT 2 AS two WHERE 1 = 0")
	check(err)
	var got []string
	for more := true; more; more = rows.NextResultSet() {
		names, err := rows.Columns()
		check(err)
		n := 0
		for rows.Next() {
			n++
		}
		got = append(got, fmt.Sprint(names, n))
	}
	check(rows.Err())
	same(got, []string{"[one] 1", "[x y] 1", "[two] 0"}, "results")
	count, _ := exec(db, "DELETE FROM many WHERE a < 0; UPDATE many SET b = 'z' WHERE a = 1999")
	same(count, int64(1), "the last statement's rows")
	_, err = open(database).Query("SELECT 1; SELECT 2")
	fails(1064, "42000", err)
}

func metadata() {
	db := open(database, "parseTime=true")
	defer db.Close()
	rows, err := db.Query("SELECT * FROM types LIMIT 1")
	check(err)
	defer rows.Close()
	kinds, err := rows.ColumnTypes()
	check(err)
	var got []string
	for _, kind := range kinds {
		got = append(got, kind.DatabaseTypeName())
	}
	last := "TEXT"
	if marmot {
		last = "JSON"
	}
	same(strings.Join(got, " "), "INT TINYINT UNSIGNED TINYINT SMALLINT UNSIGNED SMALLINT MEDIUMINT UNSIGNED MEDIUMINT INT UNSIGNED INT "+
		"BIGINT UNSIGNED BIGINT FLOAT DOUBLE DECIMAL DATE TIME DATETIME TIMESTAMP YEAR CHAR VARCHAR TEXT BINARY VARBINARY BLOB BIT "+
		"ENUM SET "+last, "types")
	nullable, _ := kinds[0].Nullable()
	other, _ := kinds[1].Nullable()
	same([]bool{nullable, other}, []bool{false, true}, "nullable")
	precision, scale, _ := kinds[13].DecimalSize()
	same([]int64{precision, scale}, []int64{30, 10}, "the decimal's size")
	same(kinds[16].ScanType(), reflect.TypeOf(sql.NullTime{}), "the type of a moment")
}

func stream() {
	db := open(database)
	defer db.Close()
	rows, err := db.Query("SELECT a FROM many WHERE b IS NOT NULL ORDER BY id")
	check(err)
	sum := 0
	for rows.Next() {
		var a int
		check(rows.Scan(&a))
		sum += a
	}
	check(rows.Err())
	same(sum, 1999000, "sum")
	rows, err = db.Query("SELECT a FROM many WHERE a >= ?", 0)
	check(err)
	rows.Next()
	check(rows.Close())
	same(number(db, "SELECT 1"), int64(1), "after a part")
}

func run(topic string, test func()) (ok bool) {
	defer func() {
		result := "ok"
		if problem := recover(); problem != nil {
			fmt.Println(problem)
			result, ok = "FAILED", false
		}
		fmt.Printf("test %s::%s ... %s\n", name, topic, result)
	}()
	test()
	return true
}

func main() {
	admin := open("")
	exec(admin, "DROP DATABASE IF EXISTS "+database)
	exec(admin, "CREATE DATABASE "+database+" CHARACTER SET utf8mb4")
	topics := []struct {
		name string
		test func()
	}{
		{"login", login}, {"tls", encryption}, {"types", types}, {"transactions", transactions}, {"conflict", conflict},
		{"blob", blob}, {"errors", errorsTold}, {"ids", ids}, {"batch", batch}, {"multi", multi}, {"metadata", metadata},
		{"stream", stream},
	}
	failed := 0
	for _, topic := range topics {
		if !run(topic.name, topic.test) {
			failed++
		}
	}
	if failed > 0 {
		os.Exit(1)
	}
}
