# Builds the program, and puts it alone into a small image that runs as nobody in particular.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# What rust-toolchain.toml asks for is here under this name; nothing is to be downloaded instead.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked -p readout \
    && cp target/dist/readout /readout

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /readout /usr/local/bin/readout
# There is no PostgreSQL in this image: set DATABASE_URL and AUTH_SECRET.
ENV LISTEN_ADDR=0.0.0.0:8080 LOG_FORMAT=json
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/readout"]
CMD ["serve"]
