"""The function's role, from each edit of the shipped template."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import TemplateError
from tests.support.stacks import SHIPPED
from tests.unit.template.test_aws_rules import changed

ACTIONS = "Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]"
ROLE = "      Role: !GetAtt PipelineRole.Arn\n"


def test_the_role_has_the_policies_with_plain_values(tmp_path: Path):
    role = changed(tmp_path, "Timeout: 120", "Timeout: 120").role
    assert role
    assert role.resource == "PipelineRole"
    assert role.policies.keys() == {"pipelines", "lambda"}
    first = role.policies["pipelines"]["Statement"][0]
    assert first == {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{SHIPPED.source_bucket}/*",
    }
    assert role.trust["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}


@pytest.mark.parametrize("action", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])
def test_a_role_that_cannot_read_the_queue_is_refused(tmp_path: Path, action: str):
    others = [one for one in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes") if one != action]
    with pytest.raises(TemplateError) as caught:
        changed(tmp_path, ACTIONS, f"Action: [{', '.join(others)}]")
    assert str(caught.value) == (
        f"template.yaml: Resources.PipelineRole.Properties.Policies: none allows {action} on "
        "arn:aws:sqs:us-west-2:000000000000:tsdat-pipeline-lambda-queue. Lambda reads the queue with this role, and "
        "AWS refuses an event source mapping without it. Add the action to a statement."
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (ROLE, "", "Resources.PipelineFunction.Properties.Role names no AWS::IAM::Role of this template"),
        (ROLE, "      Role: arn:aws:iam::1:role/x\n",
         "Resources.PipelineFunction.Properties.Role names no AWS::IAM::Role of this template"),
        ("      Description: !Sub Permissions", "      ManagedPolicyArns: [x]\n      Description: !Sub Permissions",
         "Resources.PipelineRole.Properties.ManagedPolicyArns names policies that are not in this template"),
    ],
)  # fmt: skip
def test_rights_that_are_not_known_here_are_a_warning(tmp_path: Path, old: str, new: str, reason: str):
    stack = changed(tmp_path, old, new)
    assert stack.role is None
    assert (
        f"template.yaml: Resources.PipelineFunction.Properties: rights are not checked here, because {reason}."
        in stack.warnings
    )


def test_a_policy_without_a_document_names_the_role(tmp_path: Path):
    with pytest.raises(TemplateError, match="Resources.PipelineRole.Properties.Policies: each policy needs PolicyName"):
        changed(tmp_path, "- PolicyName: lambda\n", "- Name: lambda\n")


def test_a_permissions_boundary_is_a_warning_because_it_has_no_effect_here(tmp_path: Path):
    boundary = "PermissionsBoundaryArn:\n    Type: String\n    Default: "
    stack = changed(tmp_path, f'{boundary}""', f"{boundary}arn:aws:iam::123456789012:policy/boundary")
    assert stack.role
    assert stack.warnings == (
        "template.yaml: Resources.PipelineRole.Properties.PermissionsBoundary: has no effect here: it may refuse on "
        "AWS what the role's policies allow.",
    )
