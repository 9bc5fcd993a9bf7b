"""The highly available database: CloudNativePG, its PostgreSQL and its pooler."""

from components.versions.model import Chart, Definition, Image

CNPG_POSTGRESQL = Image("ghcr.io", "cloudnative-pg/postgresql", "17.11-minimal-trixie")
"""The operand. Its major version is that of POSTGRESQL, whose pg_dump makes the backups: a pg_dump reads no
newer server. The operator reads the major version off the tag. `minimal`: without Barman, which a plugin
brings where it is wanted."""
PGBOUNCER = Image("ghcr.io", "cloudnative-pg/pgbouncer", "1.25.1")
"""That of the operator 1.30.0."""


def _cnpg(kind: str, *, namespaced: bool = True) -> Definition:
    return Definition("postgresql.cnpg.io", ("v1",), kind, f"{kind.lower()}s", namespaced, kept=True)


CLOUDNATIVE_PG = Chart(
    "cloudnative-pg",
    "cloudnative-pg.github.io",
    "charts",
    "0.29.0",
    oci=False,
    images=(Image("ghcr.io", "cloudnative-pg/cloudnative-pg", "1.30.0"),),
    definitions=(
        _cnpg("Backup"),
        _cnpg("Cluster"),
        _cnpg("ClusterImageCatalog", namespaced=False),
        _cnpg("Database"),
        _cnpg("DatabaseRole"),
        _cnpg("FailoverQuorum"),
        _cnpg("ImageCatalog"),
        _cnpg("Pooler"),
        _cnpg("Publication"),
        _cnpg("ScheduledBackup"),
        _cnpg("Subscription"),
    ),
)

BARMAN_SIDECAR = Image("ghcr.io", "cloudnative-pg/plugin-barman-cloud-sidecar", "v0.13.0")
"""Beside each PostgreSQL server: it writes the archive and reads it."""

PLUGIN_BARMAN_CLOUD = Chart(
    "plugin-barman-cloud",
    "cloudnative-pg.github.io",
    "charts",
    "0.7.0",
    oci=False,
    images=(Image("ghcr.io", "cloudnative-pg/plugin-barman-cloud", "v0.13.0"), BARMAN_SIDECAR),
    definitions=(
        Definition("barmancloud.cnpg.io", ("v1",), "ObjectStore", "objectstores", namespaced=True, kept=True),
    ),
)
