from aws_lambda_powertools.utilities.data_classes import SQSEvent

from runner.aws.sqs import sqs_event
from runner.services.event_source_mapping.batch_results import retry_after_s


def test_the_wait_before_a_retry_doubles_up_to_half_a_minute():
    assert [retry_after_s(attempt) for attempt in range(1, 10)] == [1, 1, 1, 2, 4, 8, 16, 30, 30]


def test_a_batch_becomes_lambdas_event():
    message = {"MessageId": "m", "ReceiptHandle": "h", "Body": "{}", "Attributes": {"ApproximateReceiveCount": "2"}}
    (record,) = SQSEvent(sqs_event([message], "queue")).records
    assert (record.message_id, record.receipt_handle, record.body) == ("m", "h", "{}")
    assert record.attributes.approximate_receive_count == "2"
    assert record.queue_url == "https://sqs.us-west-2.amazonaws.com/000000000000/queue"


def test_message_attributes_have_lambdas_form():
    message = {
        "MessageId": "m", "ReceiptHandle": "h", "Body": "{}", "MD5OfMessageAttributes": "abc",
        "MessageAttributes": {
            "kind": {"DataType": "String", "StringValue": "buoy"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00"},
        },
    }  # fmt: skip
    (record,) = sqs_event([message], "queue")["Records"]
    assert record["md5OfMessageAttributes"] == "abc"
    assert record["messageAttributes"] == {
        "kind": {"stringValue": "buoy", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "raw": {"binaryValue": "AA==", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }
    parsed = SQSEvent({"Records": [record]}).records
    assert next(parsed).message_attributes["kind"].string_value == "buoy"
