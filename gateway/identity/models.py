"""The tables. Times are milliseconds since the epoch; tokens and codes stand as hashes, what must be read back is sealed (secrets.py).

A change here needs a migration beside it (migrations/versions); a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, MetaData, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Number = BigInteger().with_variant(Integer, "sqlite")
"""64 bits; SQLite counts up by itself only what it calls an integer."""


class Words(TypeDecorator[tuple[str, ...]]):
    """Words without spaces in them, kept as one text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str:
        """Write them."""
        del dialect
        return " ".join(value or ())

    def process_result_value(self, value: Any | None, dialect: Dialect) -> tuple[str, ...]:
        """Read them."""
        del dialect
        return tuple((value or "").split())


class Base(DeclarativeBase):
    """All tables; the names of constraints are fixed, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class User(Base):
    """Who may log in. `folded` is the name in lower case; no password: only another provider lets this one in."""

    __tablename__ = "users"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - how SQLAlchemy declares it

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    folded: Mapped[str] = mapped_column(String(40), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    account: Mapped[str | None] = mapped_column(String(64))
    accounts: Mapped[tuple[str, ...]] = mapped_column(Words)
    disabled: Mapped[bool]
    created_ms: Mapped[int] = mapped_column(BigInteger)


class Session(Base):
    """A browser that is logged in, or (`waiting`) whose user has yet to show a second factor."""

    __tablename__ = "sessions"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - how SQLAlchemy declares it

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(Number, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    waiting: Mapped[bool]
    created_ms: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)
    address: Mapped[str] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(200))


class ApiKey(Base):
    """A key for programs; `secret` is sealed. No account: that of its user."""

    __tablename__ = "api_keys"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - how SQLAlchemy declares it

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    key_id: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(Number, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    label: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[tuple[str, ...]] = mapped_column(Words)
    networks: Mapped[tuple[str, ...]] = mapped_column(Words)
    account: Mapped[str | None] = mapped_column(String(64))
    created_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int | None] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)


class SecondFactor(Base):
    """The secret of a user's authenticator, sealed; `last_step` is the newest step of 30 s whose code was used."""

    __tablename__ = "second_factors"

    user_id: Mapped[int] = mapped_column(Number, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    confirmed: Mapped[bool]
    last_step: Mapped[int] = mapped_column(BigInteger)


class RecoveryCode(Base):
    """A code that stands in once for the authenticator."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(Number, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_ms: Mapped[int | None] = mapped_column(BigInteger)


class OidcIdentity(Base):
    """By whom else a user is known: an OpenID Connect provider and its name for them."""

    __tablename__ = "oidc_identities"

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[int] = mapped_column(Number, ForeignKey("users.id", ondelete="CASCADE"), index=True)


class Attempt(Base):
    """How often something was wrong of late for a subject, such as a user or an address, and when it may be tried again."""

    __tablename__ = "attempts"

    subject: Mapped[str] = mapped_column(String(160), primary_key=True)
    failures: Mapped[int]
    last_ms: Mapped[int] = mapped_column(BigInteger)
    next_ms: Mapped[int] = mapped_column(BigInteger)


class Seal(Base):
    """A known text, sealed: it shows whether the secret key is the one that this database was written with."""

    __tablename__ = "seals"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class Untold(Base):
    """A security event, as JSON, that whoever made it could not tell the audit log of; a gateway takes it there."""

    __tablename__ = "untold"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - how SQLAlchemy declares it

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    event: Mapped[str] = mapped_column(Text)
