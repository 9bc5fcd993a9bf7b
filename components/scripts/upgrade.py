# pyright: basic, reportMissingImports=false
# Runs in MLflow's image.
"""Brings the database to this MLflow's schemas, and the administrator to its password.

The database is at MLFLOW_BACKEND_STORE_URI; user and password are libpq's (PGUSER, PGPASSWORD). The
administrator is MLFLOW_AUTH_ADMIN_USERNAME, MLFLOW_AUTH_ADMIN_PASSWORD. It works on an empty database,
may run any number of times, and comes before the servers: several that start on an empty database clash.
"""

import os
import subprocess
import sys


def upgrade(uri):
    """The schemas of tracking and of accounts share the database; each has its own version table."""
    subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", uri], check=True)
    subprocess.run([sys.executable, "-m", "mlflow.server.auth", "db", "upgrade", "--url", uri], check=True)


def ensure_administrator(uri, username, password):
    """MLflow itself makes the administrator once and then ignores the password that it is given."""
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(uri)
    if not store.has_user(username):
        store.create_user(username, password, is_admin=True)
        print(f"administrator {username}: made", flush=True)
    elif not (store.authenticate_user(username, password) and store.get_user(username).is_admin):
        store.update_user(username, password=password, is_admin=True)
        print(f"administrator {username}: password and rights restored", flush=True)


def main():
    uri = os.environ["MLFLOW_BACKEND_STORE_URI"]
    upgrade(uri)
    ensure_administrator(
        uri, os.environ["MLFLOW_AUTH_ADMIN_USERNAME"], os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"]
    )


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
