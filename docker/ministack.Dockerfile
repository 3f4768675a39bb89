# A stand-in for ministackorg/ministack, for machines without access to a registry: the same release from its Python
# package.
ARG PYTHON_BASE=tsdat-local/python-base:3.13

FROM ${PYTHON_BASE} AS packages
ARG PIP_INDEX_URL=
COPY requirements/uv.txt requirements/ministack.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=cache,target=/cache --mount=type=bind,source=docker/install,target=/install \
    sh /install /requirements/ministack.txt /opt/python && python3 -m compileall -q -j0 /opt/python

FROM ${PYTHON_BASE}
COPY --from=packages /opt/python /opt/python
ENV PYTHONPATH=/opt/python \
    PYTHONUNBUFFERED=1
EXPOSE 4566
ENTRYPOINT ["python3", "-m", "ministack"]
