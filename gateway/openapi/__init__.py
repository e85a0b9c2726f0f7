"""Says of every route that is for programs what it takes and what it answers: an OpenAPI 3.1 description, and a page that shows it."""
