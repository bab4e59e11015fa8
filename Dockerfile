# A pychain node in a container. docs/operations/README.md says how to build and run it; tests/test_operations.py runs the `RUN python`
# steps without a container.

FROM python:3.12-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY . /src
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /src

FROM python:3.12-slim
RUN groupadd --gid 10001 pychain \
    && useradd --uid 10001 --gid pychain --home-dir /data --no-create-home --shell /usr/sbin/nologin pychain \
    && install --directory --owner=pychain --group=pychain --mode=0700 /data
COPY --from=build /wheels /wheels
RUN python -m pip install --no-cache-dir /wheels/*.whl
USER pychain
ENV PYCHAIN_DATADIR=/data PYCHAIN_NETWORK=main
VOLUME /data
# Peers of the main network. The API stays on the container's loopback, where the health check asks.
EXPOSE 30700
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["pychain", "chain", "info"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["pychain"]
CMD ["node", "--no-live"]
