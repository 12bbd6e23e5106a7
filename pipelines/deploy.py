"""Deploy a release: plan, then apply, or remove what was deployed; CLI `python -m pipelines.deploy`.

`deploy` reads as the flow. Everything is compared before anything is changed, so that a second deployment of the same
release changes nothing; `--plan` stops after the comparison.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import terminal
from pipelines.options import DEFAULT_CONFIG, add_log_level

if TYPE_CHECKING:
    from pipelines.aws.cloud import Cloud
    from pipelines.outside import Outside
    from pipelines.release import Release
    from pipelines.teardown import Teardown

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """examples:
  python -m pipelines.deploy --plan --offline          what would be deployed; needs no account
  python -m pipelines.deploy --cicd                    once, by an admin: buckets, repositories, build projects, roles
  python -m pipelines.deploy --plan                    what would change in the account
  python -m pipelines.deploy                           deploy; again: changes nothing
  python -m pipelines.deploy --env production          with config/pipeline-config.production.yml
  python -m pipelines.deploy --build codebuild         build images in the account, not on this machine
  python -m pipelines.deploy --destroy --plan          what --destroy would remove

exit codes: 0 done, or nothing to do; 1 a stack or an image failed; 2 bad usage, config or credentials

A plan changes nothing: the change set that it asks for is removed again. A template larger than 51,200 bytes has to lie
in the deploy bucket for that, where a plan puts it too."""


def parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m pipelines.deploy`."""
    line = argparse.ArgumentParser(
        prog="python -m pipelines.deploy",
        description="Deploy the pipeline: stack, Lambda code, images, bundles, definition. Each only where it differs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="F", help="config file (default: %(default)s)"
    )
    line.add_argument("--env", metavar="NAME", help="overlay: the config file's <stem>.<NAME>.yml beside it")
    add_log_level(line)
    line.add_argument("--plan", action="store_true", help="show what would change, and change nothing")
    line.add_argument("--offline", action="store_true", help="with --plan: look at no account, need no credentials")
    line.add_argument("--verbose", action="store_true", help="show the definition's difference line by line")
    line.add_argument("--json", action="store_true", help="print the plan as one JSON object on stdout")
    line.add_argument(
        "--build",
        choices=("docker", "codebuild"),
        help="where images are built (default: docker where an engine answers, else codebuild)",
    )
    line.add_argument(
        "--cicd",
        action="store_true",
        help="the CI/CD stack instead: what deploying itself needs (deploy bucket, image repositories, builds, "
        "CodePipeline, roles)",
    )
    line.add_argument(
        "--destroy",
        action="store_true",
        help="list what was deployed, ask, and remove it; data buckets that hold data and registered models stay",
    )
    line.add_argument("--yes", action="store_true", help="with --destroy: do not ask")
    line.add_argument(
        "--data",
        action="store_true",
        help="with --destroy: the data buckets that the stack made too, with all they hold",
    )
    line.add_argument(
        "--images",
        action="store_true",
        help="with --destroy --cicd: the image repositories too, with all images, which else stay",
    )
    return line


def main(argv: Sequence[str] | None = None, outside: Outside | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    from pipelines import logs

    with logs.opened(arguments.log_level):
        return _run(arguments, outside)


def _run(arguments: argparse.Namespace, outside: Outside | None) -> int:
    from pipelines.errors import DeployError, PipelineError
    from pipelines.outside import real_outside

    try:
        _check_usage(arguments)
        return deploy(arguments, outside or real_outside(ROOT))
    except PipelineError as error:
        for problem in error.problems:
            print(terminal.paragraph(f"error: {problem}"), file=sys.stderr)  # noqa: T201
        return 1 if isinstance(error, DeployError) else 2
    except KeyboardInterrupt:
        print("stopped here; what was begun goes on in the account, deploy again to see", file=sys.stderr)  # noqa: T201
        return 1


def _check_usage(arguments: argparse.Namespace) -> None:
    from pipelines.errors import PipelineError

    rules = {
        "--offline needs --plan: nothing can be deployed without an account": arguments.offline and not arguments.plan,
        "--offline and --destroy: what is there is known to the account only": arguments.offline and arguments.destroy,
        "--yes, --data and --images belong to --destroy": not arguments.destroy
        and (arguments.yes or arguments.data or arguments.images),
        "--data belongs to --destroy without --cicd": arguments.data and arguments.cicd,
        "--images belongs to --destroy --cicd, whose repositories hold the images": arguments.images
        and not arguments.cicd,
    }
    broken = [text for text, is_broken in rules.items() if is_broken]
    if broken:
        raise PipelineError(*broken)


def deploy(arguments: argparse.Namespace, outside: Outside) -> int:
    """Deploy, or show what deploying would do; return the exit code."""
    from pipelines.release import read_release

    release = read_release(outside.root, arguments.config, arguments.env)
    if arguments.offline:
        return _show_offline(release, arguments, outside)
    cloud = outside.cloud(release.settings.aws.region, release.settings.aws.account)
    if arguments.destroy:
        return _destroy(cloud, release, arguments, outside)
    _check_names(release, cloud.region)
    if arguments.cicd:
        return _deploy_cicd(cloud, release, arguments, outside)
    return _deploy_pipeline(cloud, release, arguments, outside)


def _check_names(release: Release, region: str) -> None:
    from pipelines.errors import SettingsError
    from pipelines.release import name_problems

    problems = name_problems(release.settings, region)
    if problems:
        raise SettingsError(*problems)


def _deploy_pipeline(cloud: Cloud, release: Release, arguments: argparse.Namespace, outside: Outside) -> int:
    from pipelines import cost, deploy_apply, deploy_state, deploy_text

    ground = deploy_state.read_ground(cloud, release)
    with deploy_apply.reviewed(cloud, ground.stack, ground.cicd.DeployBucketName, outside) as reviewed:
        plan = deploy_state.read_plan(cloud, release, ground, reviewed.plan, outside.now)
        bill = cost.bill(plan.pipeline.request.definition, release.settings)
        lines = [*deploy_text.plan_lines(plan, arguments.verbose), *cost.as_table(bill)]
        _show(arguments, outside, lines, {**deploy_text.plan_document(plan), "cost": cost.as_json(bill)})
        if not (arguments.plan or plan.empty):
            deploy_apply.apply(cloud, release, ground, reviewed, plan, outside, arguments.build)
    return _end(arguments, plan.empty, outside)


def _deploy_cicd(cloud: Cloud, release: Release, arguments: argparse.Namespace, outside: Outside) -> int:
    from pipelines import deploy_apply, deploy_state, deploy_text

    with deploy_apply.reviewed(cloud, deploy_state.read_cicd(cloud, release), None, outside) as reviewed:
        lines, document = deploy_text.stack_lines(reviewed.plan), deploy_text.stack_document(reviewed.plan)
        _show(arguments, outside, lines, {"stack": document})
        if not arguments.plan:
            deploy_apply.apply_stack(cloud, reviewed, None, outside)
    return _end(arguments, reviewed.plan.same, outside)


def _end(arguments: argparse.Namespace, empty: bool, outside: Outside) -> int:
    from pipelines.deploy_text import NOTHING

    ending = "this was a plan, nothing was changed" if arguments.plan else "deployed"
    outside.watch.say(NOTHING if empty else ending)
    return 0


def _show_offline(release: Release, arguments: argparse.Namespace, outside: Outside) -> int:
    from pipelines import cost
    from pipelines.compile import compile_both
    from pipelines.deploy_plan import check_functions
    from pipelines.deploy_text import offline_document, offline_lines

    compiled = compile_both(release.settings, release.models)
    for each in compiled.all:
        check_functions(each.text, release)
    document, bill = offline_document(release, compiled), cost.bill(compiled.whole.text, release.settings)
    lines = [*offline_lines(document), *cost.as_table(bill)]
    _show(arguments, outside, lines, {**document, "cost": cost.as_json(bill)})
    return 0


def _show(arguments: argparse.Namespace, outside: Outside, lines: list[str], document: dict[str, Any]) -> None:
    outside.show(json.dumps(document, ensure_ascii=False, indent=2) if arguments.json else "\n".join(lines))


def _destroy(cloud: Cloud, release: Release, arguments: argparse.Namespace, outside: Outside) -> int:
    from pipelines import teardown

    if arguments.cicd:
        found = teardown.plan_cicd_teardown(cloud, release, arguments.images)
    else:
        found = teardown.plan_teardown(cloud, release, arguments.data)
    document = {"remove": found.removed(), "kept": list(found.kept), "empty": found.empty}
    _show(arguments, outside, found.lines(), document)
    if found.empty:
        outside.watch.say("there is nothing to remove")
    elif not arguments.plan and _agreed(cloud, found, arguments, outside):
        teardown.tear_down(cloud, found, outside)
        outside.watch.say("removed")
    return 0


def _agreed(cloud: Cloud, found: Teardown, arguments: argparse.Namespace, outside: Outside) -> bool:
    """Ask whether the listed things shall go."""
    from pipelines.errors import PipelineError

    if arguments.yes:
        return True
    name = found.stack.name if found.stack else "everything above"
    answer = outside.ask(f"remove {name} from account {cloud.account}, {cloud.region}? type yes: ")
    if answer.strip().lower() != "yes":
        raise PipelineError("not removed: nobody said yes; answer at a terminal, or give --yes")
    return True


if __name__ == "__main__":
    sys.exit(main())
