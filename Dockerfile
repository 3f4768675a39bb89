# Targets: `services` (watcher, poller, provisioning), `page` (the live page), `debugger` (for compose.debug.yaml) and `lambda`, the image that
# runs locally and that `sam build` ships. `lambda` is the default because it is last. Needs BuildKit (RUN --mount). Both
# base images can be replaced with build arguments.
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
# Modes: a checkout made under a strict umask has files that only their owner can read.
RUN chmod -R a+rX . && python3 -m compileall -q --invalidation-mode checked-hash runner
ENTRYPOINT ["python3", "-m", "runner"]

FROM ${PYTHON_BASE} AS page-packages
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements/web.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/web.txt /opt/python && python3 -m compileall -q -j0 /opt/python

FROM services AS page
COPY --from=page-packages /opt/python /opt/python
# Its buttons start commands with the project as the current folder.
ENV PYTHONPATH=/opt/python:/app

FROM ${LAMBDA_BASE} AS lambda-packages
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements/lambda.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/lambda.txt /packages
# In a separate layer, so that a change to prune.py does not install the packages again.
COPY docker/prune.py /
RUN mv /packages /opt/python && python3 /prune.py /opt/python

# The project's own packages, in a layer of their own: a new one does not install the others again.
FROM ${LAMBDA_BASE} AS project-packages
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements.loc[k] /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    mkdir /packages && if [ -e /requirements/requirements.lock ]; then \
    sh /install /requirements/requirements.lock /packages && python3 -m compileall -q -j0 /packages; fi

# A separate stage, so that the final image has the project's code and its bytecode in one layer.
FROM ${LAMBDA_BASE} AS lambda-code
WORKDIR /code
# These four are all that ships of the runner. A test runs the handler with only them.
COPY runner/__init__.py runner/errors.py runner/
COPY runner/messages runner/messages
COPY runner/aws runner/aws
COPY runner/function runner/function
COPY pipelines pipelines
# The brackets make these patterns, which may match nothing: a project need not have these folders.
COPY share[d] shared
COPY util[s] utils
# Validated by hash, because image layers may not preserve file times. A user's file that does not compile fails when it is
# imported, not here.
RUN chmod -R a+rX . && python3 -m compileall -q --invalidation-mode checked-hash runner \
    && { python3 -m compileall -qq --invalidation-mode checked-hash pipelines shared utils || true; }

# For compose.debug.yaml only: copies the debugger to a volume, so that the image that ships does not contain it.
FROM ${PYTHON_BASE} AS debugger
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements/debug.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/debug.txt /opt/debugpy \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/debugpy && rm -r /uv
COPY docker/debug-wrapper /opt/debugpy/wrapper
# Remove an older version from the volume first.
CMD ["sh", "-c", "rm -rf /debugpy/* && cp -R /opt/debugpy/. /debugpy"]

FROM ${LAMBDA_BASE} AS lambda
# AWS's bootstrap searches /opt/python after /var/task and before its own packages.
COPY --from=lambda-packages /opt/python /opt/python
COPY --from=project-packages /packages /opt/python
COPY --from=lambda-code /code /var/task
# tsdat writes the user's name into each output, and fails if the user has none, as in a container. AWS uses this name.
ENV USER=sbx_user1051
# tsdat writes the code version into each output. The image has no git repository to read it from.
ARG CODE_VERSION=N/A
ENV CODE_VERSION=${CODE_VERSION}
CMD ["runner.function.handler.handler"]
