"""What clients say of a file before they upload it."""

import strawberry

from models.files import FilePurpose


@strawberry.input(description="A file that is to be uploaded.")
class UploadInput:
    """A file to come."""

    name: str = strawberry.field(description="Its name with its ending, at most 200 characters.")
    content_type: str = strawberry.field(description="Its media type, such as application/pdf.")
    purpose: FilePurpose = strawberry.field(description="What it is for.")
