"""`make bench`: every measurement, one after the other."""

import asyncio

from benchmarks import documents, egress, events, job_lists, jobs

if __name__ == "__main__":
    asyncio.run(jobs.main())
    asyncio.run(documents.main())
    events.run()
    asyncio.run(job_lists.main())
    egress.run()
