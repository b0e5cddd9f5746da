"""The console command ``run_recbole``, for a checkout: ``python run_scripts/run_recbole.py --model=SASRecDistill``."""

import sys

from recbole_llmdistill.cli.run_recbole import main

if __name__ == "__main__":
    sys.exit(main())
