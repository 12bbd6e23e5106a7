"""The pipeline that scores only: every segment served by its approved default, nothing trained, judged or registered.

The same steps as behind the gate's "no", by the functions of `definition`: only what stands before them differs. The
defaults' own columns type the rows to predict (docs/decisions/019).
"""

from __future__ import annotations

from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.lambda_step import LambdaStep
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipelines.blueprint import Blueprint
from pipelines.definition import Upstream, check_data, decide_all, infer_defaults, notify, prepare_prediction, tail
from pipelines.parts import Bench, lambda_step, parameters, text_outputs
from steps import contract as c


def build(blueprint: Blueprint, session: PipelineSession) -> Pipeline:
    """Return the scoring pipeline of a blueprint, in the order in which its steps can start."""
    settings = blueprint.settings
    bench = Bench(blueprint, session, parameters(settings, c.PREDICT_MODE))
    started = notify(bench, c.NOTIFY_STARTED, c.STARTED, {}, [])
    defaults = _choose_defaults(bench)
    prediction = prepare_prediction(bench, defaults.properties.Outputs[c.OUT_DEFAULTS_SCHEMA])
    upstream = Upstream(None, prediction, defaults, {}, defaults)
    decides = decide_all(bench, upstream, defaults)
    check = check_data(bench, prediction, {}, depends_on=list(decides))
    upstream = Upstream(None, prediction, check, {}, defaults)
    infers = infer_defaults(bench, upstream, decides, "", depends_on=[check])
    return Pipeline(
        name=c.pipeline_name(settings.pipeline.name, c.PREDICT_MODE),
        parameters=list(bench.parameters.values()),
        steps=[started, defaults, prediction, *decides, check, *infers, *tail(bench, upstream, "", infers, decides)],
        sagemaker_session=session,
        pipeline_experiment_config=None,
    )


def _choose_defaults(bench: Bench) -> LambdaStep:
    """Return the step that finds the defaults: their columns, which type the rows, and what is known of them."""
    inputs = {c.KEY_KIND: c.DEFAULTS, c.KEY_OUTPUT: bench.blueprint.execution_uri("defaults")}
    return lambda_step(
        bench,
        c.CHOOSE_DEFAULTS,
        c.LAMBDA_DECIDE,
        inputs,
        outputs=text_outputs(c.OUT_DEFAULTS_SCHEMA, c.OUT_VERDICTS),
        description="Find the approved default of each segment, with its columns and its recorded MAE",
    )
