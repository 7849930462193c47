"""What can be booked: categories, services of every line, add-ons and programmes."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, Money, Visible

if TYPE_CHECKING:
    from models.analytics import ServiceRating


class ServiceLine(StrEnum):
    """Which business a service belongs to.

    SPA: Services in the rooms of a spa.
    MARKETPLACE: Services of providers of the marketplace.
    HOME: Services at the customer's home.
    """

    SPA = "spa"
    MARKETPLACE = "marketplace"
    HOME = "home"


class Category(Visible):
    """A group of services of one line."""

    __tablename__ = "categories"

    line: Mapped[ServiceLine] = mapped_column(doc="The business it belongs to.")
    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    slug: Mapped[str] = mapped_column(doc="Name in addresses, unique within its line.")
    description: Mapped[str] = mapped_column(default="", doc="What the category offers.")
    image: Mapped[str | None] = mapped_column(doc="Path or address of its picture.")
    featured_technologies: Mapped[list[str]] = mapped_column(default=list, doc="Technologies that the category is known for.")
    position: Mapped[int] = mapped_column(default=0, doc="Place in lists; smaller first.")

    __table_args__ = (UniqueConstraint("line", "slug"),)


class Service(Visible):
    """What customers book, of any line."""

    __tablename__ = "services"

    line: Mapped[ServiceLine] = mapped_column(doc="The business it belongs to.")
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"), index=True)
    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    slug: Mapped[str] = mapped_column(unique=True, doc="Name in addresses.")
    short_description: Mapped[str] = mapped_column(default="", doc="One line for lists.")
    description: Mapped[str] = mapped_column(default="", doc="The whole description.")
    price: Mapped[Money] = mapped_column(doc="What somebody without a membership pays.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of its prices.")
    duration_minutes: Mapped[int] = mapped_column(default=60, doc="How long it takes, in minutes.")
    is_featured: Mapped[bool] = mapped_column(default=False, doc="Whether it is shown first.")
    is_active: Mapped[bool] = mapped_column(default=True, doc="Whether it can be booked.")
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now(), doc="When it was last changed.")

    category: Mapped[Category] = relationship(lazy="raise", doc="The category it belongs to.")
    spa: Mapped["SpaService | None"] = relationship(lazy="raise", viewonly=True, doc="What only a spa service has.")
    rated: Mapped["ServiceRating | None"] = relationship(lazy="raise", viewonly=True, doc="How its guests rated it, once one did.")
    addons: Mapped[list["Addon"]] = relationship(lazy="raise", viewonly=True, order_by="Addon.id", doc="Extras that can be booked with it.")
    programmes: Mapped[list["Programme"]] = relationship(
        lazy="raise", viewonly=True, order_by="Programme.id", doc="Programmes to choose from."
    )

    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("duration_minutes BETWEEN 5 AND 1440", name="duration"),
        Index(None, "line", "is_active", "id"),
    )


class SpaService(Model):
    """What only a service of the spa has."""

    __tablename__ = "spa_services"

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), unique=True)
    service_type: Mapped[str] = mapped_column(
        default="treatment", server_default=text("'treatment'"), index=True, doc="What kind of treatment it is, such as massage or facial."
    )
    member_price: Mapped[Money] = mapped_column(doc="What a member with access to the category pays.")
    max_capacity: Mapped[int] = mapped_column(default=1, doc="People who can take part at once.")
    requires_appointment: Mapped[bool] = mapped_column(default=True, doc="Whether it must be booked ahead.")
    member_only: Mapped[bool] = mapped_column(default=False, doc="Whether only members may book it.")
    main_image: Mapped[str | None] = mapped_column(doc="Path or address of its main picture.")
    gallery_images: Mapped[list[str]] = mapped_column(default=list, doc="More pictures.")
    video_url: Mapped[str | None] = mapped_column(doc="Address of a video.")

    __table_args__ = (
        CheckConstraint("member_price >= 0", name="price"),
        CheckConstraint("service_type ~ '^[a-z][a-z0-9_]{0,39}$'", name="service_type"),
    )


class Addon(Visible):
    """An extra that can be booked with a service."""

    __tablename__ = "addons"

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    price: Mapped[Money] = mapped_column(doc="Its price, on top of the service's.")
    is_active: Mapped[bool] = mapped_column(default=True, doc="Whether it can be booked.")

    __table_args__ = (CheckConstraint("price >= 0", name="price"),)


class Programme(Visible):
    """A way in which a service can be carried out."""

    __tablename__ = "programmes"

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    slug: Mapped[str] = mapped_column(doc="Name in addresses, unique within its service.")
    description: Mapped[str] = mapped_column(default="", doc="What it does.")

    __table_args__ = (UniqueConstraint("service_id", "slug"),)
