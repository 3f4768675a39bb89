"""What SAM CLI is told: names of build arguments but no values, and S3's address for local runs only."""

from pathlib import Path

import pytest

from runner.aws import clients
from runner.cli.deploy import sam
from runner.errors import StackError, TemplateError
from runner.template import cfn_yaml

TEMPLATE = Path("template.yaml")
FUNCTION = "PipelineFunction"
LOCAL = clients.local_environment("http://localstack:4566")


def test_sam_build_is_told_the_names_of_what_env_says_and_no_value():
    said = {"LAMBDA_BASE": "own/base:1", "PIP_INDEX_URL": "https://name:secret@mirror.example.org", "IMAGE_TAG": "b2"}
    told = sam.told_what_to_build_with(cfn_yaml.load(TEMPLATE), said, ca="ca.pem")
    changed = told["Resources"][FUNCTION]["Metadata"]
    original = cfn_yaml.load(TEMPLATE)["Resources"][FUNCTION]["Metadata"]
    assert changed == original | {
        "DockerBuildExtraParams": [
            "--secret", "id=ca,src=ca.pem", "--build-arg", "LAMBDA_BASE", "--build-arg", "PIP_INDEX_URL"
        ],
        "DockerImage": "pipelinefunction-b2",
    }  # fmt: skip
    told["Resources"][FUNCTION]["Metadata"] = original
    assert told == cfn_yaml.load(TEMPLATE)


def test_without_env_sam_builds_what_the_template_says():
    told = sam.told_what_to_build_with(cfn_yaml.load(TEMPLATE), {}, ca="ca.pem")
    metadata = told["Resources"][FUNCTION]["Metadata"]
    assert metadata.pop("DockerBuildExtraParams") == ["--secret", "id=ca,src=ca.pem"]
    assert told == cfn_yaml.load(TEMPLATE)


def test_sam_local_is_told_where_s3_is_with_fake_credentials():
    told = sam.told_where_s3_is(cfn_yaml.load(TEMPLATE), LOCAL)
    variables = told["Resources"][FUNCTION]["Properties"]["Environment"]["Variables"]
    assert variables == cfn_yaml.load(TEMPLATE)["Resources"][FUNCTION]["Properties"]["Environment"]["Variables"] | LOCAL


def test_a_template_without_an_image_function_is_refused():
    described = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}
    with pytest.raises(TemplateError, match="no function of PackageType Image, so there is nothing to build"):
        sam.told_where_s3_is(described, LOCAL)


def test_sam_local_without_a_stack_says_which_one_it_needs():
    with pytest.raises(StackError) as error:
        sam.network_of(None)
    assert str(error.value) == (
        "No stack runs, and `sam local` needs S3 in a Docker network. Start one: `runner up --docker`."
    )


def test_env_files_are_read_as_compose_reads_plain_lines():
    text = "# LAMBDA_BASE=no\nLAMBDA_BASE=own/base:1\n\nPIP_INDEX_URL='https://mirror.example.org/?a=b'\n"
    assert sam.dotenv(text) == {"LAMBDA_BASE": "own/base:1", "PIP_INDEX_URL": "https://mirror.example.org/?a=b"}


def test_a_stand_in_is_not_deployed_but_may_be_rehearsed():
    said = {"LAMBDA_BASE": "tsdat-local/lambda-base:3.13"}
    with pytest.raises(StackError) as error:
        sam.refuse_stand_ins(said)
    assert str(error.value) == (
        "LAMBDA_BASE=tsdat-local/lambda-base:3.13 is a stand-in that was made for this machine, without Amazon Linux. "
        "Deploy only what is built on AWS's base: delete the line from .env (or unset the variable), and try again "
        "where a registry can be reached."
    )
    with pytest.raises(StackError):
        sam.refuse_stand_ins(said | {"AWS_ENDPOINT_URL": "https://cloudformation.us-west-2.amazonaws.com"})
    sam.refuse_stand_ins(said | {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    sam.refuse_stand_ins({"LAMBDA_BASE": "mirror.example.org/lambda/python:3.13"})
    sam.refuse_stand_ins({})
