"""What Alembic runs: the changes, by the connection (and in the transaction) that `database.migrate` hands over."""

from alembic import context

from gateway.identity.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
