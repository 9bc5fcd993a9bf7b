"""Kubeconfigs, credential plugins, the provider's options, field ownership, and the installer."""

import base64
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from standin import config, credentials, kubeconfig, ownership
from standin.install import FOLDER, PYTHON, environment, install, is_stand_in
from standin.kubeconfig import KubeconfigError, Overrides
from standin.wire import UNKNOWN

PEM = "-----BEGIN CERTIFICATE-----"


def kubeconfig_with(user=None, cluster=None):
    return {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
            {"name": "two", "context": {"cluster": "d", "user": "u"}},
            {"name": "broken", "context": {"cluster": "missing", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": "https://one:6443/", **(cluster or {})}},
            {"name": "d", "cluster": {"server": "https://two:6443"}},
        ],
        "users": [{"name": "u", "user": user or {}}],
    }


def test_contents_and_paths(tmp_path):
    text = yaml.safe_dump(kubeconfig_with(user={"token": "t"}))
    file = tmp_path / "config"
    file.write_text(text)
    for source in (text, str(file)):
        found = kubeconfig.access(kubeconfig.parse(source), Overrides())
        assert (found.server, found.namespace, found.token) == ("https://one:6443", "team", "t")


def test_overrides():
    data = kubeconfig_with()
    assert kubeconfig.access(data, Overrides(context="two")).server == "https://two:6443"
    assert kubeconfig.access(data, Overrides(cluster="d")).server == "https://two:6443"
    assert kubeconfig.access(data, Overrides(namespace="mine")).namespace == "mine"


def test_material_from_data_and_from_files_beside_the_kubeconfig(tmp_path):
    (tmp_path / "ca.crt").write_text(PEM)
    data = {"client-certificate-data": base64.b64encode(PEM.encode()).decode()}
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(kubeconfig_with(user=data, cluster={"certificate-authority": "ca.crt"})))
    found = kubeconfig.access(kubeconfig.parse(str(file)), Overrides())
    assert found.authority == found.certificate == PEM


@pytest.mark.parametrize(
    ("text", "context", "said"),
    [
        ("", "", "no current context"),
        (": : :", "", "not YAML"),
        ("- list", "", "no such file|no map"),
        ("/not/there", "", "no such file"),
        (yaml.safe_dump(kubeconfig_with()), "three", 'context "three" does not exist'),
        (yaml.safe_dump(kubeconfig_with()), "broken", 'cluster "missing" does not exist'),
        (yaml.safe_dump(kubeconfig_with(user={"client-key-data": "!"})), "", "is not base64"),
        (yaml.safe_dump(kubeconfig_with(user={"client-key": "/not/there"})), "", "cannot read"),
        (yaml.safe_dump(kubeconfig_with(user={"auth-provider": {"name": "gcp"}})), "", "auth-provider"),
    ],
)
def test_what_is_wrong_is_said(text, context, said):
    with pytest.raises(KubeconfigError, match=said):
        kubeconfig.access(kubeconfig.parse(text), Overrides(context=context))


def test_ambient_files_are_merged(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text(yaml.safe_dump({"current-context": "two", "contexts": []}))
    second.write_text(yaml.safe_dump(kubeconfig_with()))
    merged = kubeconfig.ambient({"KUBECONFIG": f"{first}{os.pathsep}{second}{os.pathsep}{tmp_path / 'none'}"})
    assert kubeconfig.access(merged, Overrides()).server == "https://two:6443"


def exec_access(command, *args):
    user = {"exec": {"command": command, "args": list(args), "env": [{"name": "X", "value": "tok"}]}}
    return kubeconfig.access(kubeconfig_with(user=user), Overrides())


def test_a_credential_plugin_is_run_once():
    count = "import os,json; print(json.dumps({'status': {'token': os.environ['X'] + str(os.getpid())}}))"
    source = credentials.ExecCredentials(exec_access(sys.executable, "-c", count))
    first = source.current()
    assert first.token.startswith("tok")
    assert source.current() is first
    source.forget()
    assert source.current() is not first


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('secret-token')", "no ExecCredential"),
        ("import sys; sys.exit('no login')", "failed: no login"),
    ],
)
def test_a_failing_credential_plugin_says_why_and_shows_no_secret(program, said):
    with pytest.raises(KubeconfigError, match=said) as caught:
        credentials.ExecCredentials(exec_access(sys.executable, "-c", program)).current()
    assert "secret-token" not in str(caught.value)


def test_a_missing_credential_plugin_is_named():
    with pytest.raises(KubeconfigError, match="'not-there' is not there"):
        credentials.ExecCredentials(exec_access("not-there")).current()


def test_credentials_do_not_show():
    assert "hidden" not in repr(kubeconfig.access(kubeconfig_with(user={"token": "hidden"}), Overrides()))


KUBE = yaml.safe_dump(kubeconfig_with())
MOVED = yaml.safe_dump(kubeconfig_with(cluster={"server": "https://elsewhere"}))


@pytest.mark.parametrize(
    ("olds", "news", "replaces"),
    [
        ({"kubeconfig": KUBE}, {"kubeconfig": KUBE, "namespace": "x"}, ()),
        ({"kubeconfig": KUBE}, {"kubeconfig": MOVED}, ("kubeconfig",)),
        ({"kubeconfig": KUBE}, {"kubeconfig": KUBE, "context": "two"}, ("context",)),
        ({"kubeconfig": KUBE}, {"kubeconfig": UNKNOWN}, ("kubeconfig",)),
        (
            {"kubeconfig": KUBE, "clusterIdentifier": "a"},
            {"kubeconfig": MOVED, "clusterIdentifier": "a"},
            (),
        ),
        (
            {"kubeconfig": KUBE, "clusterIdentifier": "a"},
            {"kubeconfig": KUBE, "clusterIdentifier": "b"},
            ("clusterIdentifier",),
        ),
        ({"kubeconfig": KUBE}, {"kubeconfig": KUBE, "clusterIdentifier": "a"}, ()),
        ({"renderYamlToDirectory": "a"}, {"renderYamlToDirectory": "b"}, ("renderYamlToDirectory",)),
    ],
)
def test_which_options_replace_the_provider(olds, news, replaces):
    assert config.diff(olds, news).replaces == replaces


def test_options():
    given = {"kubernetes:config:enableConfigMapMutable": "true", "kubernetes:config:namespace": "n"}
    found = config.options(given, {"PULUMI_K8S_DELETE_UNREACHABLE": "true"})
    assert (found.config_map_mutable, found.secret_mutable, found.delete_unreachable) == (True, False, True)
    assert found.overrides.namespace == "n"
    assert found.strict
    assert not config.options({}, {config.FIELD_VALIDATION: "lenient"}).strict


@pytest.mark.parametrize(
    ("variables", "environment", "said"),
    [
        ({"kubernetes:config:enableServerSideApply": "false"}, {}, "client-side apply.*official plugin"),
        ({}, {config.FIELD_VALIDATION: "maybe"}, "strict or lenient"),
    ],
)
def test_options_that_are_not_served_say_so(variables, environment, said):
    with pytest.raises(config.ConfigError, match=said):
        config.options(variables, environment)


def test_render_mode_excludes_a_cluster():
    news = {"renderYamlToDirectory": "out", "context": "x", "kubeconfig": "y"}
    assert [name for name, _ in config.check(news, {})] == ["context", "kubeconfig"]
    assert config.check({"renderYamlToDirectory": "out", "kubeconfig": "y"}, {"KUBECONFIG": "y"}) == []
    assert [name for name, _ in config.check({"alwaysRender": True}, {})] == ["alwaysRender"]


def entry(manager, operation, fields, **more):
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def live_with(*entries):
    return {"metadata": {"managedFields": list(entries)}}


def test_fields_of_kubectl_and_of_creation_become_ours():
    kept = entry("kube-controller-manager", "Update", {"f:status": {}}, subresource="status")
    live = live_with(
        entry("pulumi-kubernetes", "Update", {"f:spec": {"f:a": {}}}),
        entry("kubectl-edit", "Update", {"f:spec": {"f:b": {}}}),
        kept,
    )
    folded = ownership.folded(live, "pulumi-kubernetes-01234567")
    assert folded == [entry("pulumi-kubernetes-01234567", "Apply", {"f:spec": {"f:a": {}, "f:b": {}}}), kept]
    assert ownership.folded(live_with(*folded), "pulumi-kubernetes-01234567") is None


def test_scaling_by_a_subresource_is_left_to_whom_it_belongs():
    live = live_with(entry("kubectl", "Update", {"f:spec": {"f:replicas": {}}}, subresource="scale"))
    assert ownership.folded(live, "ours") is None


def test_conflicts_are_forced_only_where_owners_cannot_be_told():
    created = live_with(entry("pulumi-kubernetes", "Update", {}))
    assert ownership.must_force({"metadata": {}}, preview=False)
    assert ownership.must_force(created, preview=True)
    assert not ownership.must_force(created, preview=False)
    assert not ownership.must_force(live_with(entry("hpa", "Update", {})), preview=True)


@pytest.mark.parametrize(
    ("messages", "adopted"),
    [
        (['conflict with "kubectl-edit" using v1'], True),
        (['conflict with "kubectl-edit" using v1', 'conflict with "hpa" using v1'], False),
        (['conflict with "kubectl" with subresource "scale" using apps/v1'], False),
        ([], False),
    ],
)
def test_a_preview_overrides_only_conflicts_that_the_update_will_not_have(messages, adopted):
    assert ownership.all_adopted([{"message": text} for text in messages]) is adopted


def test_ignored_fields_of_others_are_left_out_and_ours_are_sent_as_they_are():
    live = {
        **live_with(
            entry("hpa", "Update", {"f:spec": {"f:replicas": {}}}),
            entry("ours", "Apply", {"f:spec": {"f:paused": {}}}),
        ),
        "spec": {"replicas": 7, "paused": True},
    }
    inputs = {"spec": {"replicas": 1, "paused": False, "x": 1}}
    sent = ownership.with_ignored(inputs, live, "ours", (("spec", "replicas"), ("spec", "paused")))
    assert sent == {"spec": {"paused": True, "x": 1}}
    assert inputs["spec"]["replicas"] == 1


def test_the_installed_plugin_starts_and_prints_a_port_only(tmp_path):
    plugins = tmp_path / "with space" / ("long" * 40) / "plugins"
    path = install(plugins, "4.99.0", Path(sys.executable))
    assert path == plugins / "resource-kubernetes-v4.99.0" / "pulumi-resource-kubernetes"
    assert not path.parent.is_symlink()
    assert path.stat().st_mode & stat.S_IXUSR
    assert is_stand_in(path)
    process = subprocess.Popen([path, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout.readline().strip().isdigit()
    finally:
        process.send_signal(2)
    assert process.wait(timeout=2) == 0
    assert process.stdout.read() == ""
    process.stdout.close()


def test_a_run_has_its_own_stand_in_whoever_installed_the_script(tmp_path):
    path = install(tmp_path / 'a "quoted" $place', "4.99.0", Path("/no/such/python"))
    other = tmp_path / "other"
    (other / "standin").mkdir(parents=True)
    (other / "standin" / "__init__.py").touch()
    (other / "standin" / "__main__.py").write_text("def main(version):\n    print('other', version)\n")

    own = {PYTHON: sys.executable, FOLDER: str(other)}
    said = subprocess.run([path], env=os.environ | own, capture_output=True, text=True, check=True).stdout
    assert said == "other 4.99.0\n"
    assert environment(Path(sys.executable))[FOLDER] == str(Path(__file__).parents[3])
    assert subprocess.run([path], capture_output=True, check=False).returncode == 127


def test_installing_again_and_at_once_does_no_harm(tmp_path):
    def again():
        for _ in range(10):
            install(tmp_path, "1.2.3", Path(sys.executable))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(again) for _ in range(4)]:
            done.result()
    assert [item.name for item in tmp_path.iterdir()] == ["resource-kubernetes-v1.2.3"]
    assert is_stand_in(tmp_path / "resource-kubernetes-v1.2.3" / "pulumi-resource-kubernetes")
