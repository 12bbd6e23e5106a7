"""Three ways to run one definition: processes, our containers, and the SDK's own local mode in the same images.

Run with `make test-containers`; skipped, with the reason, where no Docker engine runs. Training really happens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer
from sdk_local_mode import BUCKET

from pipelines.surroundings import local_images

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / ".local" / "raw" / "flights"
ROUNDS = 60
NETWORK = "sagemaker-local"


def answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not answers("docker", "version"), reason="no Docker engine runs here")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's configuration with fewer rounds."""
    document = yaml.safe_load((ROOT / "config" / "pipeline-config.yml").read_text(encoding="utf-8"))
    document["training"]["hyperparameters"] = {"GBM": {"num_boost_round": ROUNDS}}
    path = tmp_path_factory.mktemp("config") / "pipeline-config.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def run_here(config: Path, workspace: Path, *more: str) -> dict[str, Any]:
    """Run the pipeline with our engine; return its result with the bytes of what each model predicted."""
    command = [sys.executable, "-m", "pipelines.run", "--local", "--config", str(config), "--raw", str(RAW), "--json"]
    done = subprocess.run(
        [*command, "--workspace", str(workspace), *more], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    parts = workspace.glob(f"s3/*/*/executions/{result['execution']}/infer/*/part-*.parquet")
    published = Path(result["predictions"]).rglob("*.parquet")
    result["parts"] = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in parts}
    result["published"] = {path.name: path.read_bytes() for path in published}
    return result


@pytest.fixture(scope="module")
def processes(config: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run_here(config, tmp_path_factory.mktemp("processes"))


@pytest.fixture(scope="module")
def containers(config: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run_here(config, tmp_path_factory.mktemp("containers"), "--launcher", "docker")


@pytest.fixture
def s3() -> Iterator[str]:
    """An S3 that the SDK's local mode reads and writes; the containers themselves need no network."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def run_sdk(config: Path, endpoint: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline in the SDK's local mode; return its outcome."""
    place = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(ROOT)}
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    request = {"config": str(config), "raw": str(RAW), "images": local_images(ROOT), "parameters": parameters}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sdk_local_mode.py"))],
        input=json.dumps(request),
        env={**os.environ, **place, **keys},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """The SDK's local mode leaves its stopped containers and its network behind; ours leaves nothing."""
    before = listed()
    yield
    left = sorted(listed() - before)
    if left:
        subprocess.run(["docker", "rm", "--force", *left], capture_output=True, check=True)
    subprocess.run(["docker", "network", "rm", NETWORK], capture_output=True, check=False)


def listed() -> set[str]:
    done = subprocess.run(["docker", "ps", "--all", "--quiet"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_containers_predict_the_same_bytes_as_processes(processes: dict[str, Any], containers: dict[str, Any]) -> None:
    assert containers["gate"] == processes["gate"]
    assert {name: model["mae"] for name, model in containers["models"].items()} == {
        name: model["mae"] for name, model in processes["models"].items()
    }
    assert processes["published"]
    assert containers["published"] == processes["published"]


def test_our_launcher_leaves_no_container_behind(containers: dict[str, Any]) -> None:
    done = subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", "name=segment-pipeline-"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert containers["status"] == "Succeeded"
    assert done.stdout == ""


@pytest.mark.skipif(not answers("docker", "compose", "version"), reason="the SDK's local mode needs docker compose, v2")
def test_the_sdks_local_mode_decides_and_predicts_the_same(config: Path, s3: str, processes: dict[str, Any]) -> None:
    outcome = run_sdk(config, s3, {})

    assert outcome["status"] == "Succeeded", outcome
    infers = {f"Infer-{name}" for name in processes["models"]}
    assert infers <= set(outcome["steps"])
    assert processes["gate"]["passed"]
    assert predicted(s3, outcome["id"]) == processes["parts"]


@pytest.mark.skipif(not answers("docker", "compose", "version"), reason="the SDK's local mode needs docker compose, v2")
def test_the_sdks_local_mode_turns_a_bad_model_down(config: Path, s3: str, processes: dict[str, Any]) -> None:
    best = min(model["mae"] for model in processes["models"].values())

    outcome = run_sdk(config, s3, {"MaeThreshold": best})

    assert outcome["status"] == "Succeeded", outcome
    assert not [name for name in outcome["steps"] if name.startswith("Infer")]


def predicted(endpoint: str, execution: str) -> dict[str, bytes]:
    """Return the bytes of what each model predicted, as local mode has put them into S3."""
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
    )
    prefix, found = f"flights/executions/{execution}/infer/", {}
    for item in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
        if item["Key"].endswith(".parquet") and "/part-" in item["Key"]:
            body = client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"]
            found[item["Key"].removeprefix(prefix)] = body.read()
            body.close()
    return found
