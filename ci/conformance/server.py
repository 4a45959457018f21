"""One server under comparison: runs statements and gives their answers as plain data."""

from dataclasses import dataclass

import pymysql
from pymysql.constants import CLIENT

# Kept when the databases are dropped between two files.
SYSTEM = {"mysql", "information_schema", "performance_schema", "sys", "marmot"}
# The connection is gone, or cannot be used any more.
LOST = {2003, 2006, 2013, 2014}
TIMEOUT = 20


@dataclass
class Answer:
    """`error` is None, or a number (0: the connection was lost); `results` has (names, rows) or None for each statement."""

    error: int | None = None
    message: str = ""
    results: tuple = ()

    def lost(self):
        return self.error == 0

    def is_query(self):
        return self.error is None and any(result is not None for result in self.results)

    def __str__(self):
        if self.error is not None:
            return f"error {self.error} {self.message}"
        shown = [f"{r[0]} {len(r[1])} rows {r[1][:3]}" if r is not None else "done" for r in self.results]
        return " | ".join(shown)[:400]


class Server:
    """A throw-away server with the sessions of the file that is running."""

    def __init__(self, port):
        self.port, self.sessions = port, {}

    def connect(self, name, database):
        self.close(name)
        connection = pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", password="", database=database, charset="utf8mb4",
            autocommit=None, conv={}, client_flag=CLIENT.MULTI_STATEMENTS, connect_timeout=10, read_timeout=TIMEOUT,
            write_timeout=TIMEOUT,
        )  # fmt: skip
        self.sessions[name] = connection
        return connection

    def run_alone(self, sql):
        """One statement in a session of its own; its rows."""
        connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root", password="", connect_timeout=10)
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def close(self, name):
        connection = self.sessions.pop(name, None)
        if connection is not None:
            connection._force_close()

    def start_file(self):
        """An empty database `test`, and one session in it."""
        for name in list(self.sessions):
            self.close(name)
        cursor = self.connect("default", None).cursor()
        cursor.execute("SHOW DATABASES")
        for (name,) in cursor.fetchall():
            name = name.decode() if isinstance(name, bytes) else name
            if name.lower() not in SYSTEM:
                cursor.execute("DROP DATABASE `%s`" % name.replace("`", "``"))
        cursor.execute("CREATE DATABASE test")
        self.connect("default", "test")

    def carry_out(self, step):
        """Opens or closes a session; a database that is not there leaves it closed until it is used."""
        self.close(step.session)
        if step.action == "connect":
            try:
                self.connect(step.session, step.sql)
            except pymysql.err.MySQLError:
                pass

    def ask(self, step):
        try:
            connection = self.sessions.get(step.session) or self.connect(step.session, "test")
            cursor, results = connection.cursor(), []
            cursor.execute(step.sql.encode("utf-8"))
            while True:
                names = [column[0] for column in cursor.description or ()]
                results.append((names, list(cursor.fetchall())) if names else None)
                if not cursor.nextset():
                    return Answer(results=tuple(results))
        except pymysql.err.MySQLError as error:
            number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            if number and number not in LOST:
                return Answer(number, str(error.args[1])[:200] if len(error.args) > 1 else "")
            self.close(step.session)
            return Answer(0, repr(error)[:200])
        except Exception as error:  # bytes that are no answer of the protocol
            self.close(step.session)
            return Answer(0, f"{type(error).__name__}: {error}"[:200])
