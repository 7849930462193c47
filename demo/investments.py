"""What investors are offered, with documents that can be read, and what John thinks of it."""

from collections.abc import AsyncIterator
from decimal import Decimal

from demo.people import ADMIN, JOHN
from demo.prospectus import pdf
from demo.world import World
from models.files import FilePurpose
from models.identity import Role
from models.investments import Opportunity, OpportunityStatus
from models.keys import Key
from resolvers.context import Context, Viewer
from resolvers.files import begin_upload
from resolvers.inputs.files import UploadInput
from resolvers.inputs.investments import InterestInput, OpportunityInput
from resolvers.investment_access import grant_investment_access
from resolvers.investments import add_investment_document, create_opportunity, express_interest, move_opportunity
from resolvers.operations import perform

# Title, description, minimum, return, time, documents, where it stands. The first is known from the documents.
OFFERED = [
    ("CoreSync NYC Expansion", "New location in Manhattan: 14 rooms over two floors in the Flatiron District, opening next autumn.", 50_000,
     "15-20%", "18-24 months", ("Investment Prospectus", "Financial Plan"), OpportunityStatus.OPEN),
    ("CoreSync Miami Beach", "A second house for couples, with a roof pool, in a hotel that is being rebuilt.", 100_000, "12-16%",
     "24-30 months", ("Investment Prospectus",), OpportunityStatus.OPEN),
    ("Robotic Massage Series A", "A share in the maker of the arms that work in our rooms.", 25_000, "20-30%", "48-60 months",
     ("Summary of Terms",), OpportunityStatus.CLOSED),
    ("CoreSync Aspen", "A winter house, not announced yet.", 75_000, "14-18%", "20-26 months", (), OpportunityStatus.DRAFT),
]  # fmt: skip


async def play(ctx: Context, world: World) -> None:
    """Staff write down what is offered, upload its documents, and let John in, who is interested."""
    clerk = ctx.with_viewer(Viewer(ADMIN, frozenset({Role.SUPER_ADMIN})))
    for turn, (title, text, least, roi, timeline, documents, status) in enumerate(OFFERED):
        offered = OpportunityInput(title=title, description=text, minimum_investment=Decimal(least), expected_roi=roi, timeline=timeline)
        key = f"demo opportunity {turn}"
        opportunity = await perform(create_opportunity, clerk, {"input": offered}, key=key)
        id: dict[str, Key[Opportunity]] = {"id": Key(number=opportunity.id)}
        for name in documents:
            await _upload(clerk, opportunity.id, f"{title}: {name}", name, text)
        if status is not OpportunityStatus.DRAFT:
            await perform(move_opportunity, clerk, {**id, "status": OpportunityStatus.OPEN}, key=f"{key} opened")
        if status is OpportunityStatus.CLOSED:
            await perform(move_opportunity, clerk, {**id, "status": status}, key=f"{key} closed")
    await perform(grant_investment_access, clerk, {"person_id": Key(number=JOHN)}, key="demo investor")
    john = ctx.with_viewer(Viewer(JOHN, frozenset({Role.CUSTOMER, Role.INVESTOR})))
    wish = InterestInput(opportunity_id="2", investment_amount=Decimal(120_000), message="Is the lease signed?")  # type: ignore[arg-type]
    await perform(express_interest, john, {"input": wish}, key="demo interest")


async def _upload(clerk: Context, opportunity: int, title: str, name: str, text: str) -> None:
    wanted = UploadInput(name=f"{title}.pdf", content_type="application/pdf", purpose=FilePurpose.INVESTMENT_DOCUMENT)
    begun = await perform(begin_upload, clerk, {"input": wanted}, key=f"demo upload {title}")
    if begun.file.kept_at is None:

        async def page() -> AsyncIterator[bytes]:
            yield pdf(title, text)

        await clerk.gateways.files.write(begun.file.key, page(), content_type="application/pdf", largest=begun.largest)
    arguments = {"opportunity_id": Key(number=opportunity), "file_id": Key(number=begun.file.id), "name": name}
    await perform(add_investment_document, clerk, arguments, key=f"demo document {title}")
