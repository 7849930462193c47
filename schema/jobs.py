"""What the heads of the house see of jobs that failed, and what they do about them."""

from datetime import datetime

import strawberry

from resolvers import jobs
from resolvers.inputs.scalars import Json
from schema.fields import operation


@strawberry.type(description="A job that was given up after its last try; kept until somebody lets it run again or drops it.")
class FailedJob:
    """A job as the queue keeps it."""

    number: int = strawberry.field(description="The job's number.")
    name: str = strawberry.field(description="What kind of job it is.")
    payload: Json = strawberry.field(description="What it is about.")
    tries: int = strawberry.field(description="How often it was tried.")
    queued_at: datetime = strawberry.field(description="When it was queued.")
    failed_at: datetime = strawberry.field(description="When it was given up.")
    error: str = strawberry.field(description="Why its last try failed.")


@strawberry.type(description="The failed jobs that something was done about.")
class JobsChanged:
    """What letting jobs run again, or dropping them, answers."""

    numbers: list[int] = strawberry.field(description="Their numbers.")


@strawberry.type
class JobQueries:
    """Reading the queue."""

    failed_jobs: list[FailedJob] = operation(jobs.list_failed_jobs)


@strawberry.type
class JobMutations:
    """Looking after failed jobs."""

    requeue_jobs: JobsChanged = operation(jobs.requeue_jobs)
    drop_jobs: JobsChanged = operation(jobs.drop_jobs)
