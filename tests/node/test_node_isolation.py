"""Team pricing tries to reach what team vision has: by the API, by S3, by SQL and by network."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
from dataclasses import dataclass, field

import pytest
from onenode.platform import Answer, Platform, ask

TABLE = "Isolation: what team pricing, and nobody at all, gets of team vision's"
MODEL = "vision-model"
MINE, OTHER = "vision", "pricing"


@dataclass(frozen=True)
class Treasure:
    """What team vision has."""

    experiment: str
    name: str
    run: str
    folder: str
    """The run's artifacts, below the server's artifact root."""
    owner: tuple[str, str] = field(repr=False)
    other: tuple[str, str] = field(repr=False)
    admin: tuple[str, str] = field(repr=False)


def call(uri, user, path, workspace=None, method="GET", data=None) -> Answer:
    headers = {"X-MLFLOW-WORKSPACE": workspace} if workspace else {}
    if method == "GET":
        query = f"?{urllib.parse.urlencode(data)}" if data else ""
        return ask(f"{uri}{path}{query}", user, headers=headers)
    return ask(f"{uri}{path}", user, method=method, data=data or {}, headers=headers)


@pytest.fixture(scope="module")
def treasure(platform: Platform, uri: str) -> Treasure:
    def account(team):
        secret = platform.secret(f"{platform.name}-{team}", f"mlflow-{team}")
        return secret["MLFLOW_TRACKING_USERNAME"], secret["MLFLOW_TRACKING_PASSWORD"]

    admin = platform.secret(platform.name, "mlflow-admin")
    owner, name = account(MINE), f"treasure-{time.time_ns()}"

    def make(path, **data):
        answer = call(uri, owner, f"/api/2.0/mlflow/{path}", MINE, "POST", data)
        assert answer.status == 200, answer
        return answer.json()

    experiment = make("experiments/create", name=name)["experiment_id"]
    info = make("runs/create", experiment_id=experiment)["run"]["info"]
    make("runs/log-metric", run_id=info["run_id"], key="gold", value=1.0, timestamp=1, step=0)
    folder = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    put = ask(
        f"{uri}/api/2.0/mlflow-artifacts/artifacts/{folder}/map.txt",
        owner,
        method="PUT",
        data=b"here",
        headers={"X-MLFLOW-WORKSPACE": MINE},
    )
    assert put.status == 200, put
    if call(uri, owner, "/api/2.0/mlflow/registered-models/get", MINE, data={"name": MODEL}).status != 200:
        make("registered-models/create", name=MODEL)
        make(
            "model-versions/create",
            name=MODEL,
            source=f"{info['artifact_uri']}/map.txt",
            run_id=info["run_id"],
        )
    return Treasure(
        experiment,
        name,
        info["run_id"],
        folder,
        owner,
        account(OTHER),
        (admin["username"], admin["password"]),
    )


def attempts(found: Treasure):
    """Method, path and data of every way to look at, change or guess what is vision's."""
    api, artifacts = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
    run, experiment = {"run_id": found.run}, {"experiment_id": found.experiment}
    version = {"name": MODEL, "version": "1"}
    climb = "/".join("x" for _ in found.folder.split("/"))
    return [
        ("GET", f"{api}/experiments/get", experiment),
        ("GET", f"{api}/experiments/get-by-name", {"experiment_name": found.name}),
        ("POST", f"{api}/experiments/update", {**experiment, "new_name": "stolen"}),
        ("POST", f"{api}/experiments/delete", experiment),
        ("POST", f"{api}/experiments/set-experiment-tag", {**experiment, "key": "k", "value": "v"}),
        ("POST", f"{api}/runs/search", {"experiment_ids": [found.experiment]}),
        ("POST", f"{api}/runs/create", experiment),
        ("GET", f"{api}/runs/get", run),
        ("POST", f"{api}/runs/log-metric", {**run, "key": "gold", "value": 0, "timestamp": 2, "step": 1}),
        ("POST", f"{api}/runs/delete", run),
        ("GET", f"{api}/metrics/get-history", {**run, "metric_key": "gold"}),
        ("GET", f"{api}/artifacts/list", run),
        ("GET", f"{artifacts}/{found.folder}/map.txt", {}),
        ("PUT", f"{artifacts}/{found.folder}/map.txt", {}),
        ("DELETE", f"{artifacts}/{found.folder}/map.txt", {}),
        ("GET", artifacts, {"path": found.folder}),
        ("GET", artifacts, {"path": f"workspaces/{MINE}"}),
        ("GET", f"{artifacts}/{climb}/{'../' * (climb.count('/') + 1)}{found.folder}/map.txt", {}),
        ("GET", f"{artifacts}/..%2F..%2F{found.folder}/map.txt", {}),
        ("GET", "/get-artifact", {"path": "map.txt", "run_uuid": found.run}),
        ("GET", f"{api}/registered-models/get", {"name": MODEL}),
        ("POST", f"{api}/registered-models/alias", {**version, "alias": "mine"}),
        ("GET", f"{api}/model-versions/get", version),
        ("GET", f"{api}/model-versions/get-download-uri", version),
        ("DELETE", f"{api}/registered-models/delete", {"name": MODEL}),
        (
            "POST",
            "/graphql",
            {"query": f'{{mlflowGetRun(input: {{runId: "{found.run}"}}) {{run {{info {{runId}}}}}}}}'},
        ),
        ("GET", "/api/3.0/mlflow/workspaces/vision", {}),
        ("DELETE", "/api/3.0/mlflow/workspaces/vision", {}),
        ("GET", "/api/2.0/mlflow/users/get", {"username": found.owner[0]}),
        (
            "PATCH",
            "/api/2.0/mlflow/users/update-password",
            {"username": found.owner[0], "password": "x" * 16},
        ),
        ("PATCH", "/api/2.0/mlflow/users/update-admin", {"username": found.other[0], "is_admin": True}),
    ]


def leaks(answer: Answer, found: Treasure, path: str) -> bool:
    """Whether an answer grants the request. An error inside a 200, or an empty search, does not."""
    if answer.status != 200:
        return False
    try:
        data = answer.json()
    except ValueError:
        return True
    if isinstance(data, dict) and data.get("errors"):
        return False
    return any(word in answer.body for word in (found.run, found.name, MODEL, "map.txt")) or (
        data == {} and not path.endswith("/search")
    )


@pytest.mark.parametrize("workspace", [MINE, OTHER, None], ids=["in vision", "in pricing", "in none"])
def test_the_api_gives_the_other_team_nothing(uri, treasure, table, workspace):
    granted = []
    for method, path, data in attempts(treasure):
        answer = call(uri, treasure.other, path, workspace, method, data)
        shown = path.replace(treasure.run, "RUN").replace(treasure.experiment, "N")
        table.add(
            who="pricing", workspace=workspace or "-", attempt=f"{method} {shown}"[:70], answer=answer.status
        )
        if leaks(answer, treasure, path):
            granted.append((method, path, answer))
    assert granted == []


@pytest.mark.parametrize("path", ["experiments/search", "registered-models/search", "model-versions/search"])
@pytest.mark.parametrize("workspace", [MINE, OTHER, None])
def test_searches_show_the_other_team_nothing(uri, treasure, table, path, workspace):
    method, data = ("POST", {"max_results": 1000}) if path.startswith("exp") else ("GET", {})
    answer = call(uri, treasure.other, f"/api/2.0/mlflow/{path}", workspace, method, data)
    table.add(who="pricing", workspace=workspace or "-", attempt=f"{method} {path}", answer=answer.status)
    assert treasure.name not in answer.body
    assert MODEL not in answer.body


def test_the_list_of_workspaces_shows_only_ones_own(uri, treasure):
    answer = call(uri, treasure.other, "/api/3.0/mlflow/workspaces")
    assert answer.status == 200
    assert [each["name"] for each in answer.json()["workspaces"]] == [OTHER]


def test_nobody_gets_nothing_but_health(uri, treasure, table):
    open_paths = []
    paths = [
        ("GET", path, {}) for path in ("/", "/version", "/metrics", "/api/3.0/mlflow/workspaces", "/signup")
    ]
    for method, path, data in [*attempts(treasure), *paths]:
        answer = call(uri, None, path, MINE, method, data)
        table.add(who="nobody", workspace=MINE, attempt=f"{method} {path}"[:70], answer=answer.status)
        if answer.status != 401:
            open_paths.append((method, path, answer.status, answer.body[:100]))
    assert open_paths == []
    assert ask(f"{uri}/health").status == 200


def test_the_admin_can(uri, treasure, table):
    answer = call(uri, treasure.admin, "/api/2.0/mlflow/runs/get", MINE, data={"run_id": treasure.run})
    table.add(who="admin", workspace=MINE, attempt="GET runs/get", answer=answer.status)
    assert answer.status == 200


def test_the_treasure_is_whole(uri, treasure):
    """After everything that the other team tried."""
    found = call(uri, treasure.owner, "/api/2.0/mlflow/runs/get", MINE, data={"run_id": treasure.run}).json()[
        "run"
    ]
    assert found["info"]["lifecycle_stage"] == "active"
    assert [(each["key"], each["value"]) for each in found["data"]["metrics"]] == [("gold", 1.0)]
    kept = call(uri, treasure.owner, f"/api/2.0/mlflow-artifacts/artifacts/{treasure.folder}/map.txt", MINE)
    assert (kept.status, kept.body) == (200, "here")
    model = call(uri, treasure.owner, "/api/2.0/mlflow/registered-models/get", MINE, data={"name": MODEL})
    assert "aliases" not in model.json()["registered_model"]


# --- beneath the API -------------------------------------------------------------------------------

_VISITOR = """
apiVersion: v1
kind: Pod
metadata: {name: visitor, namespace: %s}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: main
    image: ghcr.io/mlflow/mlflow:v3.17.2-full
    command: [sleep, "3600"]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 512Mi}}
"""
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
    print("open")
except OSError as error:
    print("closed")
"""


@pytest.fixture(scope="module")
def visitors(platform: Platform):
    """A pod of each team."""
    for team in (MINE, OTHER):
        platform.kubectl("apply", "-f", "-", stdin=_VISITOR % f"{platform.name}-{team}")
    for team in (MINE, OTHER):
        where = f"{platform.name}-{team}"
        platform.kubectl("wait", "-n", where, "--for=condition=Ready", "pod/visitor", "--timeout=60s")
    time.sleep(2)  # until the engine of the policies knows their addresses
    yield
    for team in (MINE, OTHER):
        platform.kubectl("delete", "pod", "visitor", "-n", f"{platform.name}-{team}", "--now")


def address(platform: Platform, namespace: str, pod: str) -> str:
    return json.loads(platform.kubectl("get", "pod", pod, "-n", namespace, "-o", "json"))["status"]["podIP"]


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("mlflow.acme-ml.svc.cluster.local", 5000, "open"),
        ("postgresql.acme-ml.svc.cluster.local", 5432, "closed"),
        ("seaweedfs.acme-ml.svc.cluster.local", 8333, "closed"),
        ("postgresql-0", 5432, "closed"),
        ("seaweedfs-0", 8333, "closed"),
        ("seaweedfs-0", 8888, "closed"),
        ("seaweedfs-0", 9333, "closed"),
        ("seaweedfs-0", 8080, "closed"),
        ("seaweedfs-0", 18888, "closed"),
    ],
)
def test_a_team_reaches_the_tracking_server_and_nothing_behind_it(
    platform, visitors, table, host, port, expected
):
    target = address(platform, platform.name, host) if host.endswith("-0") else host
    where = f"{platform.name}-{OTHER}"
    found = platform.kubectl(
        "exec", "-n", where, "visitor", "--", "python", "-c", _CONNECT, target, str(port)
    ).strip()
    table.add(who="a pod of pricing", workspace="network", attempt=f"{host}:{port}", answer=found)
    assert found == expected


def test_teams_do_not_reach_each_other(platform, visitors, table):
    where = f"{platform.name}-{MINE}"
    serve = ["kubectl", "--kubeconfig", str(platform.kubeconfig), "exec", "-n", where, "visitor", "--"]
    server = subprocess.Popen([*serve, "timeout", "60", "python", "-m", "http.server", "8000"])
    try:
        target = address(platform, where, "visitor")
        deadline = time.monotonic() + 20
        while ask(f"http://{target}:8000/", timeout=2).status != 200:  # the node itself is not held back
            assert time.monotonic() < deadline
        found = platform.kubectl(
            "exec",
            "-n",
            f"{platform.name}-{OTHER}",
            "visitor",
            "--",
            "python",
            "-c",
            _CONNECT,
            target,
            "8000",
        ).strip()
    finally:
        server.terminate()
        server.wait()
    table.add(who="a pod of pricing", workspace="network", attempt="a pod of vision", answer=found)
    assert found == "closed"


@pytest.mark.parametrize("namespace", ["acme-ml", f"acme-ml-{MINE}"])
@pytest.mark.parametrize("what", ["secrets", "configmaps", "pods", "pods/exec"])
def test_a_pod_of_the_other_team_reads_nothing_from_the_cluster(platform, table, namespace, what):
    account = f"system:serviceaccount:{platform.name}-{OTHER}:default"
    asked = ("auth", "can-i", "create" if what == "pods/exec" else "get", what, "-n", namespace)
    found = platform.kubectl(*asked, "--as", account, check=False).split()[0]
    table.add(
        who="an account of pricing", workspace="cluster", attempt=f"{what} in {namespace}", answer=found
    )
    assert found == "no"


def test_the_database_refuses_who_has_no_password(platform, table):
    target = address(platform, platform.name, "postgresql-0")
    tried = {}
    for user in ("mlflow", "postgres"):
        done = subprocess.run(
            [
                *platform.exec(platform.name, "postgresql-0"),
                "env",
                "PGPASSWORD=guess",
                "psql",
                "-h",
                target,
                "-U",
                user,
                "-d",
                "mlflow",
                "-c",
                "select 1",
            ],
            text=True,
            capture_output=True,
            check=False,
        )
        tried[user] = "password authentication failed" in done.stderr
        table.add(who="a guess", workspace="SQL", attempt=f"user {user}", answer=done.stderr.strip()[-60:])
    assert tried == {"mlflow": True, "postgres": True}


def test_the_bucket_gives_strangers_nothing(platform, table):
    """From the node itself, which no policy holds back, without keys."""
    store = f"http://{address(platform, platform.name, 'seaweedfs-0')}:8333"
    for path in (
        "/",
        "/artifacts",
        "/artifacts?list-type=2&prefix=mlflow/",
        "/artifacts/mlflow/workspaces/vision",
    ):
        answer = ask(f"{store}{path}")
        table.add(who="nobody", workspace="S3", attempt=f"GET {path}", answer=answer.status)
        assert answer.status == 403, (path, answer)
    answer = ask(f"{store}/artifacts/mlflow/x", method="PUT", data=b"x")
    table.add(who="nobody", workspace="S3", attempt="PUT /artifacts/mlflow/x", answer=answer.status)
    assert answer.status == 403, answer
