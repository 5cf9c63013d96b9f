# Common tasks. `just` lists them; each is one command that also works without just.

# List the tasks.
default:
    @just --list

# Everything CI runs.
ci:
    .ci/run

# Format, then lint with warnings as errors.
lint:
    cargo fmt --all
    cargo clippy --all-targets -- -D warnings

# Run the tests; with cargo-nextest where it is installed.
test *ARGS:
    if command -v cargo-nextest >/dev/null; then cargo nextest run {{ARGS}}; else cargo test {{ARGS}}; fi

# Send to real receivers: needs mosquitto, nats-server, prometheus, prometheus-alertmanager, and a Python with
# aiosmtpd, standardwebhooks, confluent-kafka, matrix-synapse, apprise and mcp. STATUSWATCH_RECEIVERS names a
# directory that is searched first.
receivers:
    cargo test --test it -- --ignored receivers

# Run the tests with a real PostgreSQL: needs the server's programs, from `PATH` or Debian's `postgresql`.
postgres:
    cargo test --test it -- --ignored postgres
    STATUSWATCH_TEST_LEDGER=postgres cargo test --test it -- ledger:: --skip a_page_with_new_ids_at_every_request

# Accept changed snapshots. Read the diff afterwards.
accept *ARGS:
    INSTA_UPDATE=always cargo test {{ARGS}}

# Watch fake providers for a minute: nothing to configure, no network.
demo:
    cargo run --release -- demo

# Kill pollers, sinks and the process at random, and count what was lost.
chaos SEED="42":
    cargo run --release -- chaos --duration 1m --seed {{SEED}}

# Run the benchmarks: parse, ledger, log, poll, scale, views.
bench NAME="parse":
    cargo bench -- {{NAME}}

# Show the documentation in a browser; needs mdbook.
docs:
    mdbook serve docs --open

# Record the demo again for the README.
recording:
    cargo build --release
    cargo run --release --example demo_svg > docs/src/demo.svg
