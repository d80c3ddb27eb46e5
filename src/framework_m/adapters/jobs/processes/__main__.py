"""`python -m framework_m.adapters.jobs.processes`: what a worker starts. Not for people."""

import sys

from framework_m.adapters.jobs.processes.child import main

if __name__ == "__main__":  # `multiprocessing` in a job imports this again
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
