"""What scripts/sam adds for SAM CLI: names of build arguments without values, and S3's address for local runs only."""

from pathlib import Path

import pytest

from runner.aws import clients
from runner.cli.deploy import sam
from runner.errors import StackError, TemplateError
from runner.template.cfn_yaml import load

TEMPLATE = Path("template.yaml")
FUNCTION = "PipelineFunction"
LOCAL = clients.local_environment("http://emulator:4566")


def test_sam_build_gets_the_names_of_the_variables_in_env_and_no_value():
    known = {"LAMBDA_BASE": "own/base:1", "PIP_INDEX_URL": "https://name:secret@mirror.example.org", "IMAGE_TAG": "b2"}
    template = sam.with_build_arguments(load(TEMPLATE), known, ca="ca.pem")
    changed = template["Resources"][FUNCTION]["Metadata"]
    original = load(TEMPLATE)["Resources"][FUNCTION]["Metadata"]
    assert changed == original | {
        "DockerBuildExtraParams": [
            "--secret", "id=ca,src=ca.pem", "--build-arg", "LAMBDA_BASE", "--build-arg", "PIP_INDEX_URL"
        ],
        "DockerImage": "pipelinefunction-b2",
    }  # fmt: skip
    template["Resources"][FUNCTION]["Metadata"] = original
    assert template == load(TEMPLATE)


def test_without_env_sam_builds_as_the_template_says():
    template = sam.with_build_arguments(load(TEMPLATE), {}, ca="ca.pem")
    metadata = template["Resources"][FUNCTION]["Metadata"]
    assert metadata.pop("DockerBuildExtraParams") == ["--secret", "id=ca,src=ca.pem"]
    assert template == load(TEMPLATE)


def test_sam_local_gets_the_local_endpoint_with_fake_credentials():
    template = sam.with_local_s3(load(TEMPLATE), LOCAL)
    variables = template["Resources"][FUNCTION]["Properties"]["Environment"]["Variables"]
    assert variables == load(TEMPLATE)["Resources"][FUNCTION]["Properties"]["Environment"]["Variables"] | LOCAL


def test_a_template_without_an_image_function_is_refused():
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}
    with pytest.raises(TemplateError, match="no function of PackageType Image, so there is nothing to build"):
        sam.with_local_s3(template, LOCAL)


def test_sam_local_without_a_stack_says_which_one_it_needs():
    with pytest.raises(StackError) as error:
        sam.network_of(None)
    assert str(error.value) == (
        "No stack runs, and `sam local` needs S3 in a Docker network. Start one: `runner up --docker`."
    )


def test_a_stand_in_is_not_deployed_but_may_be_rehearsed():
    known = {"LAMBDA_BASE": "tsdat-local/lambda-base:3.13"}
    with pytest.raises(StackError) as error:
        sam.refuse_stand_ins(known)
    assert str(error.value) == (
        "LAMBDA_BASE=tsdat-local/lambda-base:3.13 is a stand-in that was built on this machine, without Amazon Linux. "
        "Deploy only images on AWS's base: delete the line from .env (or unset the variable), and try again where you "
        "can reach a registry."
    )
    with pytest.raises(StackError):
        sam.refuse_stand_ins(known | {"AWS_ENDPOINT_URL": "https://cloudformation.us-west-2.amazonaws.com"})
    sam.refuse_stand_ins(known | {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    sam.refuse_stand_ins({"LAMBDA_BASE": "mirror.example.org/lambda/python:3.13"})
    sam.refuse_stand_ins({})
