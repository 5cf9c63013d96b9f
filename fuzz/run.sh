#!/bin/sh
# Runs every target for the given number of seconds, from the fixtures as a first corpus: fuzz/run.sh 600
# With names, the target `source` for each of these sources by itself: fuzz/run.sh 600 statuspage feed
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift

run() {
    target=$1 corpus=$2
    nice -n 19 cargo +nightly fuzz run "$target" "$corpus" -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 \
        -max_len=262144 -print_final_stats=1 -verbosity=0
}

# A document behind a line with its role, as the target `source` reads it.
record() {
    role=$(basename "$1")
    role=${role#[0-9][0-9]-}
    printf '%s\n' "${role%%.*}"
    cat "$1"
}

# The documents of each poll, with each of them as the first one in turn.
polls() {
    source=$1 corpus=$2
    find "tests/fixtures/$source" -type f ! -name '*.md' | while read -r first; do
        folder=$(dirname "$first") number=$(basename "$first" | cut -d- -f1)
        {
            record "$first"
            for other in "$folder/$number"-*; do
                if [ -f "$other" ] && [ "$other" != "$first" ]; then
                    printf '\036'
                    record "$other"
                fi
            done
        } > "$corpus/$(echo "$first" | tr / _)"
    done
}

if [ $# -gt 0 ]; then
    for source in "$@"; do
        corpus=fuzz/corpus/source-$source
        mkdir -p "$corpus"
        polls "$source" "$corpus"
        export STATUSWATCH_FUZZ_SOURCE="$source"
        run source "$corpus"
    done
    exit
fi
for target in json feed text config whole; do
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    case $target in
        config) find tests/fixtures/config -type f ;;
        feed) find tests/fixtures/feed -type f ;;
        json) find tests/fixtures -name '*.json' ! -path '*/config/*' ;;
        *) find tests/fixtures -type f ! -path '*/config/*' ;;
    esac | while read -r file; do cp "$file" "$corpus/$(echo "$file" | tr / _)"; done
    run "$target" "$corpus"
done
