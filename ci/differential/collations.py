#!/usr/bin/env python3
"""Compares generated pairs of short strings, with accents and trailing spaces, under some collations: how often Marmot says
what MariaDB says, with collations "portable" and "mysql".

    collations.py --marmot PORT --mariadb PORT [--pairs N] [--seed N] [--floor PERCENT]

Exit code 1 if "mysql" agrees less often than PERCENT (99) under any of them. Needs PyMySQL.
"""
import argparse
import random
import sys

import pymysql

LETTERS = "aAbBzZäÄàÀéÉèñÑöÖßsSøØåÅ åiIıłoOеЕёЁдДжΑαάσςΣ 1-_"
COLLATIONS = [
    "utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci", "utf8mb4_swedish_ci", "utf8mb4_german2_ci",
    "utf8mb4_danish_ci", "utf8mb4_bin",
]
AT_ONCE = 50


def word(dice):
    return "".join(dice.choice(LETTERS) for _ in range(dice.randrange(1, 4)))


def pair(dice):
    left = word(dice)
    right = word(dice)
    if dice.random() < 0.8:
        # Alike, so that case, accents and spaces decide.
        right = "".join(dice.choice([c.lower(), c.upper(), c, dice.choice(LETTERS)])[:1] for c in left)
    return left, right + (" " if dice.random() < 0.2 else "")


def answers(cursor, pairs, collation):
    found = []
    for at in range(0, len(pairs), AT_ONCE):
        tests = [f"'{a}' = '{b}' COLLATE {collation}, '{a}' < '{b}' COLLATE {collation}" for a, b in pairs[at:at + AT_ONCE]]
        cursor.execute("SELECT " + ", ".join(tests))
        found += [str(cell) for cell in cursor.fetchone()]
    return list(zip(found[::2], found[1::2]))


def connect(port, rules=None):
    cursor = pymysql.connect(host="127.0.0.1", port=port, user="root", charset="utf8mb4", autocommit=True).cursor()
    if rules:
        cursor.execute("SET marmot_collations = %s", (rules,))
    return cursor


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--marmot", type=int, required=True)
    parser.add_argument("--mariadb", type=int, required=True)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--floor", type=float, default=99.0)
    a = parser.parse_args()
    dice = random.Random(a.seed)
    theirs, portable, own = connect(a.mariadb), connect(a.marmot, "portable"), connect(a.marmot, "mysql")
    low = 0
    print(f"pairs on which Marmot agrees with MariaDB, of {a.pairs} (%)    portable   mysql")
    for collation in COLLATIONS:
        pairs = [pair(dice) for _ in range(a.pairs)]
        wanted = answers(theirs, pairs, collation)
        shares = []
        for cursor in (portable, own):
            agree = sum(x == y for x, y in zip(wanted, answers(cursor, pairs, collation)))
            shares.append(100 * agree / a.pairs)
        low += shares[1] < a.floor
        print(f"{collation:56} {shares[0]:8.2f} {shares[1]:7.2f}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
