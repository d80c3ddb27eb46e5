"""The application's own tables."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Of the application's tables."""


class Book(Base):
    """A title, and how many of it there are."""

    __tablename__ = "book"

    title: Mapped[str] = mapped_column(primary_key=True)
    stock: Mapped[int]


class Order(Base):
    """Somebody wants some of a book."""

    __tablename__ = "book_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    title: Mapped[str]
    copies: Mapped[int]
