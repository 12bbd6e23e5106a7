"""One ministack, one moto and one deployed pipeline for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emulated_pipeline import Pipeline, deployed
from emulators import Server, ministack, moto
from recorder import Recorder, recording


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """SageMaker: moto, its requests recorded."""
    with moto(tmp_path_factory.mktemp("moto")) as behind, recording(behind) as made:
        yield made


@pytest.fixture(scope="session")
def aws(recorder: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """All other services: ministack, whose functions reach SageMaker through the recorder."""
    folder: Path = tmp_path_factory.mktemp("ministack")
    with ministack(folder, {"AWS_ENDPOINT_URL_SAGEMAKER": recorder.server.url}) as server:
        yield server


@pytest.fixture(scope="session")
def pipeline(aws: Server, recorder: Recorder) -> Pipeline:
    return deployed(aws, recorder)
