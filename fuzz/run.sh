#!/bin/sh
# Runs every target for the given number of seconds, from the fixtures as a first corpus: fuzz/run.sh 600
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
for target in json feed text config whole; do
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    case $target in
        config) find tests/fixtures/config -type f ;;
        feed) find tests/fixtures/feed -type f ;;
        json) find tests/fixtures -name '*.json' ! -path '*/config/*' ;;
        *) find tests/fixtures -type f ! -path '*/config/*' ;;
    esac | while read -r file; do cp "$file" "$corpus/$(echo "$file" | tr / _)"; done
    nice cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 \
        -max_len=262144 -print_final_stats=1 -verbosity=0
done
