"""The pipeline as the SageMaker SDK sees it: a blueprint becomes a `Pipeline`, one short function per kind of step.

Pure construction: no call leaves the machine. `build` reads as the graph; both tails of the gate come from `_tail`,
because SageMaker cannot join two branches of a ConditionStep.
To add a step, write one more line in `build` with `processing_step` or `lambda_step` (docs/how-to/change-the-graph.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker.core.shapes import ProcessingInput
from sagemaker.core.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import JsonGet
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines import slices
from pipelines.blueprint import Blueprint
from pipelines.models import ModelSpec
from pipelines.parts import (
    Bench,
    Job,
    Value,
    cached,
    given,
    join,
    lambda_step,
    made,
    parameters,
    prepared,
    processing_step,
    text,
    text_outputs,
    uri_of,
)
from pipelines.shards import Shard, count_waves
from steps import contract as c


def build(blueprint: Blueprint, session: PipelineSession) -> Pipeline:
    """Return the pipeline of a blueprint: the graph, in the order in which its steps can start."""
    bench = Bench(blueprint, session, parameters(blueprint.settings, c.FULL))
    started = notify(bench, c.NOTIFY_STARTED, c.STARTED, {}, [])
    training = _prepare_training(bench)
    prediction = prepare_prediction(bench, uri_of(training, c.OUT_SCHEMA))
    check = check_data(bench, prediction, {c.KEY_TRAIN: uri_of(training, c.OUT_TRAIN)})
    trains = {shard.name: _train(bench, shard, training, check) for shard in blueprint.shards}
    judge = _judge(bench, trains)
    told = {c.KEY_VERDICTS: judge_verdicts(judge), c.KEY_CONTRACT: contract_of(check)}
    trained = notify(bench, c.NOTIFY_TRAINED, c.TRAINED_MAIL, told, [judge])
    upstream = Upstream(training, prediction, check, trains, judge)
    gate = _gate(bench, upstream, _fresh_branch(bench, upstream), _fallback_branch(bench, upstream))
    return Pipeline(
        name=blueprint.settings.pipeline.name,
        parameters=list(bench.parameters.values()),
        steps=[started, training, prediction, check, *trains.values(), judge, trained, gate],
        sagemaker_session=session,
        pipeline_experiment_config=None,
    )


@dataclass(frozen=True)
class Upstream:
    """The steps before the gate, to which both branches refer; `judge` has the verdicts.

    A pipeline that trains nothing has neither `training` nor `trains`.
    """

    training: ProcessingStep | None
    prediction: ProcessingStep
    check: LambdaStep
    trains: Mapping[str, ProcessingStep]
    judge: LambdaStep


def _prepare_training(bench: Bench) -> ProcessingStep:
    blueprint, settings = bench.blueprint, bench.settings
    return processing_step(
        bench,
        c.PREPARE_TRAINING,
        _prepare_job(bench, slices.PREPARE_TRAINING, "training", c.TRAIN_DATA_VERSION),
        _raw_inputs(bench, c.TRAIN_DATA_VERSION),
        [
            made(c.OUT_TRAIN, blueprint.execution_uri("prepare-training", "train")),
            made(c.OUT_SCHEMA, blueprint.execution_uri("prepare-training", "schema")),
        ],
        cache_config=cached(settings),
        description="Read the raw training files, type them once, split off the holdout, one folder per model",
    )


def _prepare_job(bench: Bench, slice_kind: str, mode: str, version: str) -> Job:
    arguments = (mode, "--version", bench.parameters[version], "--raw", bench.parameters[c.RAW_DATA_URI])
    image = bench.blueprint.account.processing_image
    return Job("prepare", image, bench.settings.instances.prepare, slice_kind, arguments)


def _raw_inputs(bench: Bench, version: str) -> list[ProcessingInput]:
    """Mount the files that the manifest of a data version lists, and no other file of the raw folder."""
    folder = join(bench.blueprint.account.prefix, c.MANIFESTS_DIR, bench.parameters[version], "")
    files = join(bench.blueprint.account.prefix, c.MANIFESTS_DIR, bench.parameters[version], c.FILES_FILE)
    return [given(c.IN_MANIFEST, folder), given(c.IN_RAW, files, manifest=True)]


def prepare_prediction(bench: Bench, schema: Value) -> ProcessingStep:
    """Return the step that prepares the rows to predict; `schema` is the URI of the folder of their schema."""
    return processing_step(
        bench,
        c.PREPARE_PREDICTION,
        _prepare_job(bench, slices.PREPARE_PREDICTION, "prediction", c.PREDICT_DATA_VERSION),
        [*_raw_inputs(bench, c.PREDICT_DATA_VERSION), given(c.IN_SCHEMA, schema)],
        [
            made(name, bench.blueprint.execution_uri("prepare-prediction", name))
            for name in (c.OUT_PREDICT, c.OUT_PARTS)
        ],
        cache_config=cached(bench.settings),
        description="Read the raw prediction files with the types of the training data, one folder per model",
    )


def check_data(bench: Bench, prediction: ProcessingStep, train: Mapping[str, Value], **more: Any) -> LambdaStep:
    """Return the step that checks the rows to predict: against training data, where there are any, and defaults."""
    inputs = {
        **train,
        c.KEY_PREDICT: uri_of(prediction, c.OUT_PREDICT),
        c.KEY_OUTPUT: bench.blueprint.execution_uri("check"),
    }
    outputs = [*text_outputs(c.OUT_CONTRACT), LambdaOutput(c.OUT_WARNINGS, LambdaOutputTypeEnum.Integer)]
    told = "training data, data to predict and approved defaults before anything is trained"
    what = f"Compare {told if train else 'the data to predict with the approved defaults before anything is scored'}"
    return lambda_step(bench, c.CHECK_DATA, c.LAMBDA_CHECK, inputs, outputs=outputs, description=what, **more)


def contract_of(check: LambdaStep) -> Value:
    """Return the reference to the URI of contract.json."""
    return check.properties.Outputs[c.OUT_CONTRACT]


def _train(bench: Bench, shard: Shard, training: ProcessingStep, check: LambdaStep) -> ProcessingStep:
    blueprint, settings = bench.blueprint, bench.settings
    limit = ("--time-limit", text(bench.parameters[c.TRAIN_TIME_LIMIT]))
    image, instance = blueprint.account.autogluon_image, settings.instances.train
    waves = count_waves(shard, instance.type)
    return processing_step(
        bench,
        f"{c.TRAIN}-{shard.name}",
        Job("train", image, instance, slices.train_kind(shard.name), limit, shard.name, waves),
        [prepared(c.IN_PREPARED, uri_of(training, c.OUT_TRAIN), shard)],
        [
            made(c.OUT_MODEL, blueprint.execution_uri("train", shard.name, "model")),
            made(c.OUT_EVALUATION, blueprint.execution_uri("train", shard.name, "evaluation")),
        ],
        depends_on=[check],
        property_files=[_evaluation_file(model) for model in shard.models] if shard.alone else None,
        cache_config=cached(settings) if settings.training.on_transient_failure == "fail" else None,
        description=f"Train AutoGluon on the rows of {shard} and measure its MAE on the holdout",
    )


def _evaluation_file(model: ModelSpec) -> PropertyFile:
    return PropertyFile(
        name=f"Evaluation-{model.slug}",
        output_name=c.OUT_EVALUATION,
        path=f"{model.slug}/{c.EVALUATION_FILE}",
    )


def _judge(bench: Bench, trains: Mapping[str, ProcessingStep]) -> LambdaStep:
    inputs = {
        c.KEY_THRESHOLD: bench.parameters[c.MAE_THRESHOLD],
        c.KEY_OUTPUT: bench.blueprint.execution_uri("judge"),
        **_evaluations(trains),
    }
    outputs = [LambdaOutput(c.OUT_REJECTED, LambdaOutputTypeEnum.Integer), *text_outputs(c.OUT_VERDICTS)]
    description = "Apply every rule of the gate to every model's evaluation and write verdicts.json"
    return lambda_step(bench, c.JUDGE, c.LAMBDA_JUDGE, inputs, outputs=outputs, description=description)


def judge_verdicts(judge: LambdaStep) -> Value:
    """Return the reference to the URI of verdicts.json."""
    return judge.properties.Outputs[c.OUT_VERDICTS]


def _evaluations(trains: Mapping[str, ProcessingStep]) -> dict[str, Value]:
    return {c.evaluation_key(unit): uri_of(step, c.OUT_EVALUATION) for unit, step in trains.items()}


def _artifacts(trains: Mapping[str, ProcessingStep]) -> dict[str, Value]:
    return {c.model_key(unit): uri_of(step, c.OUT_MODEL) for unit, step in trains.items()}


def notify(bench: Bench, name: str, kind: str, inputs: Mapping[str, Value], depends_on: list[Any]) -> LambdaStep:
    """Return a step that mails: of a kind, with what it has to tell of."""
    data = [key for key in (c.RAW_DATA_URI, c.TRAIN_DATA_VERSION, c.PREDICT_DATA_VERSION) if key in bench.parameters]
    inputs = {
        c.KEY_KIND: kind,
        c.KEY_STARTED: ExecutionVariables.START_DATETIME,
        **({} if bench.blueprint.mode == c.FULL else {c.KEY_MODE: bench.blueprint.mode}),
        **{key: bench.parameters[key] for key in data},
        **inputs,
    }
    what = "Mail each model's MAE and verdict" if kind == c.TRAINED_MAIL else f"Mail the team that the run has {kind}"
    more = {"depends_on": depends_on} if depends_on else {}
    outputs = text_outputs(c.OUT_SENT)
    return lambda_step(bench, name, c.LAMBDA_NOTIFY, inputs, outputs=outputs, description=what, **more)


def _gate(bench: Bench, upstream: Upstream, fresh: list[Any], fallback: list[Any]) -> ConditionStep:
    """Send the run to the fresh models only if every model's MAE holds and Judge rejected none.

    A property file belongs to a step, so that Judge alone speaks for the models of a shard.
    """
    conditions = [_mae_condition(bench, s.models[0], upstream) for s in bench.blueprint.shards if s.alone]
    rejected = upstream.judge.properties.Outputs[c.OUT_REJECTED]
    return ConditionStep(
        c.GATE,
        conditions=[*conditions, ConditionLessThanOrEqualTo(left=rejected, right=0)],
        if_steps=fresh,
        else_steps=fallback,
        display_name=c.GATE,
        description="MAE of each model within its threshold, and no model rejected by any other rule",
    )


def _mae_condition(bench: Bench, model: ModelSpec, upstream: Upstream) -> ConditionLessThanOrEqualTo:
    own = bench.settings.threshold_of(model.name)
    mae = JsonGet(
        step_name=upstream.trains[model.slug].name,
        property_file=_evaluation_file(model),
        json_path=c.MAE_PATH,
    )
    return ConditionLessThanOrEqualTo(left=mae, right=own if own is not None else bench.parameters[c.MAE_THRESHOLD])


def _fresh_branch(bench: Bench, upstream: Upstream) -> list[Any]:
    image, infers = bench.blueprint.account.autogluon_image, []
    for shard in bench.blueprint.shards:
        made_by = uri_of(upstream.trains[shard.name], c.OUT_MODEL)
        artifact = join(made_by, shard.name, "") if shard.alone else made_by
        infers.append(_infer(bench, upstream, Served(shard, image, given(c.IN_MODEL, artifact))))
    ending = tail(bench, upstream, "", infers)
    return [*infers, *ending, _register(bench, upstream, "", [ending[0]])]


def _fallback_branch(bench: Bench, upstream: Upstream) -> list[Any]:
    register = _register(bench, upstream, c.FALLBACK, [])
    decides = decide_all(bench, upstream, register)
    infers = infer_defaults(bench, upstream, decides, c.FALLBACK)
    return [register, *decides, *infers, *tail(bench, upstream, c.FALLBACK, infers, decides)]


def infer_defaults(
    bench: Bench, upstream: Upstream, decides: Sequence[LambdaStep], suffix: str, **more: Any
) -> list[ProcessingStep]:
    """Return the steps that score by what was decided, one per job."""
    infers = []
    for position, shard in enumerate(bench.blueprint.shards):
        outputs = decides[position // c.DECIDE_WIDTH].properties.Outputs
        artifact, image = (outputs[name] for name in c.decide_outputs(position % c.DECIDE_WIDTH))
        model = given(c.IN_MODEL, artifact, manifest=not shard.alone)
        decision = given(c.IN_DECISION, outputs[c.OUT_DECISION])
        infers.append(_infer(bench, upstream, Served(shard, image, model, suffix, (decision,)), **more))
    return infers


@dataclass(frozen=True)
class Served:
    """The models of a job with the artifacts that score their rows and the image these load in."""

    shard: Shard
    image: Value
    artifacts: ProcessingInput
    suffix: str = ""
    inputs: tuple[ProcessingInput, ...] = ()


def _infer(bench: Bench, upstream: Upstream, served: Served, **more: Any) -> ProcessingStep:
    shard, instance = served.shard, bench.settings.instances.infer
    trained = [uri_of(upstream.trains[shard.name], c.OUT_EVALUATION)] if upstream.trains else []
    return processing_step(
        bench,
        f"{c.INFER}{served.suffix}-{shard.name}",
        Job("infer", served.image, instance, slices.infer_kind(shard.name), (), shard.name, count=instance.count),
        [
            prepared(c.IN_PREDICT, uri_of(upstream.prediction, c.OUT_PREDICT), shard),
            prepared(c.IN_PARTS, uri_of(upstream.prediction, c.OUT_PARTS), shard, shared=instance.count > 1),
            served.artifacts,
            *(given(c.IN_EVALUATION, uri) for uri in trained),
            *served.inputs,
        ],
        [made(c.OUT_PREDICTIONS, bench.blueprint.execution_uri(f"{served.suffix.lower()}infer"))],
        description=f"Predict the rows of {shard}, streamed in batches",
        **more,
    )


def tail(
    bench: Bench, upstream: Upstream, suffix: str, infers: list[Any], decides: Sequence[LambdaStep] = ()
) -> list[Any]:
    """Return the end of a branch: join the predictions, then mail."""
    inputs = [given(c.IN_DECISION, step.properties.Outputs[c.OUT_DECISIONS]) for step in decides[:1]]
    post = _postprocess(bench, upstream, suffix, infers, inputs)
    results = {c.KEY_PREDICTIONS: uri_of(post, c.OUT_PREDICTIONS), c.KEY_VERDICTS: judge_verdicts(upstream.judge)}
    return [post, notify(bench, c.NOTIFY_FINISHED + suffix, c.FINISHED, results, [post])]


def _postprocess(
    bench: Bench, upstream: Upstream, suffix: str, infers: list[Any], inputs: Sequence[ProcessingInput]
) -> ProcessingStep:
    """Take the URI that all Infer steps of the branch share from the first, and wait for all of them."""
    train = [uri_of(upstream.training, c.OUT_TRAIN)] if upstream.training else []
    predict = uri_of(upstream.prediction, c.OUT_PREDICT)
    image, instance = bench.blueprint.account.processing_image, bench.settings.instances.postprocess
    return processing_step(
        bench,
        c.POSTPROCESS + suffix,
        Job("postprocess", image, instance, slices.POSTPROCESS, _postprocess_arguments(bench)),
        [
            given(c.IN_INFERENCE, uri_of(infers[0], c.OUT_PREDICTIONS)),
            given(c.IN_VERDICTS, judge_verdicts(upstream.judge)),
            given(c.IN_CONTRACT, contract_of(upstream.check)),
            *(given(c.IN_TRAIN_DATA, join(uri, c.DATA_FILE)) for uri in train),
            given(c.IN_PREDICT_DATA, join(predict, c.DATA_FILE)),
            *inputs,
        ],
        [made(c.OUT_PREDICTIONS, bench.blueprint.execution_uri("predictions"))],
        depends_on=list(infers),
        description="Join the predictions in the order of the prediction files; write summary and report",
    )


def _postprocess_arguments(bench: Bench) -> tuple[Value, ...]:
    own = {
        "--raw": c.RAW_DATA_URI,
        "--train-version": c.TRAIN_DATA_VERSION,
        "--predict-version": c.PREDICT_DATA_VERSION,
    }
    given_here = {flag: bench.parameters[name] for flag, name in own.items() if name in bench.parameters}
    started = text(ExecutionVariables.START_DATETIME)
    execution = {"--execution": ExecutionVariables.PIPELINE_EXECUTION_ID, "--started": started}
    return tuple(part for pair in (execution | given_here).items() for part in pair)


def _register(bench: Bench, upstream: Upstream, suffix: str, depends_on: list[Any]) -> LambdaStep:
    inputs = {
        c.KEY_VERDICTS: judge_verdicts(upstream.judge),
        c.KEY_REGISTRY: f"{bench.blueprint.account.prefix}/{c.REGISTRY_DIR}",
        c.KEY_IMAGE: bench.blueprint.account.autogluon_image,
        c.TRAIN_DATA_VERSION: bench.parameters[c.TRAIN_DATA_VERSION],
        **_artifacts(upstream.trains),
        **_evaluations(upstream.trains),
    }
    outputs = [LambdaOutput(c.OUT_REGISTERED, LambdaOutputTypeEnum.Integer)]
    more = {"depends_on": depends_on} if depends_on else {}
    description = "Register every model that trained, with its verdict"
    return lambda_step(
        bench, c.REGISTER_MODELS + suffix, c.LAMBDA_REGISTER, inputs, outputs=outputs, description=description, **more
    )


def decide_all(bench: Bench, upstream: Upstream, after: LambdaStep) -> list[LambdaStep]:
    """Return the steps that decide which model serves each segment, each for its share of the jobs."""
    jobs = len(bench.blueprint.shards)
    return [_decide(bench, upstream, first, after) for first in range(0, jobs, c.DECIDE_WIDTH)]


def _decide(bench: Bench, upstream: Upstream, first: int, after: LambdaStep) -> LambdaStep:
    number = first // c.DECIDE_WIDTH + 1
    here = len(bench.blueprint.shards[first : first + c.DECIDE_WIDTH])
    inputs = {
        c.KEY_POLICY: bench.parameters.get(c.FALLBACK_POLICY, bench.settings.fallback.policy),
        c.KEY_VERDICTS: judge_verdicts(upstream.judge),
        c.KEY_OUTPUT: bench.blueprint.execution_uri("decide"),
        c.KEY_PREDICT: uri_of(upstream.prediction, c.OUT_PREDICT),
        c.KEY_IMAGE: bench.blueprint.account.autogluon_image,
        c.KEY_FIRST: first,
        **_artifacts(upstream.trains),
        **_evaluations(upstream.trains),
    }
    names = [name for position in range(here) for name in c.decide_outputs(position)]
    return lambda_step(
        bench,
        c.DECIDE if number == 1 else f"{c.DECIDE}-{number}",
        c.LAMBDA_DECIDE,
        inputs,
        outputs=text_outputs(c.OUT_DECISION, c.OUT_DECISIONS, *names),
        depends_on=[after],
        description="Choose the model that serves each segment: fresh, registered default, or none",
    )
