#!/usr/bin/env python3
"""Writes docs/compatibility.md from the logs of what was measured: run `ci/all.sh drivers dump conformance` before.

Each driver has a line, with the version that its lock file pins and what its test found, topic by topic.
"""

import collections
import json
import os
import re
import sys
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "target", "ci-logs")
DRIVERS = os.path.join(ROOT, "ci", "drivers")

TOPICS = {
    "login": "logins by both proofs, refused ones, change of user, reset",
    "tls": "TLS with a checked certificate",
    "types": "all column types both ways, prepared and as text",
    "transactions": "commit, rollback, savepoints, autocommit",
    "conflict": "1213 to one of two transactions that meet",
    "blob": "8 MB there and back",
    "errors": "numbers and SQLSTATEs as the driver's own exceptions",
    "ids": "generated ids, affected and found rows, upserts",
    "batch": "many rows at once",
    "multi": "several statements at once",
    "metadata": "columns of results; tables, keys and indexes",
    "stream": "rows one by one, cursors",
}


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def log(step):
    path = os.path.join(LOGS, f"{step}.log")
    if not os.path.exists(path):
        sys.exit(f"{path} is missing: run ci/all.sh {step}")
    return read(path)


def versions():
    """Driver, as its test calls it: its name for people, and its version."""
    python = dict(line.split("==") for line in read(DRIVERS, "python", "requirements.txt").split())
    node = json.loads(read(DRIVERS, "node", "package.json"))["dependencies"]
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    artifacts = xml.fromstring(read(DRIVERS, "java", "pom.xml")).findall("m:dependencies/m:dependency", space)
    java = {a.find("m:artifactId", space).text: a.find("m:version", space).text for a in artifacts}
    go = re.search(r"go-sql-driver/mysql v(\S+)", read(DRIVERS, "go", "go.mod")).group(1)
    rust = dict(re.findall(r'name = "(mysql_async|sqlx)"\nversion = "([^"]+)"', read(DRIVERS, "rust", "Cargo.lock")))
    return {
        "pymysql": ("PyMySQL (Python)", python["PyMySQL"]),
        "mysqlclient": ("mysqlclient (Python, libmariadb)", python["mysqlclient"]),
        "mysql-connector-python": ("MySQL Connector/Python", python["mysql-connector-python"]),
        "mysql2": ("mysql2 (Node)", node["mysql2"]),
        "mysqli": ("mysqli (PHP, mysqlnd)", "Debian's"),
        "pdo": ("PDO (PHP, mysqlnd)", "Debian's"),
        "connector-j": ("MySQL Connector/J (Java)", java["mysql-connector-j"]),
        "mariadb-connector-j": ("MariaDB Connector/J (Java)", java["mariadb-java-client"]),
        "go-sql-driver": ("go-sql-driver (Go)", go),
        "mysql_async": ("mysql_async (Rust)", rust["mysql_async"]),
        "sqlx": ("sqlx (Rust)", rust["sqlx"]),
    }


def results(text):
    """For each group, its tests with whether they passed."""
    found = collections.defaultdict(dict)
    for group, name, verdict in re.findall(r"^test ([\w-]+)::(\w+).* \.\.\. (ok|FAILED)", text, re.M):
        found[group][name] = verdict == "ok"
    return found


def main():
    drivers, dumps = results(log("drivers")), results(log("dump"))["dump"]
    closing = re.search(r"(\d+) of (\d+) statements and (\d+) of (\d+) queries agree", log("conformance"))
    lines = [
        "# Compatibility, as measured",
        "",
        "Written by `ci/compatibility.py` from the logs of `ci/all.sh drivers dump conformance`. Each driver's test runs",
        "against MariaDB too (`ci/drivers.sh --mariadb`), which shows that it asks for nothing of Marmot alone.",
        "",
        "| driver | version | " + " | ".join(TOPICS) + " |",
        "|---|---|" + "---|" * len(TOPICS),
    ]
    for name, (shown, version) in versions().items():
        marks = [{True: "yes", False: "**no**", None: "-"}[drivers[name].get(topic)] for topic in TOPICS]
        lines.append(f"| {shown} | {version} | " + " | ".join(marks) + " |")
    lines += ["", *(f"- *{topic}*: {what}" for topic, what in TOPICS.items()), "", "| dumps by `mariadb-dump` (`ci/dump.sh`) | |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {'yes' if ok else '**no**'} |" for name, ok in dumps.items()]
    agree, compared, right, queries = map(int, closing.groups())
    lines += [
        "",
        f"Of {compared} statements of MariaDB's own test suite {100 * agree / compared:.1f} % give what MariaDB gives, of the",
        f"{queries} that return rows {100 * right / queries:.1f} %: [file by file](conformance.md).",
    ]
    with open(os.path.join(ROOT, "docs", "compatibility.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


main()
