#!/usr/bin/env bash
# From a data set to a distilled model, stage by stage; each stage's files can be looked at, and replaced by your own.
#
#     bash run_scripts/end_to_end.sh ml-100k none:summary end_to_end --epochs=50
#
# The LLM may be any that `llmdistill generate` takes, e.g. "openai:MODEL --base-url http://localhost:8000/v1"; none:summary
# is no LLM but a statistical summary in words, for trying the pipeline. What follows the folder goes to the training.
set -euo pipefail
dataset=$1
llm=$2
folder=$3
shift 3

# shellcheck disable=SC2086  # the LLM may bring options along
llmdistill generate --dataset="$dataset" --llm $llm --out "$folder/profiles"
llmdistill encode --dataset="$dataset" --profiles "$folder/profiles" --out "$folder/vectors"
llmdistill inspect --dataset="$dataset" --profiles "$folder/profiles" --vectors "$folder/vectors" --out "$folder/inspect.html"
run_recbole --model=SASRecDistill --dataset="$dataset" --vectors_path="$folder/vectors" "$@"
