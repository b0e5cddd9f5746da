#!/bin/bash
# A virtual environment for each library that we measure against: create_environments.sh FOLDER [PYTHON]
set -euo pipefail
folder=${1:?usage: create_environments.sh FOLDER [PYTHON]}
python=${2:-python3.11}
here=$(cd "$(dirname "$0")" && pwd)
for library in rectools replay recbole; do
  "$python" -m venv "$folder/$library"
  "$folder/$library/bin/pip" install -r "$here/requirements-$library.txt"
done
