# A stand-in for localstack/localstack, for machines without access to a registry: the same release from its Python
# package, with the same environment variables and port.
ARG PYTHON_BASE=tsdat-local/python-base:3.13

FROM ${PYTHON_BASE} AS packages
ARG PIP_INDEX_URL=
# The value "rehearsal" adds CloudFormation and the other services that the deployment rehearsal needs.
ARG REQUIREMENTS=localstack
COPY requirements/uv.txt requirements/${REQUIREMENTS}.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/${REQUIREMENTS}.txt /opt/python && python3 -m compileall -q -j0 /opt/python

FROM ${PYTHON_BASE}
COPY --from=packages /opt/python /opt/python
# LocalStack expects these three folders in a container.
RUN useradd --uid 1000 --create-home --home-dir /var/lib/localstack localstack \
    && mkdir -p /usr/lib/localstack /etc/localstack && chown localstack: /usr/lib/localstack /etc/localstack
USER localstack
WORKDIR /var/lib/localstack
# 0.0.0.0 is an address in the container; compose.yaml publishes the port on the host. DISABLE_EVENTS,
# SKIP_SSL_CERT_DOWNLOAD and DNS_ADDRESS keep LocalStack off the internet.
ENV PYTHONPATH=/opt/python \
    PYTHONUNBUFFERED=1 \
    GATEWAY_LISTEN=0.0.0.0:4566 \
    SERVICES=s3,sqs,sts \
    DISABLE_EVENTS=1 \
    SKIP_SSL_CERT_DOWNLOAD=1 \
    DNS_ADDRESS=0
# Build the index of all services here, as the original image does. Otherwise each start builds it, in 3 s and 350 MB.
RUN OVERRIDE_IN_DOCKER=1 python3 -P -m localstack.aws.spec
EXPOSE 4566
ENTRYPOINT ["python3", "-P", "-m", "localstack.runtime.main"]
