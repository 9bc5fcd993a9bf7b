# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
# Runs in MLflow's image.
"""Gives the database's roles the passwords that they should have. Usage: passwords.py FILE

The file has {role: {"present": PASSWORD, "earlier": [PASSWORD, ...]}}; the server is libpq's (PGHOST, PGPORT,
PGDATABASE). Each role logs in for itself, so no role can change another's, and may do so any number of
times. All earlier passwords are tried: a volume that was restored has the one of its day.

What is sent is the SCRAM verifier that the server would make of the password: the password itself is in
no statement, and so in no log of the server.
"""

import json
import re
import sys
from pathlib import Path

import psycopg2
from psycopg2.extensions import encrypt_password

ROLE = re.compile(r"[a-z_][a-z0-9_]*")
REFUSED = "password authentication failed"
"""What PostgreSQL says of a wrong password; libpq gives no code of a login that failed."""


class RefusedError(Exception):
    """None of a role's passwords is taken."""


def login(role, password):
    """A connection as the role; None if the password is not the role's."""
    try:
        return psycopg2.connect(user=role, password=password)
    except psycopg2.OperationalError as error:
        if REFUSED in str(error):
            return None
        raise


def set_password(connection, role, password):
    """Changes the password of the role that is logged in."""
    verifier = encrypt_password(password, role, scope=connection, algorithm="scram-sha-256")
    with connection, connection.cursor() as cursor:
        # It cannot hold a quote: base64, `$` and `:`. PostgreSQL takes no parameter here.
        cursor.execute(f"ALTER ROLE {role} PASSWORD '{verifier}'")


def ensure(role, present, earlier):
    """The role has its present password."""
    if not ROLE.fullmatch(role):
        raise ValueError(f"this is no role's name: {role!r}")
    connection = login(role, present)
    if connection:
        connection.close()
        return f"role {role}: has its password"
    for password in earlier:
        connection = login(role, password)
        if connection:
            try:
                set_password(connection, role, present)
            finally:
                connection.close()
            return f"role {role}: password changed"
    raise RefusedError(f"role {role}: neither its password nor one of {len(earlier)} earlier ones is taken")


def main(file):
    for role, passwords in json.loads(Path(file).read_text()).items():
        print(ensure(role, passwords["present"], passwords["earlier"]), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except RefusedError as refused:
        sys.exit(str(refused))
    except psycopg2.OperationalError as error:
        sys.exit(f"the database: {str(error).strip()}")
