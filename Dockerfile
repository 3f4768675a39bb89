# Two images from one file: `services` (watcher, poller, provisioning) and, last and so the default, `lambda`: what runs
# locally and what `sam build` ships. (`debugger` is for compose.debug.yaml.) Needs BuildKit (RUN --mount); both base images
# may be replaced by name.
ARG LAMBDA_BASE=public.ecr.aws/lambda/python:3.13
ARG PYTHON_BASE=python:3.13.11-slim

FROM ${PYTHON_BASE} AS services-packages
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements/services.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/services.txt /opt/python && python3 -m compileall -q -j0 /opt/python

FROM ${PYTHON_BASE} AS services
ENV PYTHONPATH=/opt/python PYTHONUNBUFFERED=1
COPY --from=services-packages /opt/python /opt/python
WORKDIR /app
COPY template.yaml ./
COPY runner runner
RUN python3 -m compileall -q --invalidation-mode checked-hash runner
ENTRYPOINT ["python3", "-m", "runner"]

FROM ${LAMBDA_BASE} AS lambda-packages
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements/lambda.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/lambda.txt /packages
# A layer of its own, so that a change to prune.py fetches nothing.
COPY docker/prune.py /
RUN mv /packages /opt/python && python3 /prune.py /opt/python

# A stage of its own: one layer then holds the project's code together with its bytecode.
FROM ${LAMBDA_BASE} AS lambda-code
WORKDIR /code
# What ships is these four, and nothing else; a test holds the handler to them.
COPY runner/__init__.py runner/errors.py runner/
COPY runner/messages runner/messages
COPY runner/aws runner/aws
COPY runner/function runner/function
COPY pipelines pipelines
# Brackets, because a project may have neither.
COPY share[d] shared
COPY util[s] utils
# Checked by hash: right also where a layer's file times are not kept. The user's modules are always compiled from source.
RUN python3 -m compileall -q --invalidation-mode checked-hash runner

# For compose.debug.yaml only: it brings the debugger to the Lambda's container, so that the image that ships has none.
FROM ${PYTHON_BASE} AS debugger
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements/debug.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/debug.txt /opt/debugpy \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/debugpy && rm -r /uv
COPY docker/debug-wrapper /opt/debugpy/wrapper
# What is old is taken away first.
CMD ["sh", "-c", "rm -rf /debugpy/* && cp -R /opt/debugpy/. /debugpy"]

FROM ${LAMBDA_BASE} AS lambda
# AWS's bootstrap searches /opt/python after /var/task and before its own packages.
COPY --from=lambda-packages /opt/python /opt/python
COPY --from=lambda-code /code /var/task
# tsdat writes into each file who made it, and fails where the user has no name, as in a container. AWS calls it so.
ENV USER=sbx_user1051
# Written into each file too; there is no git here to ask, as tsdat does elsewhere.
ARG CODE_VERSION=N/A
ENV CODE_VERSION=${CODE_VERSION}
CMD ["runner.function.handler.handler"]
