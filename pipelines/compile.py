"""Compile settings and models to the canonical pipeline definition; CLI `python -m pipelines.compile`.

The definition is JSON with sorted keys, checked against every service limit before anything is sent. Compiling needs
no credentials, no network and no region. Besides the JSON it yields the bundles that the definition refers to.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import sdk, terminal
from pipelines.options import DEFAULT_CONFIG
from steps import contract

if TYPE_CHECKING:
    from pipelines.blueprint import Blueprint
    from pipelines.bundles import Bundle
    from pipelines.models import Census, ModelSpec
    from pipelines.settings import Settings

    CompileOne = Callable[[Blueprint, bool], tuple[str, tuple[str, ...]]]
    Count = Callable[[Settings, Path], Census]

ROOT = Path(__file__).resolve().parent.parent
NULL_IS_ABSENT = ("PipelineExperimentConfig", "MlflowConfig")


@dataclass(frozen=True)
class Compiled:
    """A compiled definition: canonical JSON text, its sha256, the files it refers to, and its models as packed."""

    text: str
    sha256: str
    bundles: tuple[Bundle, ...]
    warnings: tuple[str, ...]
    models: tuple[ModelSpec, ...]

    @property
    def sent(self) -> str:
        """Return the definition as it is sent."""
        return compact(self.text)


def compile_pipeline(
    settings: Settings,
    models: tuple[ModelSpec, ...],
    *,
    local: bool = False,
    compile_one: CompileOne | None = None,
    mode: str = contract.FULL,
) -> Compiled:
    """Return the compiled definition of these models, with as many jobs as the step ceiling and the size allow.

    Args:
        settings: the configuration.
        models: what `pipelines.models` chose.
        local: report the bounds on steps, size and time as warnings, since the local engine has none.
        compile_one: asks the SDK for the definition of a blueprint.
        mode: which of the pipelines: the whole one, or the one that scores only.

    Raises:
        DefinitionError: a service limit or a mistake, every one with the setting to change.
    """
    from pipelines import limits, shards
    from pipelines.errors import DefinitionError

    packed: tuple[ModelSpec, ...] = ()
    again = shards.pack(models, shards.most_jobs(settings.step_ceiling))
    while again != packed:
        packed = again
        blueprint, bundles = draw(settings, packed, mode)
        text, warnings = (compile_one or compile_blueprint)(blueprint, local)
        definition, sent = json.loads(text), compact(text)
        again = shards.pack(models, _fitting_jobs(packed, definition, len(sent), settings.step_ceiling))
    too_much = [*limits.check_ceiling(definition, settings.step_ceiling), *limits.check_size(sent)]
    if too_much and not local:
        raise DefinitionError(*too_much)
    return Compiled(text, hashlib.sha256(text.encode()).hexdigest(), bundles, (*warnings, *too_much), packed)


def _fitting_jobs(
    packed: tuple[ModelSpec, ...], definition: Mapping[str, Any], characters: int, step_ceiling: int
) -> int:
    """Return how many jobs may make a definition fit ceiling and size; as many as it has if it does."""
    from pipelines import limits, shards

    return min(
        shards.fewer_jobs(packed, characters, limits.INLINE_CHARACTERS),
        shards.jobs_for_steps(packed, limits.count_steps(definition), step_ceiling),
    )


@dataclass(frozen=True)
class Both:
    """The definitions of both pipelines: the whole one, and the one that scores only, by the same jobs."""

    whole: Compiled
    scoring: Compiled

    @property
    def all(self) -> tuple[Compiled, Compiled]:
        """Return both, the whole one first."""
        return (self.whole, self.scoring)


def compile_both(settings: Settings, models: tuple[ModelSpec, ...]) -> Both:
    """Return both definitions of these models; errors as of `compile_pipeline`."""
    whole = compile_pipeline(settings, models)
    return Both(whole, compile_pipeline(settings, whole.models, mode=contract.PREDICT_MODE))


def compile_blueprint(blueprint: Blueprint, local: bool) -> tuple[str, tuple[str, ...]]:
    """Return the compiled definition of a blueprint and the warnings about it; this is what the SDK is needed for.

    Raises:
        DefinitionError: as `compile_pipeline`, but for steps and size.
    """
    from pipelines import limits, shards
    from pipelines.errors import DefinitionError

    definition = _definition(blueprint)
    problems, warnings = limits.check(definition), list[str]()
    text = canonical(definition)
    (warnings if local else problems).extend(shards.check_runtime(blueprint.settings, blueprint.models))
    if problems:
        raise DefinitionError(*problems)
    return text, tuple(warnings)


def draw(
    settings: Settings, models: tuple[ModelSpec, ...], mode: str = contract.FULL
) -> tuple[Blueprint, tuple[Bundle, ...]]:
    """Return the blueprint of a pipeline and the bundles whose addresses it holds."""
    from pipelines import bundles, custom_code, slices
    from pipelines.account import resolve_account
    from pipelines.blueprint import Blueprint

    account = resolve_account(settings)
    prefix = account.prefix
    custom = custom_code.read(settings.code)
    files = {module: custom.files_of(module) if custom else {} for module in bundles.entry_modules(ROOT)}
    code = {module: bundles.code_bundle(ROOT, module, prefix, own) for module, own in files.items()}
    images = {"processing": account.processing_image, "autogluon": account.autogluon_image}
    lineage = slices.lineage(settings, {module: bundle.digest for module, bundle in code.items()}, images)
    parts = {
        kind: bundles.settings_bundle(kind, contract.to_json(content), prefix, contract.SETTINGS_FILE)
        for kind, content in slices.slices(settings, models, account.bucket, custom, lineage).items()
    }
    uris = ({k: b.uri for k, b in code.items()}, {k: b.uri for k, b in parts.items()})
    return Blueprint(settings, models, account, *uris, mode), (*code.values(), *parts.values())


def _definition(blueprint: Blueprint) -> dict[str, Any]:
    with sdk.quick_and_quiet(blueprint.account.region):
        from sagemaker.core.workflow.pipeline_context import PipelineSession

        from pipelines import definition as whole
        from pipelines import scoring_pipeline

        build = scoring_pipeline.build if blueprint.mode == contract.PREDICT_MODE else whole.build
        account = blueprint.account
        session = PipelineSession(boto_session=sdk.InertSession(account.region), default_bucket=account.bucket)
        definition: dict[str, Any] = json.loads(build(blueprint, session).definition())
    return {k: v for k, v in definition.items() if not (v is None and k in NULL_IS_ABSENT)}


def canonical(definition: Mapping[str, Any]) -> str:
    """Return a definition in its one form: sorted keys, two spaces, text kept as UTF-8."""
    return json.dumps(definition, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def compact(text: str) -> str:
    """Return a definition as it is sent: the service counts characters, and blanks would be half of them."""
    return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m pipelines.compile`."""
    line = argparse.ArgumentParser(
        prog="python -m pipelines.compile",
        description="Compile the configuration to the SageMaker pipeline definition, without AWS.",
        epilog="Exit codes: 0 compiled, 2 bad usage, config or data.",
    )
    line.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="F", help="config file (default: %(default)s)"
    )
    line.add_argument("--env", metavar="NAME", help="overlay: the config file's <stem>.<NAME>.yml beside it")
    line.add_argument("--raw", metavar="FOLDER", help="raw folder from which segments are discovered")
    line.add_argument(
        "--lock", action="store_true", help="write the discovered segments to the lock file people commit"
    )
    line.add_argument(
        "--mode",
        choices=contract.MODES,
        default=contract.FULL,
        help="which pipeline: the whole one (full, default), or the one that scores by the approved defaults (predict)",
    )
    line.add_argument("--output", type=Path, metavar="F", help="write the definition to this file instead of stdout")
    return line


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    from pipelines.errors import PipelineError

    try:
        _run(arguments)
    except PipelineError as error:
        for problem in error.problems:
            print(terminal.paragraph(f"error: {problem}"), file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _run(arguments: argparse.Namespace) -> None:
    from pipelines import settings

    config = settings.load(arguments.config, arguments.env)
    if arguments.lock:
        _write_lock(config, arguments)
        return
    chosen = choose(config, arguments.config, arguments.raw, frozen=True)
    compiled = compile_pipeline(config, chosen, mode=arguments.mode)
    if arguments.output:
        _write(arguments.output, compiled.text, "--output")
        print(f"{arguments.output}: sha256 {compiled.sha256}", file=sys.stderr)  # noqa: T201
    else:
        sys.stdout.write(compiled.text)


def _write(path: Path, text: str, flag: str) -> None:
    from pipelines.errors import PipelineError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"{flag}: {path} cannot be written ({error.strerror}); make the folder first") from error


def _write_lock(config: Settings, arguments: argparse.Namespace) -> None:
    from pipelines import discovery, models
    from pipelines.errors import SettingsError
    from pipelines.settings import Segments

    if not isinstance(config.models, Segments):
        raise SettingsError("--lock: the config lists its models, so there is nothing to discover; leave --lock out")
    if not arguments.raw:
        raise SettingsError("--lock: needs the data; give the raw folder with --raw FOLDER")
    path = models.lock_path(arguments.config, config.pipeline.name)
    _write(path, models.dump_lock(config, discovery.count_segments(config, Path(arguments.raw))), "--lock")
    print(f"wrote {path}; commit it", file=sys.stderr)  # noqa: T201


def choose(
    config: Settings, path: Path, raw: str | None, *, frozen: bool, count: Count | None = None
) -> tuple[ModelSpec, ...]:
    """Return the models of a definition: discovered in `raw` where given, else listed, else from the lock file.

    `frozen` asks for the form of a definition that outlives this data: it always has a pooled model. `count` counts
    the segments in `raw` where it need not be read for that.
    """
    from pipelines import discovery, models
    from pipelines.settings import Segments

    if raw:
        census = (count or discovery.count_segments)(config, Path(raw))
        return models.choose_models(config, census, always_pooled=frozen)
    if isinstance(config.models, Segments):
        return models.read_lock(config, models.lock_path(path, config.pipeline.name))
    return models.choose_models(config, None, always_pooled=frozen)


if __name__ == "__main__":
    sys.exit(main())
