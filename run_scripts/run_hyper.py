"""The console command ``run_hyper``, for a checkout: ``python run_scripts/run_hyper.py --model=SASRecDistill``."""

import sys

from recbole_llmdistill.cli.run_hyper import main

if __name__ == "__main__":
    sys.exit(main())
