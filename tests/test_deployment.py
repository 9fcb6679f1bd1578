"""Files that run Qdrant: they are read here, not run, and checked for what must not be wrong."""

from pathlib import Path

import pytest

from astro_paperclip.index.address import API_KEY_VARIABLE

yaml = pytest.importorskip("yaml")

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
COMPOSE = ("one-node", "one-node-gpu", "three-nodes")
HELM = ("one-node", "one-node-gpu", "three-nodes")
CHART = {
    "replicaCount": None,
    "image": {"repository", "pullPolicy", "tag", "useUnprivilegedImage"},
    "apiKey": {"valueFrom"},
    "config": {"cluster", "gpu", "telemetry_disabled"},
    "resources": {"requests", "limits"},
    "persistence": {"size", "storageClassName"},
    "snapshotPersistence": {"enabled", "size", "storageClassName"},
    "podDisruptionBudget": {"enabled", "maxUnavailable"},
    "affinity": {"podAntiAffinity"},
    "tolerations": None,
}
"""Keys that the chart qdrant/qdrant 1.19.0 has; what is below ``config`` is the server's own."""


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def compose(name):
    return read(DEPLOY / name / "docker-compose.yml")


def helm(name):
    return read(DEPLOY / "helm" / f"{name}.yaml")


def test_there_are_no_others():
    found = {path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*.y*ml")}
    assert found == {f"{name}/docker-compose.yml" for name in COMPOSE} | {
        f"helm/{name}.yaml" for name in HELM
    }


@pytest.mark.parametrize("name", COMPOSE)
class TestCompose:
    def test_key_comes_from_the_environment(self, name):
        for service in compose(name)["services"].values():
            key = service["environment"]["QDRANT__SERVICE__API_KEY"]
            assert key.startswith(f"${{{API_KEY_VARIABLE}:?")

    def test_ports_are_open_to_this_machine_only(self, name):
        ports = [port for one in compose(name)["services"].values() for port in one["ports"]]
        assert "127.0.0.1:6333:6333" in ports
        assert all(port.startswith("127.0.0.1:") for port in ports)
        assert not any(port.endswith(":6335") for port in ports)
        assert len({port.rpartition(":")[0] for port in ports}) == len(ports)

    def test_data_are_on_volumes_of_their_own(self, name):
        content = compose(name)
        used = [one for service in content["services"].values() for one in service["volumes"]]
        names = [one.partition(":")[0] for one in used]
        assert len(set(names)) == len(names)
        assert set(names) == set(content["volumes"])
        for service in content["services"].values():
            places = {one.partition(":")[2] for one in service["volumes"]}
            assert places == {"/qdrant/storage", "/qdrant/snapshots"}

    def test_health(self, name):
        for service in compose(name)["services"].values():
            command = service["healthcheck"]["test"]
            assert command[:3] == ["CMD", "bash", "-c"]
            assert "GET /readyz" in command[3]

    def test_values_of_the_environment_are_text(self, name):
        for service in compose(name)["services"].values():
            assert all(isinstance(value, str) for value in service["environment"].values())


def test_gpu_builds_graphs():
    service = compose("one-node-gpu")["services"]["qdrant"]
    assert service["image"].endswith("-gpu-nvidia")
    assert service["environment"]["QDRANT__GPU__INDEXING"] == "1"
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    values = helm("one-node-gpu")
    assert values["image"]["tag"].endswith("-gpu-nvidia")
    assert values["config"]["gpu"]["indexing"] is True
    assert values["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_three_nodes_find_each_other():
    services = compose("three-nodes")["services"]
    assert len(services) == 3
    for name, service in services.items():
        command = service["command"]
        assert service["environment"]["QDRANT__CLUSTER__ENABLED"] == "true"
        assert command[command.index("--uri") + 1] == f"http://{name}:6335"
        if name == "node-0":
            assert "--bootstrap" not in command
        else:
            assert command[command.index("--bootstrap") + 1] == "http://node-0:6335"
            assert service["depends_on"] == ["node-0"]
    values = helm("three-nodes")
    assert values["replicaCount"] == 3
    assert values["config"]["cluster"]["enabled"] is True
    rules = values["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rules[0]["topologyKey"] == "kubernetes.io/hostname"


@pytest.mark.parametrize("name", HELM)
class TestHelm:
    def test_keys_are_those_of_the_chart(self, name):
        for key, value in helm(name).items():
            assert key in CHART
            if CHART[key] is not None:
                assert value.keys() <= CHART[key]

    def test_key_comes_from_a_secret(self, name):
        reference = helm(name)["apiKey"]["valueFrom"]["secretKeyRef"]
        assert reference == {"name": "qdrant-key", "key": "api-key"}

    def test_one_node_is_no_cluster(self, name):
        values = helm(name)
        assert values["config"]["cluster"]["enabled"] == (values["replicaCount"] > 1)


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda path: path.parent.name)
def test_versions_are_named(path):
    text = path.read_text(encoding="utf-8")
    assert "1.19.0" in text
    assert "latest\n" not in text
