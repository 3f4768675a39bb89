# A stand-in for AWS's Python base image, for machines without access to a registry. It keeps that image's contract:
# /var/task, /var/runtime/bootstrap, /lambda-entrypoint.sh, AWS_LAMBDA_EXEC_WRAPPER, and the emulator if
# AWS_LAMBDA_RUNTIME_API is not set.
ARG PYTHON_BASE=tsdat-local/python-base:3.13

FROM ${PYTHON_BASE} AS builder
ARG PIP_INDEX_URL=
WORKDIR /build
COPY requirements requirements
COPY scripts/fetch-rie scripts/fetch-rie
COPY docker/install docker/install
# The runtime interface client, in the version that the embedded stack uses.
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache \
    awk '/^[^ ]/ {wanted = /^(awslambdaric|simplejson|snapshot-restore-py)==/} wanted' requirements/lambda.txt >requirements/ric.txt \
    && sh docker/install requirements/ric.txt /runtime \
    && python3 -m compileall -q /runtime
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && mkdir -p .venv/bin && ln -s "$(command -v python3)" .venv/bin/python \
    && scripts/fetch-rie /build/aws-lambda-rie

FROM ${PYTHON_BASE}
COPY --from=builder /build/aws-lambda-rie /usr/local/bin/aws-lambda-rie
COPY --from=builder /runtime /var/runtime
COPY docker/bootstrap docker/bootstrap.py /var/runtime/
COPY docker/lambda-entrypoint.sh /lambda-entrypoint.sh
RUN mkdir -p /var/task /opt /var/lang/bin && cd /var/lang/bin && for name in python3.13 python3 python; do ln -s /usr/bin/python3.13 $name; done
ENV LANG=C.UTF-8 \
    TZ=:/etc/localtime \
    PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin \
    LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib \
    LAMBDA_TASK_ROOT=/var/task \
    LAMBDA_RUNTIME_DIR=/var/runtime
WORKDIR /var/task
ENTRYPOINT ["/lambda-entrypoint.sh"]
