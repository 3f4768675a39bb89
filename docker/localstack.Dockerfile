# A stand-in for localstack/localstack, for machines without a registry: the same release from its Python package, under
# the same environment variables and port.
ARG PYTHON_BASE=tsdat-local/python-base:3.13

FROM ${PYTHON_BASE} AS packages
ARG PIP_INDEX_URL=
# rehearsal: with CloudFormation and what else a deployment is rehearsed with.
ARG REQUIREMENTS=localstack
COPY requirements/uv.txt requirements/${REQUIREMENTS}.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/${REQUIREMENTS}.txt /opt/python && python3 -m compileall -q -j0 /opt/python

FROM ${PYTHON_BASE}
COPY --from=packages /opt/python /opt/python
# In a container LocalStack expects its three folders.
RUN useradd --uid 1000 --create-home --home-dir /var/lib/localstack localstack \
    && mkdir -p /usr/lib/localstack /etc/localstack && chown localstack: /usr/lib/localstack /etc/localstack
USER localstack
WORKDIR /var/lib/localstack
# 0.0.0.0 is inside the container; what the host opens is for compose to say. The rest keeps it off the internet.
ENV PYTHONPATH=/opt/python \
    PYTHONUNBUFFERED=1 \
    GATEWAY_LISTEN=0.0.0.0:4566 \
    SERVICES=s3,sqs,sts \
    DISABLE_EVENTS=1 \
    SKIP_SSL_CERT_DOWNLOAD=1 \
    DNS_ADDRESS=0
# The index of all services, made here as in the original; else each start makes it, which takes 3 s and 350 MB.
RUN OVERRIDE_IN_DOCKER=1 python3 -P -m localstack.aws.spec
EXPOSE 4566
ENTRYPOINT ["python3", "-P", "-m", "localstack.runtime.main"]
