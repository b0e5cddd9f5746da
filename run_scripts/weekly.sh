#!/usr/bin/env bash
# The weekly job on a data set that has grown: profiles that are out of date, a model that goes on from last week's, and
# everybody's next items. docs/production.md#refresh explains it; the first run in a folder does all from nothing.
#
#     bash run_scripts/weekly.sh films none:summary weekly --epochs=10
#
# The LLM is given as to run_scripts/end_to_end.sh. What follows the folder goes to the training.
set -euo pipefail
dataset=$1
llm=$2
folder=$3
shift 3

# shellcheck disable=SC2086  # the LLM may bring options along
llmdistill generate --dataset="$dataset" --llm $llm --out "$folder/profiles" --changed-by 0.1
llmdistill encode --dataset="$dataset" --texts "$folder/profiles" --out "$folder/vectors"

rm -rf "$folder/training"
start=()
if [ -f "$folder/model.pth" ]; then
    start=("--distill_warm_start=$folder/model.pth")
fi
run_recbole --model=SASRecDistill --dataset="$dataset" --vectors_path="$folder/vectors" \
    --checkpoint_dir="$folder/training" "${start[@]}" "$@"
mv "$folder"/training/SASRecDistill-*.pth "$folder/model.pth" # last week's model serves until here

llmdistill recommend --checkpoint "$folder/model.pth" --users all --topk 10 --exclude-seen \
    --out "$folder/recommendations.parquet" --overwrite
