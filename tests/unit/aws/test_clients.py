import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.aws import clients
from runner.errors import LocalOnlyError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566",
        "http://127.8.9.1:1",
        "http://localhost:4566",
        "http://[::1]:4566",
        "HTTP://LocalHost:4566/",
        "http://emulator:4566",
    ],
)
def test_local_endpoints_are_accepted(url: str):
    assert clients.require_local(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "https://s3.us-west-2.amazonaws.com",
        "http://10.0.0.7:4566",
        "http://localhost.example.org:4566",
        "http://127.0.0.1.nip.io:4566",
        "http://localhost@example.org",
        "127.0.0.1:4566",
        "http://localhost.evil.com",
        "http://127.0.0.1@evil.com",
        "http://user@127.0.0.1:4566",
        "http://evil.com\\@127.0.0.1:4566",
        "http://evil.com#@127.0.0.1",
        "http://127.0.0.1:4566/../",
        "http://127.0.0.1\t.evil.com",
        "http://0.0.0.0:4566",
        "http://[::]:4566",
        "http://2130706433:4566",
        "http://0x7f000001:4566",
        "http://127.1:4566",
        "http://１２７.0.0.1:4566",
        "http://169.254.169.254",
        "ftp://127.0.0.1",
        "http://",
    ],
)
def test_any_other_endpoint_is_refused(url: str | None):
    with pytest.raises(LocalOnlyError) as caught:
        clients.require_local(url)
    assert str(caught.value) == (
        f"AWS_ENDPOINT_URL={url!r} is not on this machine, and the local stack never contacts real AWS. "
        "Unset it, or set it to a local address such as http://127.0.0.1:4566."
    )


def test_local_clients_ignore_the_developers_credentials(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    client = clients.local_s3("http://127.0.0.1:9")
    credentials = client._request_signer._credentials  # no public way to ask a client
    assert (credentials.access_key, credentials.secret_key) == ("test", "test")
    assert client.meta.endpoint_url == "http://127.0.0.1:9"


def test_local_clients_use_no_profile_no_file_and_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "config").write_text("this is no configuration")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "of-somebody-else")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.us-west-2.amazonaws.com")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    client = clients.local_s3("http://127.0.0.1:9")
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.config.proxies == {}


def test_threads_create_separate_local_clients_at_the_same_time():
    begin = threading.Barrier(8)

    def make(number: int) -> tuple[str, str]:
        begin.wait()
        service = "s3" if number % 2 else "sqs"
        client = clients.local_client(service, f"http://127.0.0.1:{number + 1}")
        return client.meta.service_model.service_name, client.meta.endpoint_url

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(make, range(8)))
    assert made == [("s3" if number % 2 else "sqs", f"http://127.0.0.1:{number + 1}") for number in range(8)]


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_CONFIG_FILE", "HTTP_PROXY", "https_proxy"])
def test_variables_that_make_a_client_bypass_the_endpoint_are_known(name: str):
    assert clients.leads_away(name)
    assert not any(map(clients.leads_away, ("PATH", "HOME", "TSDAT_S3_BUCKET_NAME")))


def test_children_get_fake_credentials_only():
    environment = clients.local_environment("http://127.0.0.1:9")
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"
    with pytest.raises(LocalOnlyError):
        clients.local_environment("https://sqs.us-west-2.amazonaws.com")
