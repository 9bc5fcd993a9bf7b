"""Pruning, comparing, and what forces a replacement."""

import pytest

from standin import paths
from standin.differ import Kind, compare, prune
from standin.metadata import Autonaming, NamingError, named, unique_name
from standin.replaces import ALWAYS, FORCE_NEW, force_new, hits
from standin.wire import UNKNOWN


def test_live_state_is_cut_to_the_shape_of_the_inputs():
    live = {"a": 1, "b": {"c": 2, "d": 3}, "l": [{"x": 1, "y": 2}, {"x": 3}], "t": "text"}
    shape = {"b": {"c": 0}, "l": [{"x": 0}], "t": {"not": "text"}, "missing": 1}
    assert prune(live, shape) == {"b": {"c": 2}, "l": [{"x": 1}], "t": "text"}


def shown(old, new, fields=ALWAYS, ignored=()):
    found = compare(old, new, fields, tuple(paths.parse(text) for text in ignored))
    return {change.shown: (change.kind.name, change.replace) for change in found}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {"a": ("UPDATE", False)}),
        ({}, {"a": {"b": {"c": 1}}}, {"a": ("ADD", False)}),
        ({}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a.c": ("DELETE", False)}),
        ({"a": [1, 2]}, {"a": [1]}, {"a[1]": ("DELETE", False)}),
        ({"a": [1]}, {"a": [1, {"b": 2}]}, {"a[1]": ("ADD", False)}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a[0].b": ("UPDATE", False)}),
        ({"a": {"x.y/z": 1}}, {"a": {"x.y/z": 2}}, {'a["x.y/z"]': ("UPDATE", False)}),
        ({"a": 1}, {"a": UNKNOWN}, {"a": ("UPDATE", False)}),
        ({"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, {"metadata.name": ("UPDATE", True)}),
        ({"metadata": {"name": "a"}}, {}, {"metadata": ("DELETE", True)}),
        ({"a": None}, {"a": []}, {}),
        ({"a": "text"}, {"a": ["list"]}, {"a": ("UPDATE", False)}),
    ],
)
def test_changes(old, new, changes):
    assert shown(old, new) == changes


def test_ignored_paths_and_all_below_them_are_left_out():
    old, new = {"spec": {"replicas": 1, "x": [{"y": 1}]}}, {"spec": {"replicas": 2, "x": [{"y": 2}]}}
    assert shown(old, new, ignored=["spec.replicas", "spec.x[*].y"]) == {}
    assert shown(old, new, ignored=["spec"]) == {}
    assert set(shown(old, new, ignored=["spec.repl"])) == {"spec.replicas", "spec.x[0].y"}


def concrete(field):
    """A path of Pulumi's for a row of the table."""
    return paths.parse(field.replace("[*]", "[0]"))


ROWS = [(key, field) for key, fields in FORCE_NEW.items() for field in fields]


@pytest.mark.parametrize(("key", "field"), ROWS, ids=["/".join([*key, field]) for key, field in ROWS])
def test_every_row_of_the_table_replaces(key, field):
    group, version, kind = key
    manifest = {"apiVersion": f"{group}/{version}" if group else version, "kind": kind}
    fields = force_new(manifest, config_map_mutable=True, secret_mutable=True)
    path = concrete(field)
    nested = "changed"
    for part in reversed(path[1:]):
        nested = [nested] if isinstance(part, int) else {part: nested}
    assert hits(fields, path, "changed")
    assert hits(fields, (*path, "below"), "changed")
    assert hits(fields, path[:1], nested)
    assert not hits(fields, path[:1] if len(path) > 1 else ("other",), {"other": 1})
    assert not hits(ALWAYS, path, "changed")


@pytest.mark.parametrize(
    ("kind", "switches", "field", "replaces"),
    [
        ("ConfigMap", {}, "data", True),
        ("ConfigMap", {"config_map_mutable": True}, "data", False),
        ("ConfigMap", {"config_map_mutable": True, "immutable": True}, "binaryData", True),
        ("Secret", {}, "data", True),
        ("Secret", {"secret_mutable": True}, "data", False),
        ("Secret", {"secret_mutable": True}, "type", True),
        ("Secret", {"secret_mutable": True, "immutable": True}, "stringData", True),
    ],
)
def test_the_switches_for_config_maps_and_secrets(kind, switches, field, replaces):
    switches = {"config_map_mutable": False, "secret_mutable": False, **switches}
    manifest = {"apiVersion": "v1", "kind": kind, "immutable": switches.pop("immutable", False)}
    assert hits(force_new(manifest, **switches), (field, "key"), "x") is replaces


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("batch/v1", "CronJob"),
        ("policy/v1", "PodDisruptionBudget"),
        ("networking.k8s.io/v1", "Ingress"),
        ("example.org/v1", "Job"),
        ("apps/v1beta1", "Deployment"),
    ],
)
def test_other_kinds_are_only_replaced_for_their_identity(api_version, kind):
    manifest = {"apiVersion": api_version, "kind": kind}
    assert force_new(manifest, config_map_mutable=False, secret_mutable=False) == ALWAYS


def test_a_container_that_goes_does_not_replace_but_one_that_comes_does():
    fields = FORCE_NEW["", "v1", "Pod"]
    old = {"spec": {"containers": [{"image": "a"}]}}
    new = {"spec": {"containers": [{"image": "a"}, {"image": "b"}]}}
    assert [change.replace for change in compare(old, new, fields)] == [True]
    assert [change.replace for change in compare(new, old, fields)] == [False]


@pytest.mark.parametrize("text", ["a.b", 'a["b.c"].d', "a[0].b", 'a["x\\"y"]'])
def test_paths_survive_a_round_trip(text):
    assert paths.show(paths.parse(text)) == text


def test_what_is_no_path_is_refused():
    with pytest.raises(ValueError, match="not a property path"):
        paths.parse("a[b")


def test_kinds_of_change_are_those_of_the_protocol():
    from standin.protocol import protocol

    diff = protocol().provider.PropertyDiff
    for kind in Kind:
        assert diff.Kind.Value(kind.name) == kind.value
        assert diff.Kind.Value(f"{kind.name}_REPLACE") == kind.value + 1


class TestNames:
    UNNAMED = {"apiVersion": "v1", "kind": "ConfigMap"}

    def test_a_name_is_made_from_the_seed_and_marked(self):
        made = named(self.UNNAMED, {}, "logical", b"seed", Autonaming())
        assert made == named(self.UNNAMED, {}, "logical", b"seed", Autonaming())
        assert made["metadata"]["name"].startswith("logical-")
        assert made["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}

    def test_a_made_name_is_kept(self):
        old = named(self.UNNAMED, {}, "logical", b"seed", Autonaming())
        assert named(self.UNNAMED, old, "logical", b"other", Autonaming()) == old

    def test_the_engine_may_propose_or_forbid(self):
        assert named(self.UNNAMED, {}, "l", b"", Autonaming(proposed="mine"))["metadata"]["name"] == "mine"
        with pytest.raises(NamingError, match="autonaming is disabled"):
            named(self.UNNAMED, {}, "l", b"", Autonaming(disabled=True))

    def test_a_generated_name_is_refused(self):
        with pytest.raises(NamingError, match="generateName"):
            named({"metadata": {"generateName": "a-"}}, {}, "l", b"", Autonaming())

    def test_a_name_not_known_yet_is_a_name(self):
        manifest = {"metadata": {"name": UNKNOWN}}
        assert named(manifest, {}, "l", b"", Autonaming()) is manifest

    def test_names_without_a_seed_differ(self):
        assert unique_name("a-") != unique_name("a-")
