"""`make bench`: every measurement, one after the other."""

import asyncio

from benchmarks import documents, events, jobs

if __name__ == "__main__":
    asyncio.run(jobs.main())
    asyncio.run(documents.main())
    events.run()
